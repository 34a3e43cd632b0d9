"""Whole nights on the null runtime: measured, paired, judged, kept; and every way in which one goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench import nightly
from edgebench.deploy.locking import locked
from edgebench.deploy.targets import catalogue
from edgebench.export.formats import null
from edgebench.foundation.errors import Busy, RequestError
from edgebench.foundation.lock import lock_folder
from edgebench.foundation.progress import Notice, Step
from edgebench.nightly import arms, history, pairs, waiting
from edgebench.nightly.night import History, Outcome
from edgebench.nightly.rule import judge
from edgebench.nightly.rule.figures import PAIRED_FIGURES
from edgebench.nightly.rule.thresholds import RULE, Rule
from edgebench.nightly.summary import Bulletin, bulletin
from edgebench.results.journal import Journal
from edgebench.schema.record import Run
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.target import THIS_MACHINE
from edgebench.schema.variant import Precision
from tests.support.command import cli
from tests.support.nights import entry, night, quiet_history
from tests.test_pipeline import wait_for

HISTORY = Path("results/nightly")
# Of 3,432 orders of seven pairs four are as far out as this: what is equal is hardly ever taken for a change.
FEW = replace(RULE, pairs=10, noisy_pairs=10, interim_every=5, noisy_interim_every=5, p=0.002, noisy_p=0.002)
SWEEP = """
targets = ["cpu"]
runtimes = ["null"]
precisions = ["fp32"]
resolutions = [1]
weights = "none"
dataset = "null"
preset = "quick"

[[models]]
name = "null"
"""
TRIES = 10
CALM = {Outcome.OK, Outcome.HOST_CHANGE, Outcome.UNDERPOWERED}


def sweep(*targets: str, batches: tuple[int, ...] = (1,)) -> Sweep:
    return Sweep(
        name="nightly",
        models=(Model(name="null", resolutions=(1,)),),
        targets=targets or ("cpu",),
        runtimes=("null",),
        precisions=(Precision.FP32,),
        dataset="null",
        weights="none",
        preset="quick",
        batches=batches,
    )


def run(asked: Sweep | None = None, rule: Rule = FEW) -> Bulletin:
    """Measure a night; once more where the machine was too busy for it, which makes it INVALID, as it should."""
    for _ in range(TRIES):
        found = nightly.run(asked or sweep(), HISTORY, lambda _: None, rule=rule)
        if not any("waited for a core" in line.entry.why for line in found.lines):
            break
    return found


Retrained = Callable[[float], AbstractContextManager[None]]


@pytest.fixture
def retrained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Retrained:
    """Let what is exported meanwhile be another model, which takes so much longer an inference, seconds."""

    def write(path: Path, delay_s: float) -> None:
        path.write_text(json.dumps({"delay_s": delay_s, "classes": 10}) + "\n")

    @contextmanager
    def within(delay_s: float) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(null, "write", lambda path, *_: write(path, delay_s))
            patch.setenv("EDGEBENCH_CACHE", str(tmp_path / f"another-{delay_s}"))
            yield

    return within


def paired(found: Bulletin) -> list[int]:
    """Count the processes of each arm that a night paired."""
    raw = history.raw_folder(HISTORY, found.night)
    journals = (list(Journal(raw / arm)) for arm in (arms.ACCEPTED, arms.TONIGHT))
    return [sum(isinstance(record, Run) for record in journal) for journal in journals]


@pytest.mark.slow
def test_a_first_night_is_new_a_second_calm_and_a_slower_model_found_the_first_night_until_it_is_accepted(
    retrained: Retrained, shared_cache: Path
) -> None:
    first = run()
    assert [line.entry.verdict for line in first.lines] == [Outcome.NEW]
    assert nightly.exit_code(first) == 0
    second = run()
    assert {line.entry.verdict for line in second.lines} <= CALM
    assert nightly.exit_code(second) == 0
    assert paired(second) == [0, 0]
    assert second.night.arms is not None and second.night.arms.pairs == pairs.LEAST_PAIRS
    shutil.rmtree(shared_cache / "artifacts")  # the accepted model is in the history, too
    with retrained(2e-6):  # several times as long
        third = run()
        (line,) = third.lines
        assert line.entry.verdict == Outcome.REGRESSION, line.entry.why
        assert [change.partition(":")[0] for change in line.entry.changed] == ["model"]
        latency = next(one for one in line.entry.findings if one.figure == "latency")
        assert latency.change > 3
        assert latency.pairs == FEW.pairs
        assert nightly.exit_code(third) == 1
        fourth = run()  # of the same model
        assert [one.confirmed_at for one in fourth.lines[0].entry.confirmed] == [third.night.started_at] * len(
            line.entry.confirmed
        )
        assert paired(fourth) == [0, 0]
        assert nightly.exit_code(fourth) == 1
        nightly.accept(HISTORY, "a better model")
        fifth = run()
    assert {line.entry.verdict for line in fifth.lines} <= CALM
    assert [one.reason for one in history.read(HISTORY).acceptances] == ["a better model"]


@pytest.mark.slow
def test_pairs_that_show_nothing_early_are_given_up(monkeypatch: pytest.MonkeyPatch, retrained: Retrained) -> None:
    patient = (replace(one, rule=one.rule and replace(one.rule, futile_effect=99.0)) for one in PAIRED_FIGURES)
    monkeypatch.setattr(judge, "PAIRED_FIGURES", tuple(patient))
    run()
    with retrained(0.0):
        found = run(rule=replace(FEW, futile_effect=99.0))
    assert {line.entry.verdict for line in found.lines} <= CALM
    assert paired(found) == [FEW.interim_every, FEW.interim_every]


@pytest.mark.slow
def test_a_target_that_is_not_there_tonight_is_missing_and_the_others_are_measured(place: Path) -> None:
    (place / "targets").mkdir()
    gone = place / "targets" / "gone.toml"
    gone.write_text('board = "b"\nconnection = "local"\nruntimes = ["null"]\n')
    run(sweep("cpu", "gone"))
    gone.write_text('board = "b"\nconnection = "local"\nruntimes = ["null"]\npython = "/nowhere/python"\n')
    found = run(sweep("cpu", "gone"))
    verdicts = {line.entry.target: line.entry for line in found.lines}
    assert verdicts["gone"].verdict == Outcome.MISSING
    assert verdicts["gone"].why == "cannot start /nowhere/python: No such file or directory"
    assert verdicts["gone"].name == next(
        one.name for one in history.read(HISTORY).nights[0].entries if one.target == "gone"
    )
    assert verdicts["cpu"].verdict in CALM
    assert nightly.exit_code(found) == 3
    assert len(history.read(HISTORY).nights) >= 2


@pytest.mark.slow
def test_a_sweep_edited_between_nights_lists_what_is_new_and_what_is_gone() -> None:
    run(sweep(batches=(1, 2)))
    found = run(sweep(batches=(2, 3)))
    by_batch = {line.entry.name.rpartition("=")[2]: line.entry.verdict for line in found.lines}
    assert by_batch["2"] in CALM
    known = history.read(HISTORY)
    edited = [place for place, one in enumerate(known.nights) if any(entry.name.endswith("3") for entry in one.entries)]
    verdicts = [entry.verdict for place in edited for entry in known.nights[place].entries if entry.name.endswith("3")]
    assert next(verdict for verdict in verdicts if verdict != Outcome.INVALID) == Outcome.NEW  # INVALID if it was busy
    first = replace(known, nights=known.nights[: edited[0] + 1])
    (gone,) = first.nights[-1].gone
    assert gone.endswith("batch=1")
    assert f"no longer in the sweep: {gone}" in bulletin(first).notes


def test_two_nightlies_at_once_are_refused() -> None:
    with lock_folder(HISTORY), pytest.raises(Busy, match="history results/nightly is in use by process"):
        run()


@pytest.mark.lengthy
def test_a_night_that_measured_nothing_is_reported_and_not_kept() -> None:
    with locked(THIS_MACHINE, "the test"):
        found = nightly.run(sweep(), HISTORY, lambda _: None)
    assert {line.entry.verdict for line in found.lines} == {Outcome.MISSING}
    assert found.notes == ("this night measured nothing, so the history does not keep it",)
    assert nightly.exit_code(found) == 3
    assert history.read(HISTORY).nights == ()
    (command,) = (HISTORY / "annotations.txt").read_text(encoding="utf-8").splitlines()
    assert command.startswith("::warning title=MISSING")
    assert f"process {os.getpid()} (" in command  # the holder and its command are named


@pytest.mark.lengthy
def test_a_night_waits_for_a_target_that_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_S", 0.01)
    said = list[str]()
    (target,) = catalogue.targets_of(("null",), "")

    def end_the_other(event: Step | Notice) -> None:
        said.append(str(event))
        other.close()

    other = ExitStack()
    other.enter_context(locked(target.machine, "the test"))
    with waiting.held_when_free(target, end_the_other, 60.0) as held:
        assert held.target == target
    assert len(said) == 1
    assert "waiting up to 1 min 00 s" in said[0]
    with locked(target.machine, "the test"), pytest.raises(Busy), waiting.held_when_free(target, lambda _: None, 0.02):
        pass


def test_a_sweep_that_measures_only_some_of_itself_is_refused() -> None:
    with pytest.raises(RequestError, match="the whole sweep, but this sweep has the budget 5m; remove the budget"):
        run(replace(sweep(), budget="5m"))


@pytest.mark.slow
def test_killed_in_the_middle_the_history_stands_and_the_next_night_is_whole(place: Path) -> None:
    run()
    before, measured = history.read(HISTORY).nights, len(list((HISTORY / "raw").iterdir()))
    (place / "nightly.toml").write_text(SWEEP)
    command = [sys.executable, "-m", "edgebench", "nightly", "nightly.toml", "--quiet"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=os.environ) as process:
        wait_for(lambda: len(list((HISTORY / "raw").iterdir())) > measured, process)
        process.kill()
    found = history.read(HISTORY)
    assert (found.nights, found.notes) == (before, ())
    run()
    assert len(history.read(HISTORY).nights) > len(before)


@pytest.mark.slow
def test_the_command_writes_its_reports_and_says_what_happened(place: Path) -> None:
    (place / "nightly.toml").write_text(SWEEP)
    done = cli("nightly", "nightly.toml", "--history", "h", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 NEW of 1 configuration; 1 night\n")
    written = {path.name for path in Path("h").iterdir() if path.is_file()}
    assert written == {
        "index.html",
        "summary.md",
        "annotations.txt",
        "junit.xml",
        "night.json",
        "bencher.json",
        "metrics.prom",
        "pytest-benchmark.json",
    }
    assert len(list(Path("h/configurations").iterdir())) == 1


def test_what_cannot_be_is_one_line_and_exit_code_2() -> None:
    for arguments, message in (
        (("nightly", "missing.toml"), "cannot read missing.toml"),
        (("nightly", "accept", "h", "--reason", "r"), "no night at all in h; the history has 0 nights"),
        (("nightly", "report", "h"), "no night in h: expected a history such as results/nightly"),
    ):
        done = cli(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(f"edgebench: {message}")
        assert done.stderr.count("\n") == 1


def kept(count: int = 3) -> None:
    for one in quiet_history(count).nights:
        history.write_night(HISTORY, one)


def test_accepting_keeps_the_night_the_configurations_and_the_reason() -> None:
    kept()
    name = quiet_history(1).nights[0].entries[0].name
    found = nightly.accept(HISTORY, " on purpose ", night="20260102", configurations=(name,))
    assert (found.night, found.configurations, found.reason) == (f"{1:012x}", (name,), "on purpose")
    assert history.read(HISTORY).acceptances == (found,)
    assert nightly.accept(HISTORY, "all of the last").night == f"{2:012x}"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"reason": " "}, "accepting a night needs a reason"),
        ({"reason": "r", "night": "2027"}, "no night 2027 in results/nightly; the history has 3 nights"),
        ({"reason": "r", "configurations": ("x",)}, "no configuration 'x' was measured in night 20260103T020000Z-"),
    ],
)
def test_what_cannot_be_accepted_is_refused(asked: dict[str, str], message: str) -> None:
    kept()
    with pytest.raises(RequestError, match=message):
        nightly.accept(HISTORY, **asked)
    assert not (HISTORY / "accepted").exists()


def test_a_night_that_measured_nothing_cannot_be_accepted() -> None:
    kept()
    history.write_night(HISTORY, night(3, entry(verdict=Outcome.MISSING)))
    with pytest.raises(RequestError, match="has no measurement to accept"):
        nightly.accept(HISTORY, "r")


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), 0),
        ((Outcome.OK, Outcome.HOST_CHANGE, Outcome.UNDERPOWERED, Outcome.NEW, Outcome.IMPROVEMENT), 0),
        ((Outcome.OK, Outcome.REGRESSION), 1),
        ((Outcome.OK, Outcome.INVALID), 3),
        ((Outcome.MISSING,), 3),
        ((Outcome.MISSING, Outcome.REGRESSION), 1),
    ],
)
def test_exit_codes(verdicts: tuple[Outcome, ...], code: int) -> None:
    tonight = night(0, *(entry(verdict=one, name=f"net-{n}") for n, one in enumerate(verdicts)))
    assert nightly.exit_code(bulletin(History(nights=(tonight,)))) == code


def test_an_interrupted_night_says_in_its_last_line_how_to_go_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(nightly, "_all_measured", interrupted)
    (place / "nightly.toml").write_text(SWEEP)
    done = cli("nightly", "nightly.toml", "--history", "h")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.splitlines()[-1] == "interrupted: run the same command within 12 hours to continue this night"
