"""What was measured -> kinds of cells that share their costs, fitted; and what that predicts of other cells."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

from edgebench.measure.budget.fit import ENOUGH, Fit, Prediction, Work, fit
from edgebench.networks.describe import describe
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import gather
from edgebench.results.measurement.verdict import Verdict
from edgebench.schema.record import Session
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from edgebench.results.measurement import Measurement
    from edgebench.schema.case import Case
    from edgebench.schema.record import Record
    from edgebench.schema.variant import Variant

PREDICTED = "predicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A case that was not measured.

    Attributes:
        preset: how those that it was predicted from were measured.
        time_s: its median latency, as predicted; None where `why` says what is missing.
        is_beyond: whether it computes more, or less, than every measured cell of its kind.
    """

    case: Case
    preset: str
    macs: float
    time_s: Prediction | None = None
    is_beyond: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Cells that share their costs, all but width and resolution: those measured, and the fit where they are enough."""

    cases: tuple[Case, ...]
    works: tuple[Work, ...]
    times_s: tuple[float, ...]
    fit: Fit | None


Measured = dict["Case", "Measurement | None"]  # None where a case has a row and no figure to go by


def predicted(cases: Sequence[Case], preset: str, known: Measured) -> tuple[tuple[Predicted, ...], tuple[Kind, ...]]:
    """Predict the cases that have no row among what is known, measured by a preset; return each kind's fit, too."""
    kinds = {kind_of(kind.cases[0]): kind for kind in kinds_of(known)}
    open_cases = [case for case in cases if case not in known and is_predictable(case)]
    cells = tuple(_cell(case, preset, kinds.get(kind_of(case))) for case in open_cases)
    used = {kind_of(cell.case) for cell in cells}
    return cells, tuple(kind for name, kind in kinds.items() if name in used)


def measured(session: Session, records: Iterable[Record]) -> Measured:
    """Return what was measured as the session measures, where it did; without a figure where none is worth anything.

    A case that no process has met was not measured.
    """
    met = [one for one in gather(records) if one.runs or one.failures]
    mine = [one for one in met if _place(one.session) == _place(session)]
    return {one.case: found if _is_worth(found := summarize(one)) else None for one in mine}


def _place(session: Session) -> tuple[str, str, str]:
    return session.preset, session.environment.target, session.environment.epoch


def _is_worth(measurement: Measurement) -> bool:
    return bool(measurement.p50_s) and measurement.verdict < Verdict.EMULATED


def is_predictable(case: Case) -> bool:
    """Tell whether a case is of the shelf: of a model that somebody gave there is one size only."""
    return case.variant.weights != WeightSource.CUSTOM


def kind_of(case: Case) -> Case:
    """Return the case without what its latency is predicted from: equal for cells that share their costs."""
    return replace(case, variant=replace(case.variant, width=1.0, resolution=1))


def kinds_of(known: Mapping[Case, Measurement | None]) -> Iterator[Kind]:
    """Fit each kind that enough cells were measured of."""
    groups = defaultdict[object, list[tuple["Case", "Measurement"]]](list)
    for case, measurement in known.items():
        if measurement and measurement.p50_s and is_predictable(case):
            groups[kind_of(case)].append((case, measurement))
    for group in groups.values():
        works = tuple(work(case.variant) for case, _ in group)
        times_s = _alike([measurement for _, measurement in group])
        fitted = fit(works, times_s) if len(group) >= ENOUGH else None
        yield Kind(cases=tuple(case for case, _ in group), works=works, times_s=times_s, fit=fitted)


def _alike(group: Sequence[Measurement]) -> tuple[float, ...]:
    """Return p50 of each, as if the core had been shared alike all the time, seconds; as it was, where beats lack."""
    beats = [one.beat_s for one in group if one.p50_beats and one.beat_s and one.beat == group[0].beat]
    if len(beats) < len(group):
        return tuple(one.p50_s or 0.0 for one in group)
    return tuple((one.p50_beats or 0.0) * median(beats) for one in group)


def work(variant: Variant) -> Work:
    """Count what a network of the shelf computes."""
    return _work(variant.architecture, variant.width, variant.resolution, variant.classes)


@cache
def _work(architecture: str, width: float, resolution: int, classes: int) -> Work:
    found = describe(architecture, width, resolution, classes)
    return Work(macs=found.macs, activations=found.activations, params=found.params)


def _cell(case: Case, preset: str, kind: Kind | None) -> Predicted:
    mine = work(case.variant)
    if kind is None or kind.fit is None:
        why = f"wanted {ENOUGH} usable numbers of its kind, found {len(kind.works) if kind else 0}"
        return Predicted(case=case, preset=preset, macs=mine.macs, why=why)
    macs = [one.macs for one in kind.works]
    is_beyond = not min(macs) <= mine.macs <= max(macs)
    return Predicted(case=case, preset=preset, macs=mine.macs, time_s=kind.fit.predict(mine), is_beyond=is_beyond)
