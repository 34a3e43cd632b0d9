"""Steps, notices and tables -> a terminal: progress on standard error, results on standard output."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.analysis.weights import weights
from edgebench.foundation import escape
from edgebench.foundation.errors import require
from edgebench.foundation.progress import Notice, Step
from edgebench.foundation.sheet import DETAIL, as_csv, as_json, document, latex, markdown
from edgebench.foundation.shelf import load
from edgebench.foundation.units import duration
from edgebench.nightly.bulletins.markdown import COLUMNS as CHANGES
from edgebench.results.reports import comparison
from edgebench.results.table.columns import flat
from edgebench.results.table.conclusion import conclude
from edgebench.results.table.row import NOTHING, Background, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table as Grid

    from edgebench.foundation.progress import Show
    from edgebench.foundation.sheet import FormattedColumn, Sheet, Value
    from edgebench.measure.plan.forecast import Forecast
    from edgebench.nightly.summary import Bulletin
    from edgebench.schema.cards import Weights

LOG_WIDTH = 1000
_FOR_PEOPLE = {"md": markdown, "latex": latex}
FORMATS = ("table", "md", "csv", "latex", "json")
BENCHMARK = "pytest-benchmark"
REPORT_FORMATS = (*FORMATS, BENCHMARK)
_REPORTS = {
    "md": "comparison",
    "csv": "csv",
    "latex": "latex",
    BENCHMARK: "pytest_benchmark",
}  # that can print these formats
EDGES = 2  # blanks at both ends of a line, which a table too wide for the terminal does without
KEPT = DETAIL  # columns up to this rank are shown however narrow the terminal is
_STYLES = {"VALID": "green", "IMPRECISE": "yellow", "SUSPECT": "yellow", "INVALID": "red", "FAILED": "red"}


@contextmanager
def progress(*, quiet: bool) -> Iterator[Show]:
    """Return a function that shows steps and notices on standard error.

    On a terminal one line is rewritten, between processes only: nothing may run while a sample is taken. In a log
    every change of activity is a line.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False, emoji=False)
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        with _line(console) as show:
            yield show
    else:
        yield _log(console)


@contextmanager
def _line(console: Console) -> Iterator[Show]:
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.fields[activity]:<8}"), BarColumn(20), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as bars:
        task = bars.add_task("", activity="", total=None)

        def show(event: Step | Notice) -> None:
            if isinstance(event, Notice):
                console.print(escape.terminal(event.text), markup=False)
            else:
                text = escape.terminal(f"{event.subject}{_left(event)}")
                bars.update(
                    task, activity=event.activity, description=text, completed=event.done, total=event.total or None
                )
            bars.refresh()

        yield show


def _log(console: Console) -> Show:
    last = [""]

    def show(event: Step | Notice) -> None:
        line = event.text if isinstance(event, Notice) else f"{event.activity} {event.subject}"
        if line != last[0]:
            shown = escape.terminal(line + (_left(event) if isinstance(event, Step) else ""))
            console.print(shown, markup=False, soft_wrap=True)
            last[0] = line

    return show


def _left(step: Step) -> str:
    return "" if step.left_s is None else f", {duration(max(step.left_s, 0))} left"


def show_forecast(forecasts: Iterable[Forecast], *, json: bool) -> None:
    """Print the cases of a run and their expected time."""
    if json:
        show_json("run", {"forecasts": [*map(_forecast, forecasts)]})
        return
    for one in forecasts:
        _say(f"{one.target}: {len(one.work)} cases")
        width = max(len(f"{case.variant}") for case, _ in one.work)
        for case, needs in one.work:
            _say(f"  {case.variant!s:<{width}}  {case.runtime}, threads {case.threads}, batch {case.batch}: {needs}")
        print(f"  about {duration(one.prepare_s)} to train and export, at most {duration(one.measure_s)} to measure")


def _forecast(forecast: Forecast) -> dict[str, Value]:
    cases: list[Value] = [
        {
            "variant": str(case.variant),
            "runtime": str(case.runtime),
            "threads": case.threads,
            "batch": case.batch,
            "needs": needs,
        }
        for case, needs in forecast.work
    ]
    return {
        "target": forecast.target,
        "prepare_s": forecast.prepare_s,
        "measure_s": forecast.measure_s,
        "cases": cases,
    }


def warn(text: str) -> None:
    """Print a warning on standard error."""
    print(f"edgebench: {' '.join(text.split())}", file=sys.stderr)


def show_json(command: str, fields: Mapping[str, Value]) -> None:
    """Print a command's answer as one JSON document."""
    is_unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    print(as_json(command, fields, is_ascii=not is_unicode), end="")


def show_rows(command: str, table: Table) -> None:
    """Print a results table as one JSON document, whose rows have the columns of comparison.csv."""
    rows, conclusion = [*map(flat, table.rows)], conclude(table.rows)
    show_json(command, {"title": table.title, "conclusion": conclusion, "rows": rows, "notes": table.notes})


def _console() -> Console:
    from rich.console import Console

    # A log is not a terminal: as wide as necessary, without wrapping.
    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else LOG_WIDTH)


def show_bulletin(bulletin: Bulletin) -> None:
    """Print a night's result, one line per change."""
    _say(f"{bulletin.headline}; {bulletin.nights} nights")
    for line in bulletin.needs_attention:
        cells = (column.cell(line) for column in CHANGES)
        _say("  " + "  ".join(cell for cell in cells if cell not in ("", "-")))
    for note in bulletin.notes:
        _say(f"  {note}")


def _say(line: str) -> None:
    """Print a line that may contain foreign text; escape it."""
    print(escape.terminal(line))


def show_table(table: Table) -> None:
    """Print the table for reading, as wide as the terminal allows."""
    console = _console()
    for sheet in comparison.every_sheet(table):
        _print(sheet, console)
    for note in table.notes:
        console.print(escape.terminal(note), markup=False, style="dim")
    for sentence in conclude(table.rows):
        console.print(escape.terminal(sentence), markup=False, style="bold")


def show_report(table: Table, format: str, background: Background = NOTHING) -> None:
    """Print a results table in a format: as a terminal's table, or as a report.

    Raises:
        UnknownName: the format does not exist.
    """
    require("format", format, REPORT_FORMATS)
    if format == "table":
        show_table(table)
    elif format == "json":
        show_rows("report", table)
    else:
        print(load("reports", _REPORTS[format]).render(table, background), end="")


def show_weights(command: str, cards: Sequence[Weights], *, json: bool) -> None:
    """Print cards of weights as a table or as JSON."""
    show_sheets(command, [weights(cards)], "json" if json else "table")


def show_sheets(command: str, sheets: Sequence[Sheet], format: str = "table", table: str = "") -> None:
    """Print sheets as a terminal's tables, Markdown or LaTeX, as one JSON document, or one of them as CSV.

    Raises:
        UnknownName: the format or the table does not exist.
    """
    require("format", format, FORMATS)
    require("table", table, [sheet.name for sheet in sheets], may_be_empty=True)
    chosen = [sheet for sheet in sheets if table in ("", sheet.name)]
    if format == "json":
        show_json(command, document(chosen))
    elif format == "csv":
        print(as_csv(chosen[0]), end="")
    else:
        _show_to_people(chosen, format)


def _show_to_people(sheets: Iterable[Sheet], format: str) -> None:
    for sheet in sheets:
        if format == "table":
            _print(sheet, _console())
        else:
            print(_FOR_PEOPLE[format](sheet))


def _print(sheet: Sheet, console: Console) -> None:
    console.print(f"\n{escape.terminal(sheet.title)}", markup=False, style="bold", soft_wrap=True)
    columns, remarks = _fitting([_shown(column) for column in sheet.columns], console.width)
    if console.is_terminal or _width(columns) > console.width:
        console.print(_grid(columns, has_edges=not remarks))
    else:  # the same lines, without rich's work on every cell: a log may have ten thousand rows
        console.file.write("\n".join(_lines(columns)) + "\n")
    for note in (*remarks, *sheet.notes):
        console.print(f"  {escape.terminal(note)}", markup=False, style="dim")


def _fitting(columns: list[FormattedColumn], width: int) -> tuple[list[FormattedColumn], tuple[str, ...]]:
    """Make columns fit: say an int8 scheme that all rows share once, then leave out those of the highest ranks.

    Returns:
        the columns, and a sentence on the scheme and on what was left out.
    """
    if _width(columns) <= width:
        return columns, ()
    briefs = [_brief(column) for column in columns]
    shown = [column for column, _ in briefs]
    while _width(shown) - EDGES > width:
        rank, place = max((column.rank, place) for place, column in enumerate(shown))
        if rank <= KEPT:
            break
        del shown[place]
    remarks = [remark for _, remark in briefs if remark]
    if left_out := [column.heading for column, _ in briefs if column not in shown]:
        remarks.append(f"left out at a width of {width}: {', '.join(left_out)}")
    return shown, tuple(remarks)


def _brief(column: FormattedColumn) -> tuple[FormattedColumn, str]:
    """Return the column of precisions without the int8 scheme, if all rows share it, and a sentence that says it."""
    schemes = {cell for cell in column.cells if " " in cell}
    if column.heading != comparison.PRECISION.heading or len(schemes) != 1:
        return column, ""
    (scheme,) = schemes
    brief = replace(column, cells=tuple(cell.partition(" ")[0] for cell in column.cells))
    return brief, f"{scheme.partition(' ')[0]}: {scheme}"


def _shown(column: FormattedColumn) -> FormattedColumn:
    """Return a column whose heading and cells command no terminal."""
    return replace(
        column, heading=escape.terminal(column.heading), cells=tuple(escape.terminal(cell) for cell in column.cells)
    )


def _widths(columns: Sequence[FormattedColumn]) -> list[int]:
    return [_broadest((column.heading, *column.cells)) for column in columns]


def _broadest(texts: Sequence[str]) -> int:
    return max(map(len if "".join(texts).isascii() else _cells, texts))


def _width(columns: Sequence[FormattedColumn]) -> int:
    """Return how wide a grid of these columns is, with the blanks around and between them."""
    return _total(_widths(columns))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + 3 * len(widths) - 1


def _cells(text: str) -> int:
    """Return how many places of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _lines(columns: Sequence[FormattedColumn]) -> Iterator[str]:
    """Yield the lines of a grid as rich lays it out."""
    widths = _widths(columns)
    blank = " " * _total(widths)
    padded = [[*_padded(column, width)] for column, width in zip(columns, widths, strict=True)]
    heading, *rows = (f" {'   '.join(cells)} " for cells in zip(*padded, strict=True))
    yield from (blank, heading, f" {'─' * (len(blank) - 2)} ", *rows, blank)


def _padded(column: FormattedColumn, width: int) -> Iterator[str]:
    for text in map(str.rstrip, (column.heading, *column.cells)):
        room = " " * (width - _cells(text))
        yield text + room if column.align == "left" else room + text


def _grid(columns: Sequence[FormattedColumn], *, has_edges: bool) -> Grid:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=has_edges)
    for column in columns:
        grid.add_column(Text(column.heading), justify=column.align, no_wrap=True)
    for cells in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells))
    return grid
