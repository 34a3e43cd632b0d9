"""The journal of a night -> one entry per configuration: its figures, and the components with which they were measured.

This module does no I/O.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from math import log
from statistics import fmean, median
from typing import TYPE_CHECKING

from edgebench.nightly.night import HARNESS, MODEL, PACKAGES, RUNTIME, Entry, Figures, Outcome
from edgebench.results.measurement import beats, summarize
from edgebench.results.measurement.evidence import gather
from edgebench.results.measurement.verdict import Verdict
from edgebench.schema.case import Workload, names
from edgebench.schema.environment import lasting
from edgebench.schema.record import Reference, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edgebench.results.measurement import Measurement
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.environment import Environment
    from edgebench.schema.record import Record

SHORT = 12  # number of hexadecimal digits of a hash that identify a component

Round = tuple[str, int]  # session id and round number


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The stored files with which a later night can measure a configuration again.

    Attributes:
        pin: name of the configuration's pin, which lists these files; an empty text if they could not be stored.
        packages: hash of the runtime's packages; an empty text if edgebench did not bring them to the target.
    """

    pin: str = ""
    packages: str = ""


def host(environment: Environment) -> dict[str, str]:
    """Return the facts of a target that paired runs cannot restore: kernel, governor, firmware, processor, Python."""
    return lasting(environment.facts)


def named_evidence(records: Sequence[Record]) -> dict[str, Evidence]:
    """Group the records of a journal by configuration name; leave out records from before a change of the target."""
    evidence = [case_evidence for case_evidence in gather(records) if case_evidence.is_latest]
    named = names([case_evidence.case for case_evidence in evidence])
    return {named[case_evidence.case]: case_evidence for case_evidence in evidence}


def entries(
    evidence: Mapping[str, Evidence], records: Iterable[Record], pin: Callable[[Evidence], Pinned]
) -> tuple[Entry, ...]:
    """Return one entry per configuration.

    `records` is the whole journal of the night, because it also has the times of the reference workloads. `pin` stores
    the files that are needed to measure a configuration again.
    """
    references = _references(records)
    return tuple(
        _entry(name, case_evidence, references, pin(case_evidence) if case_evidence.artifact else Pinned())
        for name, case_evidence in evidence.items()
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
    """Return OK if the figures can be judged, else MISSING or INVALID with the reason."""
    bad = [
        reason for reason in measured.reasons if reason.verdict in (Verdict.INVALID, Verdict.FAILED, Verdict.MISSING)
    ]
    if bad:
        is_missing = not evidence.failures and all(reason.verdict != Verdict.INVALID for reason in bad)
        return Outcome.MISSING if is_missing else Outcome.INVALID, "; ".join(reason.text for reason in bad)
    if not is_judgeable:
        return (
            Outcome.INVALID,
            "no round measured both reference workloads, so the drift of the machine cannot be removed",
        )
    return Outcome.OK, ""


def _references(records: Iterable[Record]) -> dict[Round, float]:
    """Return, for each round that measured both reference workloads, the mean of their log times."""
    logs = defaultdict[Round, dict[Workload, float]](dict)
    for record in records:
        if isinstance(record, Run) and isinstance(record.case, Reference) and record.samples_s:
            logs[record.session, record.round][record.case.workload] = log(median(record.samples_s))
    return {key: fmean(by_workload.values()) for key, by_workload in logs.items() if len(by_workload) == len(Workload)}


def _ratios(timed: Sequence[Run], references: Mapping[Round, float]) -> tuple[float, ...]:
    """Return, for each process, log median time minus log reference time of its round.

    Skip rounds without a reference.
    """
    pairs = ((log(median(run.samples_s)), references.get((run.session, run.round))) for run in timed)
    return tuple(time - reference for time, reference in pairs if reference is not None)


def _figures(evidence: Evidence, measured: Measurement) -> Figures:
    """Return all figures of a configuration except the lists of times, which have a value per process."""
    accuracy = evidence.accuracy
    is_usable = accuracy is not None and not accuracy.not_finite
    metric = next(iter(accuracy.metrics), None) if accuracy and is_usable else None
    return Figures(
        load_s=measured.load_s,
        first_s=measured.first_s,
        peak_bytes=measured.peak_bytes,
        file_bytes=evidence.artifact.size_bytes if evidence.artifact else None,
        correct=accuracy.correct if accuracy and is_usable and metric is None else None,
        images=accuracy.images if accuracy else None,
        agreement=accuracy.agreement if accuracy else None,
        instructions=measured.instructions,
        p90_s=measured.p90_s,
        metric=metric.name if metric else "",
        score=metric.value if metric else None,
    )


def _components(evidence: Evidence, pinned: Pinned) -> dict[str, str]:
    """Return the components (model, runtime and others) that paired runs can install again, by name."""
    return {
        MODEL: evidence.artifact.sha256[:SHORT] if evidence.artifact else "",
        RUNTIME: str(evidence.case.runtime),
        PACKAGES: pinned.packages[:SHORT],
        HARNESS: evidence.session.environment.agent_sha256[:SHORT],
    }
