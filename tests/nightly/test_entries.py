"""A night's journal, as figures: what is divided by what, and what may not be judged."""

from __future__ import annotations

from dataclasses import replace
from math import log
from statistics import median

import pytest

from edgebench.nightly.entries import Pinned, entries, host, named_evidence
from edgebench.nightly.night import Entry, Outcome
from edgebench.schema.case import Workload, name, names
from edgebench.schema.metric import Metric
from edgebench.schema.record import Accuracy, Failure, Record, Reference, Run, Stop
from edgebench.schema.runtime import Runtime
from tests.conftest import artifact, case, deployment, environment, run, session, variant


def references(rounds: int, **medians_s: float) -> list[Record]:
    return [
        run(median_s, case=Reference(workload=Workload(workload), target="cpu"), round=number)
        for number in range(1, rounds + 1)
        for workload, median_s in medians_s.items()
    ]


def seen(*more: Record, rounds: int = 6, compute: float = 2e-3, memory: float = 8e-3) -> list[Record]:
    """A case whose processes take 1.01, 1.02, ... ms beside both reference workloads."""
    timed = [run(1e-3 + number * 1e-5, round=number) for number in range(1, rounds + 1)]
    both = references(rounds, compute=compute, memory=memory)
    return [session(), deployment(), *timed, *both, *more, Stop(session="s1", spent_s=1.0)]


def entries_of(records: list[Record], packages: str = "") -> tuple[Entry, ...]:
    return entries(named_evidence(records), records, lambda _: Pinned(pin="p", packages=packages))


def test_a_process_is_divided_by_both_reference_workloads_of_its_own_round() -> None:
    (found,) = entries_of(seen())
    assert found.verdict == Outcome.OK
    assert found.figures.ratios[0] == pytest.approx(log(1.01e-3 / (2e-3 * 8e-3) ** 0.5), abs=1e-6)
    assert found.figures.latencies_s == tuple(round(1e-3 + number * 1e-5, 9) for number in range(1, 7))


def slowed(one: Record, times: float) -> Record:
    return replace(one, samples_s=tuple(sample * times for sample in one.samples_s)) if isinstance(one, Run) else one


def test_a_machine_twice_as_slow_has_the_same_level() -> None:
    levels = [median(entries_of([slowed(one, times) for one in seen()])[0].figures.ratios) for times in (1.0, 2.0)]
    assert levels[1] == pytest.approx(levels[0], abs=1e-5)


def test_without_both_references_in_a_round_there_is_nothing_to_judge_by() -> None:
    alone = [one for one in seen() if getattr(one, "case", None) != Reference(workload=Workload.MEMORY, target="cpu")]
    (found,) = entries_of(alone)
    assert found.verdict == Outcome.INVALID
    assert found.why.startswith("no round measured both reference workloads")


def test_a_case_that_failed_is_invalid_with_its_stage_and_one_without_a_process_is_missing() -> None:
    failure = Failure(case=case(), session="s1", epoch="e1", stage="measure", reason="it died")
    (failed,) = entries_of([session(), deployment(), failure, Stop(session="s1", spent_s=1.0)])
    assert (failed.verdict, failed.why) == (Outcome.INVALID, "measure: it died")
    (missing,) = entries_of([session(limit_s=1.0), deployment(), Stop(session="s1", spent_s=1.0)])
    assert (missing.verdict, missing.why) == (Outcome.MISSING, "not measured: no time was left")


def test_the_metric_of_a_detector_is_a_figure_and_not_its_accuracy() -> None:
    evaluated = Accuracy(
        case=case(), session="s1", epoch="e1", artifact_sha256=artifact().sha256, dataset="scenes", images=500,
        correct=0, metrics=(Metric(name="map", value=0.534, low=0.51, high=0.55), Metric(name="ap50", value=0.8)),
    )  # fmt: skip
    figures = entries_of(seen(evaluated))[0].figures
    assert (figures.metric, figures.score, figures.images) == ("map", 0.534, 500)
    assert figures.correct is None
    assert figures.accuracy is None


def test_a_worthless_number_is_invalid_with_its_reason() -> None:
    waiting = [replace(one, cpu_s=1e-4) if isinstance(one, Run) else one for one in seen()]
    (found,) = entries_of(waiting)
    assert found.verdict == Outcome.INVALID
    assert found.why.startswith("waited for a core")


def test_a_configuration_keeps_its_name_when_its_runtime_is_upgraded_and_its_stack_says_so() -> None:
    newer = replace(case(), runtime=replace(case().runtime, version="2.0"))
    assert name(case()) == name(newer) == f"{variant()} onnxruntime+CPUExecutionProvider cpu threads=1 batch=1"
    (found,) = entries_of(seen())
    assert found.components == {
        "model": artifact().sha256, "runtime": str(case().runtime), "packages": "", "harness": "a"
    }  # fmt: skip
    (brought,) = entries_of(seen(), packages="0123456789abcdef")
    assert brought.components["packages"] == "0123456789ab"


def test_two_versions_in_one_sweep_are_two_configurations() -> None:
    newer = replace(case(), runtime=Runtime(name="onnxruntime", version="2.0", options=case().runtime.options))
    assert [text.rpartition(" ")[2] for text in names([case(), newer]).values()] == ["1.31.1", "2.0"]


def test_the_host_is_what_pairs_cannot_hold_fixed() -> None:
    facts = host(environment(kernel="Linux 6"))
    assert facts["kernel"] == "Linux 6"
    assert "memory_bytes" not in facts
