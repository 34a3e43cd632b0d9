"""Fit the measured latencies of each kind of cells, and predict the latencies of other cells.

The cells of a kind differ only in width and resolution, so they have the same costs per multiply-add, activation and
weight.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

from edgebench.measure.budget.fit import ENOUGH, Fit, Prediction, Work, fit
from edgebench.networks.cost import blueprint
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
    """A case that was not measured, with its predicted latency.

    Attributes:
        preset: the preset of the measurements on which the prediction is based.
        time_s: predicted median latency; None if it cannot be predicted, and then `why` has the reason.
        is_beyond: whether the prediction is an extrapolation: the case's multiply-adds are outside the range of the
            measured cells of its kind.
    """

    case: Case
    preset: str
    macs: float
    time_s: Prediction | None = None
    is_beyond: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Measured cells that differ only in width and resolution, and the fit to them; None if there are too few cells."""

    cases: tuple[Case, ...]
    works: tuple[Work, ...]
    times_s: tuple[float, ...]
    fit: Fit | None


Measured = dict["Case", "Measurement | None"]  # None: the case was measured, but without a usable latency


def predicted(cases: Sequence[Case], preset: str, known: Measured) -> tuple[tuple[Predicted, ...], tuple[Kind, ...]]:
    """Return a predicted latency for each case that is not in `known`, and the kinds on which predictions are based.

    `preset` is the preset of the measurements in `known`.
    """
    kinds = {kind_of(kind.cases[0]): kind for kind in kinds_of(known)}
    open_cases = [case for case in cases if case not in known and is_predictable(case)]
    cells = tuple(_cell(case, preset, kinds.get(kind_of(case))) for case in open_cases)
    used = {kind_of(cell.case) for cell in cells}
    return cells, tuple(kind for name, kind in kinds.items() if name in used)


def measured(session: Session, records: Iterable[Record]) -> Measured:
    """Map each case to its measurement that has the session's preset, target and epoch (hash of the environment).

    The value is None for a case without a usable latency. Cases that have neither runs nor failures are left out.
    """
    all_evidence = [evidence for evidence in gather(records) if evidence.runs or evidence.failures]
    same = [evidence for evidence in all_evidence if key(evidence.session) == key(session)]
    return {evidence.case: row if _is_usable(row := summarize(evidence)) else None for evidence in same}


def key(session: Session) -> tuple[str, str, str]:
    """Return a session's preset, target and epoch; two sessions can be compared if they agree in all three."""
    return session.preset, session.environment.target, session.environment.epoch


def _is_usable(measurement: Measurement) -> bool:
    return bool(measurement.p50_s) and measurement.verdict < Verdict.EMULATED


def is_predictable(case: Case) -> bool:
    """Return whether a case's latency can be predicted.

    The latency of a user-supplied model cannot be predicted, because the model has only one size.
    """
    return case.variant.weights != WeightSource.CUSTOM


def kind_of(case: Case) -> Case:
    """Replace width and resolution by placeholders; all cells of a kind then become the same case."""
    return replace(case, variant=replace(case.variant, width=1.0, resolution=1))


def kinds_of(known: Mapping[Case, Measurement | None]) -> Iterator[Kind]:
    """Yield each kind of measured cells, with a fit if the kind has enough cells."""
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
    """Return each measurement's median latency in seconds, corrected for other load on the core.

    A reference beat is a small workload that ran between the samples. To correct a measurement, its median latency is
    divided by its own time per beat, and multiplied by the median time per beat of all measurements. If one of the
    measurements lacks beats, no measurement is corrected.
    """
    beats = [row.beat_s for row in group if row.p50_beats and row.beat_s and row.beat == group[0].beat]
    if len(beats) < len(group):
        return tuple(row.p50_s or 0.0 for row in group)
    return tuple((row.p50_beats or 0.0) * median(beats) for row in group)


def work(variant: Variant) -> Work:
    """Return how much one of edgebench's own networks computes."""
    return _work(variant.architecture, variant.width, variant.resolution, variant.classes)


@cache
def _work(architecture: str, width: float, resolution: int, classes: int) -> Work:
    network = blueprint(architecture, width, resolution, classes)
    return Work(macs=network.macs, activations=network.activations, params=network.params)


def _cell(case: Case, preset: str, kind: Kind | None) -> Predicted:
    needed = work(case.variant)
    if kind is None or kind.fit is None:
        why = f"wanted {ENOUGH} usable latencies of its kind, found {len(kind.works) if kind else 0}"
        return Predicted(case=case, preset=preset, macs=needed.macs, why=why)
    macs = [item.macs for item in kind.works]
    is_beyond = not min(macs) <= needed.macs <= max(macs)
    return Predicted(case=case, preset=preset, macs=needed.macs, time_s=kind.fit.predict(needed), is_beyond=is_beyond)
