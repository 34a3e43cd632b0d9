"""A results folder and a sweep -> the latencies of the sweep's cells that were not measured, as a sheet."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

from edgebench import plan, store
from edgebench.foundation.errors import require
from edgebench.foundation.sheet import Sheet
from edgebench.foundation.units import millions, milliseconds
from edgebench.networks.describe import describe
from edgebench.own import is_own
from edgebench.predict import ENOUGH, Fit, Prediction, Work, fit
from edgebench.results.journal import existing
from edgebench.results.measurement import measure
from edgebench.results.measurement.evidence import gather
from edgebench.results.measurement.verdict import Verdict
from edgebench.schema.record import Session
from edgebench.schema.variant import Weighting, network, scheme

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edgebench.results.measurement import Measurement
    from edgebench.schema.case import Case
    from edgebench.schema.record import Record
    from edgebench.schema.sweep import Sweep
    from edgebench.schema.variant import Variant

PREDICTED = "predicted"
TEXTS = frozenset({"network", "precision", "target", "runtime", "figure", "note"})
BEYOND = "computes more or less than any measured cell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What was not measured, as far as it can be predicted, and from what."""

    folder: str
    cells: tuple[Cell, ...]
    kinds: tuple[Kind, ...]

    @property
    def is_answered(self) -> bool:
        """Tell whether any cell could be predicted."""
        return any(cell.time_s for cell in self.cells)


Measured = dict["Case", "Measurement | None"]  # None where a case has a row and no figure to go by


def outlook(folder: Path, sweep: Sweep) -> Outlook:
    """Predict the cells of a sweep that its results folder has no row of.

    Raises:
        InvalidFile: the folder has no journal, or one that cannot be read.
        UnknownName, RequestError: nothing was measured on a target of the sweep, or the sweep cannot be.
    """
    records = tuple(existing(folder))
    sessions = {record.environment.target: record for record in records if isinstance(record, Session)}
    for target in sweep.targets:
        require(f"target in {folder}", target, sorted(sessions))
    plan.check(sweep)
    mine = [sessions[target] for target in sweep.targets]
    found = [predicted(_cases(sweep, one), one.preset, measured(one, records)) for one in mine]
    return Outlook(
        folder=folder.resolve().name,
        cells=tuple(cell for cells, _ in found for cell in cells),
        kinds=tuple(kind for _, kinds in found for kind in kinds),
    )


def own_sweep(folder: Path) -> Sweep:
    """Read the sweep that a results folder was last made by.

    Raises:
        InvalidFile: it has none that can be read.
    """
    return store.sweep(str(folder / store.SWEEP))


def _cases(sweep: Sweep, session: Session) -> tuple[Case, ...]:
    """Complete the sweep's cells by what the target was; a model that somebody gave has no width to predict by."""
    wanted = [cell for cell in sweep.wanted() if cell.target == session.environment.target and not is_own(cell.model)]
    return plan.cases(wanted, session.environment)


def predicted(cases: Sequence[Case], preset: str, known: Measured) -> tuple[tuple[Cell, ...], tuple[Kind, ...]]:
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
    return {one.case: found if _is_worth(found := measure(one)) else None for one in mine}


def _place(session: Session) -> tuple[str, str, str]:
    return session.preset, session.environment.target, session.environment.epoch


def _is_worth(measurement: Measurement) -> bool:
    return bool(measurement.p50_s) and measurement.verdict < Verdict.EMULATED


def is_predictable(case: Case) -> bool:
    """Tell whether a case is of the shelf: of a model that somebody gave there is one size only."""
    return case.variant.weights != Weighting.OWN


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


def _cell(case: Case, preset: str, kind: Kind | None) -> Cell:
    mine = work(case.variant)
    if kind is None or kind.fit is None:
        why = f"wanted {ENOUGH} usable numbers of its kind, found {len(kind.works) if kind else 0}"
        return Cell(case=case, preset=preset, macs=mine.macs, why=why)
    macs = [one.macs for one in kind.works]
    is_beyond = not min(macs) <= mine.macs <= max(macs)
    return Cell(case=case, preset=preset, macs=mine.macs, time_s=kind.fit.predict(mine), is_beyond=is_beyond)


def sheet(found: Outlook) -> Sheet:
    """Lay out the predicted cells, fastest first within each kind; every one says that it is predicted."""
    cells = sorted(found.cells, key=lambda cell: (str(kind_of(cell.case)), cell.time_s.value if cell.time_s else 0.0))
    return Sheet(
        title=f"{found.folder}: not measured, {PREDICTED}",
        headings=(
            "network", "precision", "target", "runtime", "threads", "batch",
            "figure", "p50 ms", "[90 %]", "MACs M", "note",
        ),
        rows=tuple(_line(cell) for cell in cells),
        texts=TEXTS,
        notes=tuple(_notes(found)),
    )  # fmt: skip


def _line(cell: Cell) -> tuple[str, ...]:
    case, variant, time_s = cell.case, cell.case.variant, cell.time_s
    return (
        network(variant),
        scheme(variant),
        case.target,
        str(case.runtime),
        str(case.threads),
        str(case.batch),
        PREDICTED if time_s else "none",
        milliseconds(time_s.value * 1e3) if time_s else "-",
        f"[{milliseconds(time_s.low * 1e3)}, {milliseconds(time_s.high * 1e3)}]" if time_s else "-",
        millions(round(cell.macs), 1),
        cell.why or (BEYOND if cell.is_beyond else ""),
    )


def _notes(found: Outlook) -> Iterator[str]:
    if not found.cells:
        yield "Nothing to predict: every cell of the sweep has a row."
        return
    yield (
        "Predicted, not measured: a constant, and a cost of each multiply-add, activation and weight, fitted to the"
        " measured cells of the same kind. [90 %]: where nine of ten such cells lie. No accuracy, no memory."
    )
    for kind in found.kinds:
        if kind.fit:
            yield f"{_kind(kind.cases[0])}: {_formula(kind.fit)}"


def _kind(case: Case) -> str:
    return f"{case.variant.architecture} {scheme(case.variant)}, {case.runtime}, {case.target}"


def _formula(found: Fit) -> str:
    """Say what a kind of cell costs, as fitted in seconds."""
    constant, *others = found.costs
    units = ("M multiply-adds", "M activations", "M weights")
    terms = [f"{cost * 1e9:.3g} ms per {unit}" for cost, unit in zip(others, units, strict=True) if cost]
    said = " + ".join([f"{constant * 1e3:.3g} ms", *terms] if constant else terms)
    return f"{said}; {found.cells} measured cells, scatter {found.scatter:.1%}."
