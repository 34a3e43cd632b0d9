"""What is said of the time: estimates learned from earlier work, and the time left, corrected while a command runs."""

from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from edgebench import pipeline
from edgebench.cli import reader
from edgebench.cli.options import SweepOptions
from edgebench.foundation import durations, files
from edgebench.foundation.progress import Notice, Step
from edgebench.measure.plan import forecast as forecasting
from edgebench.measure.plan.forecast import Forecast, Task
from edgebench.measure.plan.remaining import Remaining
from edgebench.measure.plan.training import to_train
from edgebench.train import ORDINARY
from tests.hostile import graphs

pytestmark = pytest.mark.exact  # compares the time that work takes with the time that was expected


def task(activity: str, subject: str, seconds: float) -> Task:
    return Task(activity=activity, subject=subject, kind=activity, usual_s=seconds, expected_s=seconds)


TASKS = (
    task("train", "a@32", 20), task("train", "a@64", 40), task("train", "b@64", 60),
    task("export", "a/fp32", 5), task("evaluate", "a/fp32", 5), task("measure", "", 100),
)  # fmt: skip


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Run:
    """A command that shows its steps, and what a user sees of them."""

    def __init__(self, *forecasts: Forecast) -> None:
        self.clock, self.seen = Clock(), list[Step | Notice]()
        self.remaining = Remaining(show=self.seen.append, forecasts=forecasts, clock=self.clock)

    def at(self, now: float, *steps: Step) -> Step:
        self.clock.now = now
        self.remaining(Step(activity="train", subject="", parts=steps) if len(steps) > 1 else steps[0])
        last = self.seen[-1]
        assert isinstance(last, Step)
        return last


def forecast(*tasks: Task, workers: int = 2, budget_s: float = 0.0) -> Forecast:
    return Forecast(target="cpu", work=(), tasks=tasks, workers=workers, budget_s=budget_s)


def train(subject: str, done: int = 0, left_s: float | None = None) -> Step:
    return Step(activity="train", subject=subject, done=done, total=10, left_s=left_s)


def step(activity: str, subject: str = "", left_s: float | None = None) -> Step:
    return Step(activity=activity, subject=subject, left_s=left_s)


def test_the_time_left_is_that_of_the_whole_command_from_the_first_step_on() -> None:
    run = Run(forecast(*TASKS))
    assert run.at(0, step("plan", "sweep")).left_s == 170  # two trainings at a time take 60 s
    first = run.at(0, train("a@32"), train("b@64"))
    assert (first.left_s, first.share) == (170, 0)


def test_the_time_left_goes_down_to_nothing_if_all_goes_as_expected() -> None:
    run = Run(forecast(*TASKS))
    lefts = [
        run.at(0, train("a@32"), train("b@64")).left_s,
        run.at(20, train("a@64", left_s=40), train("b@64", 3, left_s=40)).left_s,
        run.at(60, step("export", "a/fp32")).left_s,
        run.at(65, step("evaluate", "a/fp32")).left_s,
        run.at(70, step("measure", "2 cases, round 1")).left_s,
        run.at(120, step("measure", "2 cases, round 3", left_s=50)).left_s,
    ]
    assert lefts == pytest.approx([170, 150, 110, 105, 100, 50])


def test_a_machine_twice_as_slow_is_noticed_while_the_command_runs() -> None:
    run = Run(forecast(task("train", "a", 100), task("train", "b", 100), workers=1))
    run.at(0, train("a"))
    run.at(199, train("a", 10, left_s=0))
    assert run.at(200, train("b")).left_s == pytest.approx(195, abs=5)


def test_what_is_taken_from_the_cache_or_fails_is_no_longer_expected() -> None:
    run = Run(forecast(*TASKS))
    assert run.at(0, step("evaluate", "a/fp32")).left_s == 105 + 5  # an export that may still come
    assert run.at(5, step("measure", "2 cases, round 1")).left_s == 100


def test_a_second_target_is_expected_to_take_its_own_time_but_no_second_training() -> None:
    run = Run(forecast(*TASKS), forecast(*TASKS))
    assert run.at(0, step("plan", "sweep")).left_s == 60 + 5 + 2 * (5 + 100)
    assert run.at(0, step("measure", "round 1")).left_s == 100 + 5 + 100
    assert run.at(100, step("measure", "round 2", left_s=0.0)).left_s == 5 + 100


def test_a_night_counts_the_targets_and_pairs_that_are_still_to_come() -> None:
    run = Run()
    session, noise = forecast(task("export", "a/fp32", 5), task("measure", "", 100)), task("noise", "", 10)
    run.remaining.further = 1
    run.remaining.expect(session, [noise])
    assert run.at(0, step("plan", "sweep")).left_s == 5 + 100 + 100 + 10
    assert run.at(5, step("measure", "round 1", left_s=90)).left_s == 90 + 100 + 10
    run.remaining.further = 0
    run.remaining.expect(session, [noise])  # its target will not answer
    assert run.at(100, step("confirm", "pair 1 of 20", left_s=40)).left_s == 40 + 10
    assert run.at(140, step("confirm", "pair 20 of 20", left_s=2)).left_s == 2 + 10
    assert run.at(142, step("noise", "pair 1 of 4", left_s=9)).left_s == 9


@pytest.mark.slow
def test_trainings_alone_have_a_total_that_their_options_change(cache: Path) -> None:
    sweep = reader.sweep("", SweepOptions(model="mobilenet_v1", width="0.25,0.5", resolution="32,64"))
    variants = to_train(sweep)
    ordinary = forecasting.of_trainings(variants, ORDINARY)
    subjects = [f"mobilenet_v1-{width}@{side}" for width in (0.25, 0.5) for side in (32, 64)]
    assert [task.subject for task in ordinary.tasks] == subjects and ordinary.workers <= 2
    longer = forecasting.of_trainings(variants, replace(ORDINARY, epochs=40, requested=True))
    assert [task.subject for task in longer.tasks] == subjects
    assert all(long.usual_s > 2 * task.usual_s for long, task in zip(longer.tasks, ordinary.tasks, strict=True))


def test_a_budget_limits_the_time_left() -> None:
    run = Run(forecast(*TASKS, budget_s=50))
    assert run.at(0, step("plan", "sweep")).left_s == 50
    assert run.at(20, train("a@32")).left_s == 30


def test_a_step_that_was_not_foreseen_keeps_its_own_time() -> None:
    run = Run(forecast())
    assert run.at(0, step("cool", "the board", left_s=9)).left_s == 9
    assert run.at(0, step("check", "30 images")).left_s is None


def test_only_finished_work_is_learned() -> None:
    run = Run(forecast(*TASKS))
    run.at(0, train("a@32"), train("b@64"))
    run.at(30, train("a@32", 10, left_s=0), train("b@64", 2))
    run.at(31, train("a@64"), train("b@64", 3))  # is interrupted
    run.at(90, step("export", "a/fp32"))
    run.clock.now = 97
    run.remaining.finish()
    assert run.remaining.pairs == [("train", 20, 31), ("export", 5, 7)]


@pytest.fixture
def cache(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(files.HOME_VARIABLE, str(place / "cache"))
    return place / "cache" / durations.KIND / durations.FILE


def test_what_work_took_here_is_the_factor_of_the_next(cache: Path) -> None:
    durations.keep([("train digits", 10.0, 30.0), ("train digits", 10.0, 20.0), ("train digits", 10.0, 21.0)])
    durations.keep([("export onnx fp32", 2.0, 1.0), ("tiny", 0.001, 9.0)])
    factors = durations.read()
    assert factors.of("train digits") == pytest.approx(2.1)
    assert factors.of("export onnx fp32") == pytest.approx(0.5)
    durations.keep([("train digits", 1.0, 0.1)] * 9)  # short work says little about long work
    assert durations.read().of("train digits") == pytest.approx(2.1)
    assert factors.of("train scenes") == pytest.approx(1.3)  # unknown, so the machine's other work decides
    assert factors.known("tiny") is None


def test_without_earlier_work_a_loop_is_timed(cache: Path) -> None:
    assert durations.read().of("train digits") == durations.slowness() > 0


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": [[1]]}', '{"a": [["x", 2]]}', "\ufeff", "null"])
def test_damaged_durations_are_forgotten(content: str, cache: Path) -> None:
    durations.keep([("train", 10.0, 30.0)])
    cache.write_text(content)
    assert durations.read().known("train") is None
    durations.keep([("train", 10.0, 20.0)])
    assert durations.read().known("train") == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "models",
    [
        {"model": "lenet5"},
        {"model": "mobilenet_v2_det", "width": "0.35", "resolution": "64", "weights": "random", "dataset": "scenes"},
        {"model": "net.onnx", "precision": "fp32"},
    ],
    ids=lambda models: models["model"],
)
def test_a_sweep_takes_as_long_as_its_dry_run_says(models: dict[str, str], place: Path) -> None:
    if models["model"] == "net.onnx":
        ends = [graphs.node("GlobalAveragePool", ["features"], "pooled"), graphs.node("Flatten", ["pooled"], "scores")]
        nodes = [graphs.node("Conv", ["image", "w"], "features"), *ends]
        graphs.write(place / "net.onnx", nodes, {"w": graphs.floats(10, 3, 3, 3)}, shape=(1, 3, 96, 96), classes=10)
    for name in ("said", "again"):  # other work on this machine may have begun or ended during the first run
        sweep = reader.sweep("", SweepOptions(preset="quick", name=name, **models))
        durations.slowness.cache_clear()
        slow = durations.slowness()
        (said,) = pipeline.forecast(sweep, lambda _: None)
        started = monotonic()
        pipeline.run(sweep, lambda _: None)
        took_s = monotonic() - started
        durations.slowness.cache_clear()
        took_s *= slow / ((slow + durations.slowness()) / 2)
        if said.total_s / 2 <= took_s <= said.total_s * 2:
            return
    pytest.fail(f"said {said.total_s:.1f} s, took {took_s:.1f} s")
