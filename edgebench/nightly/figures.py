"""A night's journal -> an entry a configuration: its figures, and what it was measured with.

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


def entries(records: Iterable[Record], pin: Callable[[Evidence], Pinned]) -> tuple[Entry, ...]:
    """Read what a night's journal says of every case; `pin` keeps what it takes to measure it again."""
    every = tuple(records)
    evidence, references = gather(every), _references(every)
    named = names([one.case for one in evidence])
    return tuple(_entry(one, named[one.case], references, pin) for one in evidence)


def _entry(
    evidence: Evidence, name: str, references: Mapping[Round, float], pin: Callable[[Evidence], Pinned]
) -> Entry:
    kept = pin(evidence) if evidence.artifact else Pinned()
    measured, beat = summarize(evidence), beats.beat(evidence.timed)
    ratios = _paced(evidence) if beat else _ratios(evidence, references)
    verdict, why = _worth(evidence, measured, ratios)
    return Entry(
        name=name,
        target=evidence.case.target,
        verdict=verdict,
        why=why,
        pin=kept.pin,
        components=_stack(evidence, kept),
        figures=replace(_figures(evidence, measured), ratios=ratios, beat=beat),
    )


def _worth(evidence: Evidence, measured: Measurement, ratios: tuple[float, ...]) -> tuple[Outcome, str]:
    """Say whether the figures may be judged."""
    bad = [reason for reason in measured.reasons if reason.verdict in (Verdict.INVALID, Verdict.FAILED)]
    if bad:
        is_missing = not evidence.failures and all(one.verdict == Verdict.FAILED for one in bad)
        return Outcome.MISSING if is_missing else Outcome.INVALID, "; ".join(reason.text for reason in bad)
    if evidence.timed and not ratios:
        return Outcome.INVALID, "no round of it has both reference workloads: nothing to divide the machine's drift by"
    return Outcome.OK, ""


def _references(records: Iterable[Record]) -> dict[Round, float]:
    """Return each round's mean log time of both reference workloads, where both were measured."""
    seen = defaultdict[Round, dict[Workload, float]](dict)
    for record in records:
        if isinstance(record, Run) and isinstance(record.case, Reference) and record.samples_s:
            seen[record.session, record.round][record.case.workload] = log(median(record.samples_s))
    return {key: fmean(found.values()) for key, found in seen.items() if len(found) == len(Workload)}


def _paced(evidence: Evidence) -> tuple[float, ...]:
    """Return each process's log time over its own beats."""
    return tuple(round(level, 6) for level in beats.levels(evidence.timed))


def _ratios(evidence: Evidence, references: Mapping[Round, float]) -> tuple[float, ...]:
    """Return each process's log median less its round's reference."""
    found = ((log(median(run.samples_s)), references.get((run.session, run.round))) for run in evidence.timed)
    return tuple(round(time - reference, 6) for time, reference in found if reference is not None)


def _figures(evidence: Evidence, measured: Measurement) -> Figures:
    answered = evidence.accuracy
    return Figures(
        latencies_s=tuple(round(median(run.samples_s), 9) for run in evidence.timed),
        load_s=measured.load_s,
        first_s=measured.first_s,
        peak_bytes=measured.peak_bytes,
        file_bytes=evidence.artifact.size_bytes if evidence.artifact else None,
        correct=answered.correct if answered and not answered.not_finite else None,
        images=answered.images if answered else None,
        agreement=answered.agreement if answered else None,
        instructions=measured.instructions,
    )


def _stack(evidence: Evidence, kept: Pinned) -> dict[str, str]:
    """Name the components that pairs can hold fixed."""
    return {
        MODEL: evidence.artifact.sha256[:SHORT] if evidence.artifact else "",
        RUNTIME: str(evidence.case.runtime),
        PACKAGES: kept.packages[:SHORT],
        HARNESS: evidence.session.environment.agent_sha256[:SHORT],
    }
