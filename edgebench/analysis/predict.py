"""A results folder and a sweep -> a table of predicted latencies and metrics of the cells that were not measured.

A cell is one configuration of the sweep: a network with its width, resolution, precision, runtime and target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from edgebench.foundation.errors import require
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.shelf import literal
from edgebench.foundation.units import counted, millions, milliseconds, number
from edgebench.measure.budget import surfaces
from edgebench.measure.budget.fit import ENOUGH, Fit, Prediction
from edgebench.measure.budget.kinds import PREDICTED, Kind, Predicted, kind_of, measured, predicted
from edgebench.measure.plan import cases, sweeps
from edgebench.measure.plan.check import check
from edgebench.results import folders
from edgebench.schema.names import is_custom
from edgebench.schema.record import Session
from edgebench.schema.variant import network, scheme, task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgebench.measure.budget.surfaces import Relief
    from edgebench.schema.case import Case
    from edgebench.schema.sweep import Sweep

BEYOND = "extrapolated: it has more or fewer operations than any measured cell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The predictions for the cells of a sweep that were not measured, and the fitted models that give them.

    Attributes:
        cells: the cells that were not measured, with their predicted times.
        kinds: the fitted models of time, one for each network family, precision, runtime and target.
        metrics: the predicted chief metric of each case, as a share; cases without a prediction are absent.
        reliefs: the fitted models of the metric, which are surfaces over width and resolution.
    """

    folder: str
    cells: tuple[Predicted, ...]
    kinds: tuple[Kind, ...]
    metrics: Mapping[Case, Prediction] = field(default_factory=dict)
    reliefs: tuple[Relief, ...] = ()

    @property
    def is_answered(self) -> bool:
        """Whether at least one cell could be predicted."""
        return bool(self.metrics) or any(cell.time_s for cell in self.cells)


def outlook(folder: Path, sweep: Sweep) -> Outlook:
    """Predict the cells of a sweep (its configurations) that have no row in a results folder.

    Raises:
        InvalidFile: the folder has no readable journal.
        UnknownName, RequestError: a target of the sweep has no measurements, or the sweep has an impossible value.
    """
    records = folders.records(folder)
    sessions = {record.environment.target: record for record in records if isinstance(record, Session)}
    for target in sweep.targets:
        require(f"target in {folder}", target, sorted(sessions))
    check(sweep)
    chosen = [sessions[target] for target in sweep.targets]
    predictions = [predicted(_cases(sweep, each), each.preset, measured(each, records)) for each in chosen]
    open_cases = [cell.case for cells, _ in predictions for cell in cells]
    shares = {case: share for each in chosen for case, share in surfaces.evaluated(each, records).items()}
    reliefs = surfaces.reliefs(shares, open_cases)
    metrics = {case: metric for case in open_cases if (metric := surfaces.predict(case, reliefs))}
    used = {kind_of(case) for case in metrics}
    return Outlook(
        folder=folder.resolve().name,
        cells=tuple(cell for cells, _ in predictions for cell in cells),
        kinds=tuple(kind for _, kinds in predictions for kind in kinds),
        metrics=metrics,
        reliefs=tuple(relief for kind, relief in reliefs.items() if kind in used),
    )


def own_sweep(folder: Path) -> Sweep:
    """Read the last sweep that was measured into a results folder.

    Raises:
        InvalidFile: the folder has no readable sweep.
    """
    return sweeps.sweep(str(folder / sweeps.SWEEP))


def _cases(sweep: Sweep, session: Session) -> tuple[Case, ...]:
    """Return the cases of the sweep on a session's target. User-supplied models are left out."""
    cells = [cell for cell in sweep.cells() if cell.target == session.environment.target and not is_custom(cell.model)]
    return cases.cases(cells, session.environment)


def sheet(outlook: Outlook) -> Sheet:
    """Return a table of the predicted cells. Cells with the same fitted model are together, the fastest first."""
    cells = sorted(outlook.cells, key=lambda cell: (str(kind_of(cell.case)), cell.time_s.value if cell.time_s else 0.0))
    return Sheet.of(f"{outlook.folder}: not measured, {PREDICTED}", _columns(outlook), cells, _notes(outlook))


def _p50_ms(cell: Predicted) -> float | None:
    return cell.time_s.value * 1e3 if cell.time_s else None


def _low_ms(cell: Predicted) -> float | None:
    return cell.time_s.low * 1e3 if cell.time_s else None


def _high_ms(cell: Predicted) -> float | None:
    return cell.time_s.high * 1e3 if cell.time_s else None


def _interval(cell: Predicted) -> str:
    return f"[{milliseconds(_low_ms(cell))}, {milliseconds(_high_ms(cell))}]" if cell.time_s else "-"


def _columns(outlook: Outlook) -> tuple[Column[Predicted], ...]:
    metrics = outlook.metrics
    return (
        Column.text("network", lambda cell: network(cell.case.variant), IDENTITY),
        Column.text("precision", lambda cell: scheme(cell.case.variant), IDENTITY),
        Column.text("target", lambda cell: cell.case.target, rank=5),
        Column.text("runtime", lambda cell: str(cell.case.runtime), rank=7),
        Column.figure("threads", lambda cell: cell.case.threads, rank=8),
        Column.figure("batch", lambda cell: cell.case.batch, rank=9),
        Column.text("figure", lambda cell: PREDICTED if cell.time_s or cell.case in metrics else "none", OBJECTIVE),
        Column.figure("p50 ms", _p50_ms, milliseconds, OBJECTIVE),
        Column.number("[90 %]", _interval, OBJECTIVE, p50_low_ms=_low_ms, p50_high_ms=_high_ms),
        *([_metric_column(metrics)] if metrics else []),
        Column.figure("MACs M", lambda cell: round(cell.macs), partial(millions, digits=1), rank=3, key="macs"),
        Column.text("note", lambda cell: _why(cell, outlook), rank=4),
    )


def _metric_column(metrics: Mapping[Case, Prediction]) -> Column[Predicted]:
    """Return the column of predicted metrics in per cent. Its heading names the metric of each task."""
    tasks = {task(case.variant) for case in metrics}
    headings = [literal("tasks", name, "HEADING") for name in sorted(tasks)]

    def end(cell: Predicted, name: str) -> float | None:
        prediction = metrics.get(cell.case)
        return 100 * float(getattr(prediction, name)) if prediction else None

    def shown(cell: Predicted) -> str:
        value, low, high = (number(end(cell, name), 1) for name in ("value", "low", "high"))
        return f"{value} [{low}, {high}]" if cell.case in metrics else "-"

    return Column.number(
        f"{' or '.join(headings)} % [90 %]",
        shown,
        OBJECTIVE,
        metric=lambda cell: surfaces.metric_of(cell.case.variant) if cell.case in metrics else None,
        metric_per_cent=lambda cell: end(cell, "value"),
        metric_low_per_cent=lambda cell: end(cell, "low"),
        metric_high_per_cent=lambda cell: end(cell, "high"),
    )


def _why(cell: Predicted, outlook: Outlook) -> str:
    """Say why a cell has no prediction, or why its prediction is less certain; an empty text if neither applies."""
    lacks = outlook.metrics and cell.case not in outlook.metrics
    no_metric = f"no metric: wanted {ENOUGH} evaluated cells of its kind, at its width or at smaller and larger ones"
    parts = (cell.why, BEYOND if cell.is_beyond and not cell.why else "", no_metric if lacks else "")
    return "; ".join(filter(None, parts))


def _notes(outlook: Outlook) -> Iterator[str]:
    if not outlook.cells:
        yield "There is nothing to predict, because all cells of the sweep have rows."
        return
    yield (
        "Latencies are predicted, not measured: a constant plus a cost per multiply-add, activation and weight, fitted"
        " to measured cells with the same precision, runtime and target. [90 %]: prediction interval. Memory is not"
        " predicted."
    )
    for kind in outlook.kinds:
        if kind.fit:
            yield f"{_kind(kind.cases[0])}: {_formula(kind.fit)}"
    for relief in outlook.reliefs:
        heading = literal("tasks", task(relief.cases[0].variant), "HEADING")
        yield (
            f"{_kind(relief.cases[0])}: {heading} {PREDICTED}: its log odds are linear in ln α, (ln α)² and 1/ρ, and"
            f" never fall as α or ρ grows; {counted(relief.surface.cells, 'evaluated cell')}, scatter"
            f" {relief.surface.scatter:.1%}."
        )


def _kind(case: Case) -> str:
    return f"{case.variant.architecture} {scheme(case.variant)}, {case.runtime}, {case.target}"


def _formula(fit: Fit) -> str:
    """Return the formula of a fit in words, in milliseconds; the costs of the fit are in seconds."""
    constant, *others = fit.costs
    units = ("M multiply-adds", "M activations", "M weights")
    terms = [f"{cost * 1e9:.3g} ms per {unit}" for cost, unit in zip(others, units, strict=True) if cost]
    formula = " + ".join([f"{constant * 1e3:.3g} ms", *terms] if constant else terms)
    return f"{formula}; {counted(fit.cells, 'measured cell')}, scatter {fit.scatter:.1%}."
