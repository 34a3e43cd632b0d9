"""Choose the cases of a session that are most worth measuring next, given the journal's records.

This module reads no files except published accuracies and the cache.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.measure.budget import metric, surfaces
from edgebench.measure.budget.fit import ENOUGH, Prediction, contenders, informative, surprises
from edgebench.measure.budget.kinds import is_predictable, kind_of, kinds_of, measured, predicted, work
from edgebench.measure.plan.state import Progress, case_states
from edgebench.networks import published

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from edgebench.measure.budget.kinds import Measured, Predicted
    from edgebench.measure.budget.surfaces import Shares
    from edgebench.results.measurement import Measurement
    from edgebench.schema.case import Case
    from edgebench.schema.record import Record, Session

TWICE = 2  # one command measures a case at most twice: the second time only if the first latency is an outlier


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """The cases to measure next, the most worthwhile case first.

    `is_needed` says that no prediction is possible until these cases are measured.
    """

    cases: tuple[Case, ...]
    is_needed: bool


def allot(session: Session, records: Sequence[Record], tried: Sequence[Case]) -> Allotment:
    """Choose the cells without which no fit is possible.

    If all cells that fits need are measured, choose the most informative cells.

    A case that this command has already tried without a usable measurement is not chosen again.
    """
    known = measured(session, records)
    lacking = tuple(case for case in _lacking(session.cases, known) if case not in tried)
    if lacking:
        return Allotment(cases=lacking, is_needed=True)
    unsettled = {state.case for state in case_states(session, records) if state.progress != Progress.SETTLED}
    ordered = dict.fromkeys(_worthwhile(session, known, surfaces.evaluated(session, records)))
    cases = (case for case in ordered if case in unsettled and tried.count(case) < (TWICE if known.get(case) else 1))
    return Allotment(cases=tuple(cases), is_needed=False)


def _lacking(cases: Iterable[Case], known: Measured) -> Iterator[Case]:
    """Yield the cells that must still be measured: user-supplied models, and the most informative cells of each kind.

    The cells of a kind differ only in width and resolution.
    """
    kinds = defaultdict[object, list["Case"]](list)
    for case in cases:
        if not is_predictable(case):
            yield from () if case in known else (case,)
        elif known.get(case) or case not in known:
            kinds[kind_of(case)].append(case)
    for group in kinds.values():
        done = [index for index, case in enumerate(group) if case in known]
        chosen = informative(
            [work(case.variant) for case in group], ENOUGH, done, metric.terms([surfaces.size(case) for case in group])
        )
        yield from (group[index] for index in chosen if index not in done)


def _worthwhile(session: Session, known: Measured, shares: Shares) -> Iterator[Case]:
    """Yield first the cells near the Pareto front, by decreasing width of interval; then outliers; then all others."""
    cells, _ = predicted(session.cases, session.preset, known)
    uncertain = sorted((cell for cell in cells if cell.time_s), key=_width, reverse=True)
    near = _near_front(session.cases, cells, known, shares)
    yield from (cell.case for cell in uncertain if cell.case in near)
    yield from _out_of_line(known)
    yield from (cell.case for cell in (*uncertain, *cells))


def _width(cell: Predicted) -> float:
    return cell.time_s.high / cell.time_s.low if cell.time_s else 0.0


def _near_front(
    cases: Iterable[Case], cells: Iterable[Predicted], known: Mapping[Case, Measurement | None], shares: Shares
) -> set[Case]:
    """Return the cells that are possibly on the Pareto front of latency and metric, given each latency's interval."""
    times = {cell.case: cell.time_s for cell in cells if cell.time_s}
    for case, measurement in known.items():
        if measurement and measurement.p50_s and measurement.low_s and measurement.high_s:
            times[case] = Prediction(value=measurement.p50_s, low=measurement.low_s, high=measurement.high_s)
    rivals = [case for case in cases if case in times and is_predictable(case)]
    best = contenders([times[case] for case in rivals], _merits(rivals, shares))
    return {rivals[index] for index in best}


def _merits(cases: Sequence[Case], shares: Shares) -> list[float]:
    """Return the metric of each case, measured or predicted.

    If the metric of a case is neither measured nor predicted, return the published top-1 of every case instead. If a
    case has no published top-1, return the multiply-adds of every case.
    """
    fitted = surfaces.reliefs(shares, cases)
    expected = [shares.get(case) or surfaces.predict(case, fitted) for case in cases]
    metrics = [each.value for each in expected if each]
    if len(metrics) == len(cases):
        return metrics
    variants = [case.variant for case in cases]
    references = [published.reference(v.architecture, v.width, v.resolution, v.precision) for v in variants]
    top1 = [reference.top1 for reference in references if reference]
    return top1 if len(top1) == len(cases) else [work(variant).macs for variant in variants]


def _out_of_line(known: Measured) -> Iterator[Case]:
    """Yield each measured cell whose latency is outside the interval predicted from the other cells of its kind."""
    for kind in kinds_of(known):
        yield from (kind.cases[index] for index in surprises(kind.works, kind.times_s))
