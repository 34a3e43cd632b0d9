"""A session's cases and what is known of them -> those that a budget is best spent on next.

Pure but for reading what is published.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.measure.budget.fit import ENOUGH, Prediction, contenders, informative, surprises
from edgebench.measure.budget.kinds import is_predictable, kind_of, kinds_of, measured, predicted, work
from edgebench.measure.plan.state import Progress, case_states
from edgebench.networks import published

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from edgebench.measure.budget.kinds import Measured, Predicted
    from edgebench.results.measurement import Measurement
    from edgebench.schema.case import Case
    from edgebench.schema.record import Record, Session

TWICE = 2  # times that one command measures a case: once, and again where it is out of line


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """What to measure next, the most worthwhile first, and whether predictions need it."""

    cases: tuple[Case, ...]
    is_needed: bool


def allot(session: Session, records: Sequence[Record], tried: Sequence[Case]) -> Allotment:
    """Choose the cells that fits need and lack; where they have them, those that matter most.

    What was tried without a figure is not tried again.
    """
    found = measured(session, records)
    lacking = tuple(case for case in _lacking(session.cases, found) if case not in tried)
    if lacking:
        return Allotment(cases=lacking, is_needed=True)
    unsettled = {state.case for state in case_states(session, records) if state.progress != Progress.SETTLED}
    ordered = dict.fromkeys(_worthwhile(session, found))
    cases = (case for case in ordered if case in unsettled and tried.count(case) < (TWICE if found.get(case) else 1))
    return Allotment(cases=tuple(cases), is_needed=False)


def _lacking(cases: Iterable[Case], found: Measured) -> Iterator[Case]:
    """Yield what must be measured: given models, which nothing predicts, and of each kind the informative cells."""
    kinds = defaultdict[object, list["Case"]](list)
    for case in cases:
        if not is_predictable(case):
            yield from () if case in found else (case,)
        elif found.get(case) or case not in found:
            kinds[kind_of(case)].append(case)
    for group in kinds.values():
        had = [index for index, case in enumerate(group) if case in found]
        chosen = informative([work(case.variant) for case in group], ENOUGH, had)
        yield from (group[index] for index in chosen if index not in had)


def _worthwhile(session: Session, found: Measured) -> Iterator[Case]:
    """Yield cells near the front, widest interval first; then measured ones out of line; then the others."""
    cells, _ = predicted(session.cases, session.preset, found)
    uncertain = sorted((cell for cell in cells if cell.time_s), key=_width, reverse=True)
    near = _near_front(session.cases, cells, found)
    yield from (cell.case for cell in uncertain if cell.case in near)
    yield from _out_of_line(found)
    yield from (cell.case for cell in (*uncertain, *cells))


def _width(cell: Predicted) -> float:
    return cell.time_s.high / cell.time_s.low if cell.time_s else 0.0


def _near_front(
    cases: Iterable[Case], cells: Iterable[Predicted], found: Mapping[Case, Measurement | None]
) -> set[Case]:
    """Find the cells that may be the fastest of those at least as good, by published accuracy or else by size."""
    times = {cell.case: cell.time_s for cell in cells if cell.time_s}
    for case, one in found.items():
        if one and one.p50_s and one.low_s and one.high_s:
            times[case] = Prediction(value=one.p50_s, low=one.low_s, high=one.high_s)
    rivals = [case for case in cases if case in times and is_predictable(case)]
    best = contenders([times[case] for case in rivals], _merits(rivals))
    return {rivals[index] for index in best}


def _merits(cases: Sequence[Case]) -> list[float]:
    """Rank networks by their published top-1; by multiply-adds where one has none: more compute, better answers."""
    variants = [case.variant for case in cases]
    cited = [published.reference(one.architecture, one.width, one.resolution, one.precision) for one in variants]
    top1 = [one.top1 for one in cited if one]
    return top1 if len(top1) == len(cases) else [work(one).macs for one in variants]


def _out_of_line(found: Measured) -> Iterator[Case]:
    """Yield measured cells that the others of their kind would have predicted elsewhere."""
    for kind in kinds_of(found):
        yield from (kind.cases[index] for index in surprises(kind.works, kind.times_s))
