"""A results folder and a sweep -> predicted latencies of the unmeasured cells of the sweep, as a sheet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edgebench.foundation.errors import require
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.units import millions, milliseconds
from edgebench.measure.budget.fit import Fit
from edgebench.measure.budget.kinds import PREDICTED, Kind, Predicted, kind_of, measured, predicted
from edgebench.measure.plan import cases, sweeps
from edgebench.measure.plan.check import check
from edgebench.results.journal import existing
from edgebench.schema.names import is_custom
from edgebench.schema.record import Session
from edgebench.schema.variant import network, scheme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgebench.schema.case import Case
    from edgebench.schema.sweep import Sweep

BEYOND = "extrapolated: more or fewer operations than any measured cell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The predictions for unmeasured cells, and the fits behind them."""

    folder: str
    cells: tuple[Predicted, ...]
    kinds: tuple[Kind, ...]

    @property
    def is_answered(self) -> bool:
        """Whether at least one cell could be predicted."""
        return any(cell.time_s for cell in self.cells)


def outlook(folder: Path, sweep: Sweep) -> Outlook:
    """Predict the cells of a sweep that have no row in a results folder.

    Raises:
        InvalidFile: the folder has no readable journal.
        UnknownName, RequestError: a target of the sweep has no measurements, or the sweep is impossible.
    """
    records = tuple(existing(folder))
    sessions = {record.environment.target: record for record in records if isinstance(record, Session)}
    for target in sweep.targets:
        require(f"target in {folder}", target, sorted(sessions))
    check(sweep)
    chosen = [sessions[target] for target in sweep.targets]
    predictions = [predicted(_cases(sweep, each), each.preset, measured(each, records)) for each in chosen]
    return Outlook(
        folder=folder.resolve().name,
        cells=tuple(cell for cells, _ in predictions for cell in cells),
        kinds=tuple(kind for _, kinds in predictions for kind in kinds),
    )


def own_sweep(folder: Path) -> Sweep:
    """Read the sweep that a results folder was last measured with.

    Raises:
        InvalidFile: the folder has no readable sweep.
    """
    return sweeps.sweep(str(folder / sweeps.SWEEP))


def _cases(sweep: Sweep, session: Session) -> tuple[Case, ...]:
    """Return the cases of the sweep in the environment of a session, without user-supplied models."""
    cells = [cell for cell in sweep.cells() if cell.target == session.environment.target and not is_custom(cell.model)]
    return cases.cases(cells, session.environment)


def sheet(outlook: Outlook) -> Sheet:
    """Return the predicted cells, fastest first within each kind."""
    cells = sorted(outlook.cells, key=lambda cell: (str(kind_of(cell.case)), cell.time_s.value if cell.time_s else 0.0))
    return Sheet.of(f"{outlook.folder}: not measured, {PREDICTED}", COLUMNS, cells, _notes(outlook))


def _p50_ms(cell: Predicted) -> float | None:
    return cell.time_s.value * 1e3 if cell.time_s else None


def _low_ms(cell: Predicted) -> float | None:
    return cell.time_s.low * 1e3 if cell.time_s else None


def _high_ms(cell: Predicted) -> float | None:
    return cell.time_s.high * 1e3 if cell.time_s else None


def _interval(cell: Predicted) -> str:
    return f"[{milliseconds(_low_ms(cell))}, {milliseconds(_high_ms(cell))}]" if cell.time_s else "-"


COLUMNS: tuple[Column[Predicted], ...] = (
    Column.text("network", lambda cell: network(cell.case.variant), IDENTITY),
    Column.text("precision", lambda cell: scheme(cell.case.variant), IDENTITY),
    Column.text("target", lambda cell: cell.case.target, IDENTITY),
    Column.text("runtime", lambda cell: str(cell.case.runtime), IDENTITY),
    Column.figure("threads", lambda cell: cell.case.threads, rank=IDENTITY),
    Column.figure("batch", lambda cell: cell.case.batch, rank=IDENTITY),
    Column.text("figure", lambda cell: PREDICTED if cell.time_s else "none", OBJECTIVE),
    Column.figure("p50 ms", _p50_ms, milliseconds, OBJECTIVE),
    Column.number("[90 %]", _interval, OBJECTIVE, p50_low_ms=_low_ms, p50_high_ms=_high_ms),
    Column.figure("MACs M", lambda cell: round(cell.macs), partial(millions, digits=1), rank=3, key="macs"),
    Column.text("note", lambda cell: cell.why or (BEYOND if cell.is_beyond else ""), rank=4),
)


def _notes(outlook: Outlook) -> Iterator[str]:
    if not outlook.cells:
        yield "Nothing to predict: all cells of the sweep have rows."
        return
    yield (
        "Predicted, not measured: a constant plus a cost per multiply-add, activation and weight, fitted to the"
        " measured cells of the same kind. [90 %]: prediction interval. Accuracy and memory are not predicted."
    )
    for kind in outlook.kinds:
        if kind.fit:
            yield f"{_kind(kind.cases[0])}: {_formula(kind.fit)}"


def _kind(case: Case) -> str:
    return f"{case.variant.architecture} {scheme(case.variant)}, {case.runtime}, {case.target}"


def _formula(fit: Fit) -> str:
    """Return the formula of a fit, whose costs are in seconds."""
    constant, *others = fit.costs
    units = ("M multiply-adds", "M activations", "M weights")
    terms = [f"{cost * 1e9:.3g} ms per {unit}" for cost, unit in zip(others, units, strict=True) if cost]
    formula = " + ".join([f"{constant * 1e3:.3g} ms", *terms] if constant else terms)
    return f"{formula}; {fit.cells} measured cells, scatter {fit.scatter:.1%}."
