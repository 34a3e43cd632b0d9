"""The page people show: a table and what lies behind it -> one HTML file that asks nobody for anything.

Its frame, style and script lie beside this file; its drawings are those of the other reports.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench import __version__
from edgebench.results import drawing
from edgebench.results.reports import dumbbells, footprint, heat_maps, pareto
from edgebench.results.reports._figures import name, numbered
from edgebench.results.reports.comparison import HALF_WIDTH, P50, TOP1, VERDICT, beside, columns
from edgebench.results.table.ranking import by_precision, fastest, most_accurate
from edgebench.results.table.row import NOTHING, Background, Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jinja2 import Template

    from edgebench.foundation.sheet import Column
    from edgebench.results.drawing import Panel
    from edgebench.results.measurement.evidence import Evidence

    Columns = Sequence[Column[Row]]

FILE = "report.html"
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)  # of a process's samples
AT_ONCE = 200  # rows in the document; the others wait in a template, which costs nothing until they are asked for
FIGURES = (pareto, heat_maps, dumbbells, footprint)
MEANINGS = {
    "VALID": "nothing found against it",
    "IMPRECISE": "the interval is wider than asked for, or there are too few processes for one",
    "SUSPECT": "something disturbed it, or may have",
    "EMULATED": "no processor of its own: no times and no memory",
    "INVALID": "worth nothing: its figures take no part in ranks and drawings",
    "FAILED": "no answer",
}
MOST_REASONS, MOST_NAMES = 20, 4  # below the table; all are in it


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCell:
    """A formatted figure or word.

    Attributes:
        mark: `best` where it is that or ties with it, `verdict` where it is one.
    """

    text: str
    is_text: bool
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """A row as the page shows it; `number` is its place in the table, by which drawings refer to it."""

    number: int
    precision: str
    verdict: str
    cells: tuple[PageCell, ...]
    reasons: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows of one group and precision, under a title."""

    group: int
    title: str
    precision: str
    lines: tuple[PageRow, ...]


def render(table: Table, background: Background = NOTHING) -> str:
    """Write the page."""
    groups = numbered(table)
    shown = _columns(table.rows)
    parts = [part for place, (title, rows) in enumerate(groups) for part in _parts(place, title, rows, shown)]
    counts = Counter(row.verdict for row in table.rows)
    return _template().render(
        title=table.title,
        version=__version__,
        columns=shown,
        parts=parts,
        at_once=AT_ONCE,
        groups=[title for title, _ in groups],
        precisions=list(by_precision(table.rows)),
        figures=[(title, [(one, drawing.inline(one)) for one in _drawn(rows)]) for title, rows in groups],
        reasons=_reasons(table.rows),
        beside=list(beside(table)),
        verdicts=[(name, counts[name], meaning) for name, meaning in MEANINGS.items() if counts[name]],
        notes=table.notes,
        machines=background.machines,
        methods=background.methods,
        processes=json.dumps([_processes(line.evidence) for line in background.lines], separators=(",", ":")),
        light=drawing.style(drawing.LIGHT),
        dark=drawing.style(drawing.DARK),
        script=_read("page.js"),
        style=_read("page.css"),
    )


def _processes(evidence: Evidence) -> list[tuple[float, ...]]:
    """Return the samples of each latency process at `QUANTILES`, ms, in order."""
    return [_quantiles(run.samples_s) for run in evidence.timed]


def _quantiles(samples_s: Sequence[float]) -> tuple[float, ...]:
    """Return samples at `QUANTILES`, ms, four digits: the nearest, none in between; none of no numbers."""
    if not samples_s or not all(map(isfinite, samples_s)):
        return ()
    ordered = sorted(samples_s)
    return tuple(float(f"{ordered[round(share * (len(ordered) - 1))] * 1e3:.4g}") for share in QUANTILES)


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    found = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return found.from_string(_read("page.html"))


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _drawn(rows: Mapping[int, Row]) -> Iterator[Panel]:
    yield from (figure.draw(rows) for figure in FIGURES)


def _parts(group: int, title: str, rows: Mapping[int, Row], shown: Columns) -> Iterator[Part]:
    """Part a group by precision; of each, mark the best and its ties."""
    numbers = {id(row): number for number, row in rows.items()}
    for precision, part in by_precision(rows.values()).items():
        best = {P50: fastest(part), TOP1: most_accurate(part)}
        lines = tuple(_line(numbers[id(row)], row, shown, best) for row in part)
        yield Part(group=group, title=f"{precision} · {title}", precision=precision, lines=lines)


def _reasons(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Say once which rows have a verdict for the same reasons, the worst first."""
    named = defaultdict[tuple[str, str], list[Row]](list)
    for row in rows:
        if row.reasons:
            named[row.verdict, row.reasons].append(row)
    severity = list(MEANINGS)
    worst = sorted(named.items(), key=lambda one: (-severity.index(one[0][0]), -len(one[1])))
    said = [(verdict, _whose(having, len(rows)), reasons) for (verdict, reasons), having in worst[:MOST_REASONS]]
    left = sum(len(having) for _, having in worst[MOST_REASONS:])
    return [*said, ("", f"{left} more rows", "their reasons are in the table")] if left else said


def _whose(rows: Sequence[Row], among: int) -> str:
    if len(rows) == among > 1:
        return "all rows"
    more = f" and {len(rows) - MOST_NAMES} more" if len(rows) > MOST_NAMES else ""
    return ", ".join(name(row) for row in rows[:MOST_NAMES]) + more


def _columns(rows: Sequence[Row]) -> Columns:
    """Return the columns of the comparison, the verdict beside the figure that it is of."""
    shown = [column for column in columns(rows) if column != VERDICT]
    shown.insert(shown.index(HALF_WIDTH) + 1, VERDICT)
    return shown


def _line(number: int, row: Row, shown: Columns, best: Mapping[Column[Row], frozenset[Row]]) -> PageRow:
    """Lay out a row."""
    cells = (
        PageCell(
            text=column.cell(row),
            is_text=column.align == "left",
            mark="best" if row in best.get(column, ()) else "verdict" if column == VERDICT else "",
        )
        for column in shown
    )
    return PageRow(
        number=number,
        precision=row.setup.precision,
        verdict=row.verdict,
        cells=tuple(cells),
        reasons=row.reasons,
    )
