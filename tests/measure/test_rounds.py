"""The scheduler, against a connection whose processes take exactly as long as the test says."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from edgebench.deploy import Deployed
from edgebench.foundation.errors import AgentError
from edgebench.foundation.progress import Step
from edgebench.measure.rounds import Job, measure
from edgebench.schema.case import Purpose
from edgebench.schema.record import Failure, Reference, Run
from tests.conftest import case, run, session, variant


class Scripted:
    """Answers measure requests with medians from a list per artifact; no process is started."""

    shares_files, brings_runtimes, has_own_agent = True, False, False

    def __init__(self, **medians_s: Sequence[float | Exception]) -> None:
        self.conditions: Iterator[dict[str, str]] = cycle([{}])
        self._medians: dict[str, Iterator[float | Exception]] = {path: cycle(m) for path, m in medians_s.items()}
        self.requests: list[Mapping[str, Any]] = []

    def push(self, path: Path, sha256: str) -> str:
        return str(path)

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        self.requests.append(request)
        if request["do"] == "facts":
            conditions = {"temperature_c": "55.0", "clock_lowered": "nothing"}
            return {
                "machine": dict.fromkeys(("machine", "bits", "kernel", "python"), "x")
                | {"memory_bytes": "1", "usable_cores": "1"},
                "conditions": conditions,
                "disk_free_bytes": 1,
                "missing_device": "",
                "packages": {},
                "runtimes": {"null": {"version": "1"}},
            }
        memory = {"baseline_bytes": 1, "load_peak_bytes": 1, "loaded_bytes": 1, "run_peak_bytes": 1}
        is_memory = request["purpose"] == Purpose.MEMORY
        middle = 1e-3 if "reference" in request or is_memory else next(self._medians[request["path"]])
        if isinstance(middle, Exception):
            raise middle
        count = request["iterations"] or 11
        return {
            "start_s": 0.0, "load_s": 0.0, "first_s": 0.0, "wall_s": 0.1, "cpu_s": 0.1, "others_cpu": 0.0, "steal": 0.0,
            "samples_s": [] if is_memory else [middle] * count,
            "memory": memory if is_memory else None,
            "conditions": dict(next(self.conditions)) if "reference" not in request else {},
        }  # fmt: skip

    def with_agent(self, bundle: Path) -> "Scripted":
        return self

    def close(self) -> None:
        pass


def job(path: str, resolution: int = 32) -> Job:
    of = case(variant(resolution=resolution))
    return Job(case=of, deployed=Deployed(variant=of.variant, path=path, sha256=path))


def timed(records: list[Run | Failure]) -> Counter[str]:
    return Counter(
        record.artifact_sha256 for record in records if isinstance(record, Run) and record.purpose == Purpose.LATENCY
    )


def go(connection: Scripted, *jobs: Job, **how: Any) -> list[Run | Failure]:
    records = measure(jobs, connection, session(*(one.case for one in jobs), **how), lambda _: None)
    return [record for record in records if isinstance(record, (Run, Failure))]


@pytest.mark.lengthy
def test_a_steady_case_stops_at_the_first_look_and_a_noisy_one_at_the_last() -> None:
    records = go(Scripted(steady=[1e-3], noisy=[1e-3, 2e-3]), job("steady"), job("noisy", 64))
    assert timed(records)["steady"] == 6
    assert timed(records)["noisy"] == 30


def test_a_run_says_how_long_its_process_was_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("edgebench.measure.rounds.monotonic", lambda: float(next(clock)))
    assert {record.took_s for record in go(Scripted(one=[1e-3]), job("one")) if isinstance(record, Run)} == {1.0}


@pytest.mark.lengthy
def test_every_round_runs_both_reference_workloads_and_every_open_case_once() -> None:
    records = go(Scripted(one=[1e-3], two=[1e-3, 2e-3]), job("one"), job("two", 64))
    for number in range(1, 31):
        mine = [record for record in records if isinstance(record, Run) and record.round == number]
        references = Counter(record.case.workload for record in mine if isinstance(record.case, Reference))
        assert references == {"compute": 1, "memory": 1}
        assert timed(list(mine))["two"] == 1
        assert timed(list(mine))["one"] == (number <= 6)


@pytest.mark.lengthy
def test_the_order_changes_from_round_to_round() -> None:
    jobs = [job(name, 32 + index) for index, name in enumerate("abcdefgh")]
    records = go(Scripted(**{name: [1e-3] for name in "abcdefgh"}), *jobs)
    orders = {
        tuple(
            record.artifact_sha256
            for record in records
            if isinstance(record, Run) and record.round == number and record.purpose == Purpose.LATENCY
        )
        for number in range(1, 7)
    }
    assert len(orders) > 1


def test_memory_is_measured_in_processes_of_its_own_twice() -> None:
    records = go(Scripted(one=[1e-3]), job("one"))
    memory = [record for record in records if isinstance(record, Run) and record.purpose == Purpose.MEMORY]
    assert len(memory) == 2
    assert all(record.memory and not record.samples_s for record in memory)


def test_the_first_process_chooses_the_iterations_and_the_others_keep_them() -> None:
    connection = Scripted(one=[1e-3])
    go(connection, job("one"))
    asked = [
        request["iterations"]
        for request in connection.requests
        if "reference" not in request and request["purpose"] == Purpose.LATENCY
    ]
    assert asked == [None, 11, 11, 11, 11, 11]


def test_a_case_that_fails_is_recorded_once_and_the_others_go_on() -> None:
    records = go(Scripted(good=[1e-3], bad=[AgentError("it died")]), job("good"), job("bad", 64))
    (failure,) = [record for record in records if isinstance(record, Failure)]
    assert (failure.stage, failure.reason) == ("measure", "it died")
    assert timed(records)["good"] == 6


@pytest.mark.parametrize("id", "abcdef")
def test_a_case_that_failed_gets_no_further_process_not_even_in_the_same_round(id: str) -> None:
    connection = Scripted(good=[1e-3], bad=[AgentError("it died")])
    go(connection, job("good"), job("bad", 64), id=id)
    purposes = [request["purpose"] for request in connection.requests if request.get("path") == "bad"]
    assert purposes in (["latency"], ["memory", "latency"])  # in a random order, and only the times of this one fail


def test_earlier_runs_count() -> None:
    one = job("one")
    one.runs = [run(case=one.case, samples_s=(1e-3,) * 7) for _ in range(4)]
    connection = Scripted(one=[1e-3])
    assert timed(go(connection, one))["one"] == 2
    assert {request["iterations"] for request in connection.requests if "path" in request} == {7}


def test_a_spent_time_limit_starts_no_process() -> None:
    assert go(Scripted(one=[1e-3]), job("one"), limit_s=1e-9) == []


def test_a_process_that_would_pass_the_limit_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 10))  # every look at the clock is ten seconds later
    monkeypatch.setattr("edgebench.measure.rounds.monotonic", lambda: float(next(clock)))
    records = go(Scripted(one=[1e-3, 2e-3]), job("one"), limit_s=400.0)
    assert 0 < timed(records)["one"] < 30


def test_progress_tells_the_round_and_the_time_left() -> None:
    told: list[Step] = []
    one = job("one")
    list(measure([one], Scripted(one=[1e-3]), session(one.case, limit_s=100.0), told.append))  # type: ignore[arg-type]
    assert told[0].subject == "1 case, round 1"
    assert all(step.left_s is not None and step.left_s <= 100 for step in told)


HOT = {"clock_lowered_before": "nothing", "clock_lowered_after": "throttled"}
WEAK = {"clock_lowered_before": "under-voltage", "clock_lowered_after": "under-voltage"}


def scripted(*conditions: dict[str, str]) -> Scripted:
    board = Scripted(a=[1e-3])
    board.conditions = cycle(conditions)
    return board


def latency_runs(board: Scripted) -> list[Run]:
    records = measure([job("a")], board, session(preset="quick"), lambda _: None)
    return [one for one in records if isinstance(one, Run) and not isinstance(one.case, Reference)]


def test_what_a_hot_board_showed_is_dropped_and_measured_again_once_it_is_cool() -> None:
    board = scripted(HOT, {})
    runs = latency_runs(board)
    assert len(runs) == 4
    assert all(not run.conditions for run in runs)
    assert sum(request["do"] == "facts" for request in board.requests) == 4


def test_a_board_that_stays_hot_is_measured_as_it_is_in_the_end() -> None:
    runs = latency_runs(scripted(HOT))
    assert [run.conditions for run in runs] == [HOT] * 4


def test_waiting_does_not_help_a_weak_power_supply() -> None:
    board = scripted(WEAK)
    assert [run.conditions for run in latency_runs(board)] == [WEAK] * 4
    assert not any(request["do"] == "facts" for request in board.requests)
