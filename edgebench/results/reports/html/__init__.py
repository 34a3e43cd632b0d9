"""A table and its background -> one self-contained, interactive HTML file.

Template, style and script are files of this folder; the figures are the same as in the other reports.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgebench import __version__
from edgebench.foundation.escape import plain
from edgebench.foundation.sheet import Column
from edgebench.results import drawing
from edgebench.results.reports import dumbbells, footprint, heat_maps, macs, pareto
from edgebench.results.reports._figures import numbered
from edgebench.results.reports.comparison import (
    ACCURACIES,
    AGREEMENT,
    EMULATED,
    FPS,
    HALF_WIDTH,
    MEMORIES,
    OF_TASKS,
    P50,
    PROCESSES,
    PUBLISHED,
    RANK,
    SPEEDUP,
    SQNR,
    TIMES,
    VERDICT,
    beside,
    chief,
    columns,
    which,
)
from edgebench.results.reports.html import pictures
from edgebench.results.table.conclusion import conclude
from edgebench.results.table.ranking import by_precision, fastest, most_accurate
from edgebench.results.table.row import NOTHING, WORTHLESS, Background, Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jinja2 import Template

    from edgebench.results.drawing import Panel
    from edgebench.results.measurement.evidence import Evidence

    Columns = Sequence[Column[Row]]

FILE = "report.html"
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)  # quantiles of a process's samples that the page shows
AT_ONCE = 200  # largest number of rows in the page's table; browsers render the other rows when needed
FIGURES = (pareto, macs, heat_maps, dumbbells, footprint)
MEANINGS = {
    "VALID": "no problem found",
    "IMPRECISE": "the interval is wider than requested, or there are too few processes for one",
    "SUSPECT": "something disturbed the measurement, or may have disturbed it",
    "EMULATED": "measured on an emulated processor: no times and no memory",
    "COMPILED": "compiled for a device that is not at hand, and not run: no times and no accuracy",
    "INVALID": "unusable: excluded from ranks and figures",
    "FAILED": "no result",
    "MISSING": "not measured to the end, because its target was lost: run the same command again",
}
MAIN = frozenset((SPEEDUP, *chain(*OF_TASKS.values())))  # columns that a page shows before all other figures
MORE_IS_BETTER = frozenset((FPS, SPEEDUP, PUBLISHED, AGREEMENT, SQNR, PROCESSES, *chain(*OF_TASKS.values())))
MOST_REASONS = 20  # largest number of reasons in the list below the table; the table has all reasons


class PageCell(NamedTuple):  # no dataclass, which takes three times as long to make; a page can have 100,000s of cells
    """A formatted cell.

    Attributes:
        mark: `best` if the cell has the best value or ties with it, `verdict` in the column of verdicts; else an empty
            text.
        is_struck: whether the figure is unusable, by the verdict on its own kind: times, accuracy or memory.
    """

    text: str
    is_text: bool
    mark: str
    is_struck: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRow:
    """A formatted row. `number` is its place in the table, to which figures refer; `rank` is its rank in its group."""

    number: int
    rank: str
    precision: str
    verdict: str
    cells: tuple[PageCell, ...]
    reasons: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rows of one group and precision, with a title."""

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
    figures = [(title, [(panel, drawing.inline(panel)) for panel in _drawn(rows)]) for title, rows in groups]
    return _template().render(
        title=table.title,
        version=__version__,
        columns=shown,
        parts=parts,
        at_once=AT_ONCE,
        groups=[title for title, _ in groups],
        precisions=list(by_precision(table.rows)),
        figures=figures,
        lead=next((drawn for _, several in figures for drawn in several if drawn[0].body), None),
        more_is_better=MORE_IS_BETTER,
        reasons=_reasons(table.rows),
        beside=beside(table),
        conclusion=conclude(table.rows),
        verdicts=[(name, counts[name], meaning) for name, meaning in MEANINGS.items() if counts[name]],
        albums=pictures.albums(background.lines, background.albums),
        notes=table.notes,
        machines=background.machines,
        methods=background.methods,
        processes=json.dumps([_processes(line.evidence) for line in background.lines], separators=(",", ":")),
        light=drawing.style(drawing.LIGHT),
        dark=drawing.style(drawing.DARK),
        script=_read("page.js"),
        style=_read("page.css") + (_read("pictures.css") if background.albums else ""),
    )


def _processes(evidence: Evidence) -> list[tuple[float, ...]]:
    """Return the quantiles of each latency process's samples, in ms."""
    return [_quantiles(run.samples_s) for run in evidence.timed]


def _quantiles(samples_s: Sequence[float]) -> tuple[float, ...]:
    """Return the samples nearest to `QUANTILES`, in ms with four digits; an empty tuple if a sample is not finite."""
    if not samples_s or not all(map(isfinite, samples_s)):
        return ()
    ordered = sorted(samples_s)
    return tuple(float(f"{ordered[round(share * (len(ordered) - 1))] * 1e3:.4g}") for share in QUANTILES)


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, finalize=_shown, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    section = "{% if albums %}" + _read("pictures.html") + "{% endif %}"
    return environment.from_string(_read("page.html").replace("{# pictures #}\n", section))


def _shown(value: object) -> object:
    """Remove control characters from a text; the template escapes markup."""
    return plain(value) if type(value) is str else value


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _drawn(rows: Mapping[int, Row]) -> Iterator[Panel]:
    yield from (figure.draw(rows) for figure in FIGURES)


def _parts(group: int, title: str, rows: Mapping[int, Row], shown: Columns) -> Iterator[Part]:
    """Split a group by precision; in each part, rank the rows and mark the best rows, with all rows that tie."""
    numbers = {id(row): number for number, row in rows.items()}
    for precision, part in by_precision(rows.values()).items():
        best = {P50: fastest(part), **dict.fromkeys(chief(part), most_accurate(part))}
        marked = [(column, {id(row) for row in best.get(column, ())}) for column in shown]
        ranks = _ranks(part)
        lines = tuple(_line(numbers[id(row)], row, marked, rank) for row, rank in zip(part, ranks, strict=True))
        yield Part(group=group, title=f"{precision} · {title}", precision=precision, lines=lines)


def _ranks(part: Sequence[Row]) -> list[str]:
    """Return the rank of each row among these rows, as text: `2=` if another row shares rank 2."""
    ranks = [row.standing.rank for row in part]
    known = sorted(rank for rank in ranks if rank is not None)
    counts = Counter(known)
    return ["-" if rank is None else f"{1 + bisect_left(known, rank)}{'=' * (counts[rank] > 1)}" for rank in ranks]


def _reasons(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Return (verdict, rows, reasons) for each distinct pair of verdict and reasons, the worst verdict first."""
    named = defaultdict[tuple[str, str], list[Row]](list)
    for row in rows:
        if row.reasons:
            named[row.verdict, row.reasons].append(row)
    severity = list(MEANINGS)
    worst = sorted(named.items(), key=lambda item: (-severity.index(item[0][0]), -len(item[1])))
    listed = [(verdict, which(having, rows), reasons) for (verdict, reasons), having in worst[:MOST_REASONS]]
    left = sum(len(having) for _, having in worst[MOST_REASONS:])
    return [*listed, ("", f"{left} more rows", "their reasons are in the table")] if left else listed


def _columns(rows: Sequence[Row]) -> Columns:
    """Return the columns of the comparison: first the latency, its verdict, int8 against float, and the metrics."""
    shown = [column for column in columns(rows) if column != VERDICT]
    first = shown.index(HALF_WIDTH) + 1 if HALF_WIDTH in shown else len(EMULATED)
    rest = sorted(shown[first:], key=lambda column: column not in MAIN)
    return [*shown[:first], VERDICT, *rest]


def _struck(row: Row) -> frozenset[Column[Row]]:
    """Return the columns whose figures are unusable in a row."""
    time = row.time_verdict or row.verdict
    kinds = ((time, TIMES), (row.accuracy_verdict, ACCURACIES), (row.memory_verdict, MEMORIES))
    return frozenset[Column[Row]]().union(*(columns for verdict, columns in kinds if verdict in WORTHLESS))


def _line(number: int, row: Row, marked: Sequence[tuple[Column[Row], set[int]]], rank: str) -> PageRow:
    """Return a formatted row; `marked` pairs each column with the ids of its best rows."""
    struck = _struck(row)
    cells = (
        PageCell(
            text=rank if column == RANK else column.cell(row),
            is_text=column.align == "left",
            mark="best" if id(row) in best else "verdict" if column is VERDICT else "",
            is_struck=column in struck,
        )
        for column, best in marked
    )
    return PageRow(
        number=number,
        rank=RANK.cell(row),
        precision=row.setup.precision,
        verdict=row.verdict,
        cells=tuple(cells),
        reasons=row.reasons,
    )
