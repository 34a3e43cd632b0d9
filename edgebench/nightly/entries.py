"""A night's journal -> an entry per configuration: its figures, and what it was measured with.

Pure: nothing is read, measured or judged here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from math import log
from statistics import fmean, median
from typing import TYPE_CHECKING

from edgebench.nightly.night import HARNESS, MODEL, PACKAGES, RUNTIME, Entry, Figures, Outcome
from edgebench.results.measurement import beats, summarize
from edgebench.results.measurement.evidence import gather
from edgebench.results.measurement.verdict import Verdict
from edgebench.schema.case import Workload
from edgebench.schema.environment import lasting
from edgebench.schema.record import Reference, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edgebench.results.measurement import Measurement
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.case import Case
    from edgebench.schema.environment import Environment
    from edgebench.schema.record import Record

SHORT = 12  # hexadecimal digits that name a component

Round = tuple[str, int]  # a session's id and the number of its round


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """What a configuration can be measured again with: its pin's name, and the hash of a brought runtime's files."""

    pin: str = ""
    packages: str = ""


def host(environment: Environment) -> dict[str, str]:
    """Return the facts of a target that pairs cannot hold fixed: kernel, governor, firmware, processor, Python."""
    return lasting(environment.facts)


def names(cases: Sequence[Case]) -> dict[Case, str]:
    """Name each case by what stays the same when a runtime is upgraded; by its version, too, where a name is taken."""
    plain = {case: name(case) for case in cases}
    taken = Counter(plain.values())
    return {case: f"{text} {case.runtime.version}" if taken[text] > 1 else text for case, text in plain.items()}


def name(case: Case) -> str:
    """Name a case without versions."""
    runtime = "+".join((case.runtime.name, *case.runtime.options))
    return f"{case.variant} {runtime} {case.target} threads={case.threads} batch={case.batch}"


def named_evidence(records: Sequence[Record]) -> dict[str, Evidence]:
    """Return what a night's journal holds of each configuration, by name."""
    evidence = gather(records)
    named = names([each.case for each in evidence])
    return {named[each.case]: each for each in evidence}


def entries(
    evidence: Mapping[str, Evidence], records: Iterable[Record], pin: Callable[[Evidence], Pinned]
) -> tuple[Entry, ...]:
    """Return an entry per configuration; `pin` keeps what it takes to measure one again.

    The records are those of the night's journal, for what the reference workloads took.
    """
    references = _references(records)
    return tuple(
        _entry(name, each, references, pin(each) if each.artifact else Pinned()) for name, each in evidence.items()
    )


def _entry(name: str, evidence: Evidence, references: Mapping[Round, float], pinned: Pinned) -> Entry:
    timed, measured = evidence.timed, summarize(evidence)
    beat, levels = beats.beat(timed), beats.levels(timed)
    ratios = levels if beat else _ratios(timed, references)
    verdict, why = _verdict(evidence, measured, is_judgeable=bool(ratios) or not timed)
    return Entry(
        name=name,
        target=evidence.case.target,
        verdict=verdict,
        why=why,
        pin=pinned.pin,
        components=_components(evidence, pinned),
        figures=replace(
            _figures(evidence, measured),
            latencies_s=tuple(round(median(run.samples_s), 9) for run in timed),
            ratios=tuple(round(ratio, 6) for ratio in ratios),
            beat=beat,
        ),
    )


def _verdict(evidence: Evidence, measured: Measurement, *, is_judgeable: bool) -> tuple[Outcome, str]:
    """Return whether the figures may be judged, and why not."""
    bad = [reason for reason in measured.reasons if reason.verdict in (Verdict.INVALID, Verdict.FAILED)]
    if bad:
        is_missing = not evidence.failures and all(reason.verdict == Verdict.FAILED for reason in bad)
        return Outcome.MISSING if is_missing else Outcome.INVALID, "; ".join(reason.text for reason in bad)
    if not is_judgeable:
        return Outcome.INVALID, "no round of it has both reference workloads: nothing to divide the machine's drift by"
    return Outcome.OK, ""


def _references(records: Iterable[Record]) -> dict[Round, float]:
    """Return each round's mean log time of both reference workloads, where both were measured."""
    logs = defaultdict[Round, dict[Workload, float]](dict)
    for record in records:
        if isinstance(record, Run) and isinstance(record.case, Reference) and record.samples_s:
            logs[record.session, record.round][record.case.workload] = log(median(record.samples_s))
    return {key: fmean(by_workload.values()) for key, by_workload in logs.items() if len(by_workload) == len(Workload)}


def _ratios(timed: Sequence[Run], references: Mapping[Round, float]) -> tuple[float, ...]:
    """Return each process's log median less its round's reference, where the round has one."""
    pairs = ((log(median(run.samples_s)), references.get((run.session, run.round))) for run in timed)
    return tuple(time - reference for time, reference in pairs if reference is not None)


def _figures(evidence: Evidence, measured: Measurement) -> Figures:
    """Return all figures but the times of processes."""
    accuracy = evidence.accuracy
    return Figures(
        load_s=measured.load_s,
        first_s=measured.first_s,
        peak_bytes=measured.peak_bytes,
        file_bytes=evidence.artifact.size_bytes if evidence.artifact else None,
        correct=accuracy.correct if accuracy else None,
        images=accuracy.images if accuracy else None,
        agreement=accuracy.agreement if accuracy else None,
        instructions=measured.instructions,
    )


def _components(evidence: Evidence, pinned: Pinned) -> dict[str, str]:
    """Name the components that pairs can hold fixed."""
    return {
        MODEL: evidence.artifact.sha256[:SHORT] if evidence.artifact else "",
        RUNTIME: str(evidence.case.runtime),
        PACKAGES: pinned.packages[:SHORT],
        HARNESS: evidence.session.environment.agent_sha256[:SHORT],
    }
