"""Steps, notices and tables -> a terminal: progress on standard error, results on standard output."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.analysis.weights import weights
from edgebench.cli import layout
from edgebench.foundation import escape
from edgebench.foundation.errors import require
from edgebench.foundation.progress import Notice, Step
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet, as_csv, as_json, document, latex, markdown
from edgebench.foundation.shelf import load
from edgebench.foundation.units import counted, duration
from edgebench.results.reports import comparison
from edgebench.results.table.columns import flat
from edgebench.results.table.conclusion import conclude
from edgebench.results.table.row import NOTHING, Background, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console

    from edgebench.foundation.progress import Show
    from edgebench.foundation.sheet import FormattedColumn, Value
    from edgebench.measure.plan.forecast import Forecast
    from edgebench.nightly.summary import Bulletin
    from edgebench.schema.cards import Weights
    from edgebench.schema.case import Case

LOG_WIDTH = 1000
NARROW_BAR, WIDE_BAR, WIDE_TERMINAL = 10, 20, 80  # characters
HOW = "How this is computed: `edgebench guide analysis`."
METHOD = "How it was measured: `edgebench guide measure`."
_FOR_PEOPLE = {"md": markdown, "latex": latex}
FORMATS = ("table", "md", "csv", "latex", "json")
BENCHMARK = "pytest-benchmark"
REPORT_FORMATS = (*FORMATS, BENCHMARK)
_REPORTS = {
    "md": "comparison",
    "csv": "csv",
    "latex": "latex",
    BENCHMARK: "pytest_benchmark",
}  # the report module that prints each format
_STYLES = {"VALID": "green", "IMPRECISE": "yellow", "SUSPECT": "yellow", "INVALID": "red"}
_STYLES |= dict.fromkeys(("FAILED", "MISSING"), "red")

_WORK: tuple[Column[tuple[Case, str]], ...] = (
    Column.text("variant", lambda work: str(work[0].variant), IDENTITY),
    Column.text("runtime", lambda work: str(work[0].runtime)),
    Column.number("threads", lambda work: str(work[0].threads)),
    Column.number("batch", lambda work: str(work[0].batch)),
    Column.text("needs", lambda work: work[1], OBJECTIVE),
)


@contextmanager
def progress(*, quiet: bool, json_lines: bool = False) -> Iterator[Show]:
    """Yield a function that prints the steps and notices passed to it on standard error.

    On a terminal, one line for each board is rewritten, but only between two measured processes, because nothing else
    is allowed to run while a process is measured. In a log, every change of activity is a new line. With `json_lines`,
    each step and notice is a JSON document of one line on standard output.
    """
    if quiet:
        yield lambda _: None
        return
    if json_lines:
        yield lambda event: show_json("run", _fields(event))
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False, emoji=False)
    if console.is_terminal:
        with _line(console) as show:
            yield show
    else:
        yield _log(console)


@contextmanager
def _line(console: Console) -> Iterator[Show]:
    from rich.progress import BarColumn, Progress, TaskID, TextColumn
    from rich.table import Column

    fitting = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns = (
        TextColumn("{task.fields[activity]:<8}"),
        BarColumn(NARROW_BAR if console.width < WIDE_TERMINAL else WIDE_BAR),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}", markup=False, table_column=fitting),
    )
    with Progress(*columns, console=console, auto_refresh=False, transient=True, expand=True) as bars:
        tasks = dict[str, TaskID]()

        def show(event: Step | Notice) -> None:
            if isinstance(event, Notice):
                console.print(escape.terminal(_noticed(event)), markup=False)
            else:
                done, total = (event.done, event.total or None) if event.share is None else (event.share, 1.0)
                if event.board not in tasks:
                    tasks[event.board] = bars.add_task("", activity="", left="", total=None)
                bars.update(
                    tasks[event.board],
                    activity=event.activity,
                    description=escape.terminal(_described(event)),
                    left=_left(event),
                    completed=done,
                    total=total,
                )
            bars.refresh()

        yield show


def _log(console: Console) -> Show:
    last = dict[str, str]()

    def show(event: Step | Notice) -> None:
        line = _noticed(event) if isinstance(event, Notice) else f"{event.activity} {event.subject}"
        if line != last.get(event.board):
            last[event.board] = line
            if isinstance(event, Step):
                line = ", ".join(filter(None, (f"{event.activity} {_described(event, with_case=False)}", _left(event))))
            console.print(escape.terminal(line), markup=False, soft_wrap=True)

    return show


def _noticed(notice: Notice) -> str:
    return f"{notice.board}: {notice.text}" if notice.board else notice.text


def _described(step: Step, *, with_case: bool = True) -> str:
    """Describe a step; if several boards measure, name the board, with its temperature and its case."""
    if not step.board:
        return step.subject
    heat = "" if step.celsius is None else f"{step.celsius:.0f} °C"
    return f"{step.board}: {', '.join(filter(None, (step.subject, heat, step.case if with_case else '')))}"


def _fields(event: Step | Notice) -> dict[str, Value]:
    """Return the document of an event for `--json-lines`; its keys are always the same."""
    if isinstance(event, Notice):
        return {"event": "notice", "board": event.board or None, "text": event.text}
    return {
        "event": "step",
        "board": event.board or None,
        "activity": event.activity,
        "subject": event.subject,
        "case": event.case or None,
        "round": event.round or None,
        "done": event.done,
        "total": event.total or None,
        "celsius": event.celsius,
        "left_s": event.left_s,
        "share": event.share,
    }


def _left(step: Step) -> str:
    return "" if step.left_s is None else f"{duration(max(step.left_s, 0))} left"


def show_forecast(forecasts: Iterable[Forecast], *, json: bool, shard: str = "") -> None:
    """Print the cases of a run, or of a shard of it, and the time that the run is expected to take."""
    if json:
        part = {"shard": shard} if shard else {}
        show_json("run", part | {"forecasts": [*map(_forecast, forecasts)]})
        return
    for one in forecasts:
        _print(_forecast_sheet(one, shard), _console())


def _forecast_sheet(forecast: Forecast, shard: str) -> Sheet:
    """Return a table of the run's cases, with the next step that each case needs; a note gives the expected time."""
    title = f"{forecast.target}: {counted(len(forecast.work), 'case')}{f' in shard {shard}' if shard else ''}"
    return Sheet.of(title, _WORK, forecast.work, (_times(forecast),))


def _times(forecast: Forecast) -> str:
    """Say in words how long a session takes."""
    if not forecast.tasks:
        return "nothing would be trained, exported or measured"
    parts = f"{duration(forecast.prepare_s)} to train, export and evaluate, {duration(forecast.measure_s)} to measure"
    if forecast.total_s < forecast.prepare_s + forecast.measure_s:
        total = f"{duration(forecast.total_s)} in all, the budget"
        return f"about {total}; all cases would take {parts}, so some are predicted instead of measured"
    return f"about {duration(forecast.total_s)} in all: {parts}"


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
        "total_s": forecast.total_s,
        "cases": cases,
    }


def warn(text: str) -> None:
    """Print a warning on standard error."""
    print(f"edgebench: {' '.join(text.split())}", file=sys.stderr)


def show_end(text: str) -> None:
    """Print the last line of an interrupted command on standard error, after everything on standard output."""
    sys.stdout.flush()
    print(text, file=sys.stderr)


def show_json(command: str, fields: Mapping[str, Value]) -> None:
    """Print the result of a command as one JSON document."""
    is_unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    print(as_json(command, fields, is_ascii=not is_unicode), end="", flush=True)


def show_rows(command: str, table: Table) -> None:
    """Print a results table as one JSON document, whose rows have the columns of comparison.csv."""
    rows, conclusion = [*map(flat, table.rows)], conclude(table.rows)
    show_json(command, {"title": table.title, "conclusion": conclusion, "rows": rows, "notes": table.notes})


def _console() -> Console:
    from rich.console import Console

    # Lines of a log are as long as necessary and not wrapped, unless COLUMNS gives a width.
    has_width = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal()
    return Console(highlight=False, emoji=False, width=None if has_width else LOG_WIDTH)


def show_bulletin(bulletin: Bulletin) -> None:
    """Print the result of a night: a table of new changes, then the causes of changes, then the known changes."""
    from edgebench.nightly.bulletins.markdown import COLUMNS  # only here, because it imports all that measures

    console, nights = _console(), f"{bulletin.nights} night{'s' * (bulletin.nights != 1)}"
    known = [*bulletin.others_in_words, *(f"known: {reminder}" for reminder in bulletin.reminders)]
    if lines := bulletin.needs_attention:
        notes = (*bulletin.causes, *known, *bulletin.notes)
        _print(Sheet.of(f"{bulletin.headline}; {nights}", COLUMNS, lines, notes), console)
        return
    _say_wrapped(f"{bulletin.headline}; {nights}", console, "bold")
    for note in (*known, *bulletin.notes):
        _say_wrapped(note, console, "dim", indent=2)


def show_table(table: Table, folder: str = "") -> None:
    """Print a results table and its conclusions in the width of the terminal; the table's reports are in `folder`."""
    console, folder = _console(), shlex.quote(folder or f"results/{table.title}")
    if not table.rows:  # the command ended before its first process, and no page was written
        _say_wrapped("Nothing was measured, so there is no table and no page.", console, "bold")
        return
    for sheet in comparison.every_sheet(table):
        _print(sheet, console, _unlimited(f"edgebench report {folder}"))
    for note in table.notes:
        if note not in table.method:
            _say_wrapped(note, console, "dim")
    for sentence in conclude(table.rows):
        _say_wrapped(sentence, console, "bold")
    _say_wrapped(f"Page: {folder}/report.html. Words: `edgebench guide words`. {METHOD}", console, "dim")


def show_report(table: Table, format: str, background: Background = NOTHING, folder: str = "") -> None:
    """Print a results table in one of the formats; the table's reports are in `folder`.

    Raises:
        UnknownName: the format does not exist.
    """
    require("format", format, REPORT_FORMATS)
    if format == "table":
        show_table(table, folder)
    elif format == "json":
        show_rows("report", table)
    else:
        print(load("reports", _REPORTS[format]).render(table, background), end="")


def show_weights(command: str, cards: Sequence[Weights], *, json: bool) -> None:
    """Print descriptions of weights as a table or as JSON."""
    show_sheets(command, [weights(cards)], "json" if json else "table")


def show_sheets(command: str, sheets: Sequence[Sheet], format: str = "table", table: str = "") -> None:
    """Print sheets (tables with notes) as text, Markdown, LaTeX or one JSON document, or one of the sheets as CSV.

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


def _print(sheet: Sheet, console: Console, whole: str = "") -> None:
    """Print a sheet (table with notes) in the width of the terminal; `whole` is a command that prints it in full."""
    width = console.width if console.width != LOG_WIDTH else sys.maxsize  # the width of a log is not limited
    remarks, columns = list[str](), [_shown(column) for column in sheet.columns]
    if layout.table_width(columns, layout.WIDE) + layout.EDGES > width:
        columns, remarks = _brief(columns)
    laid = layout.lay_out(columns, width)
    _say_wrapped(sheet.title, console, "bold", before="\n")
    for remark in filter(None, (laid.above, *remarks)):
        _say_wrapped(remark, console, "dim", indent=2)
    has_rows = any(column.cells for column in sheet.columns)
    _write(laid.lines if has_rows else [], console)
    notes = [note for note in sheet.notes if note not in (*sheet.conclusion, *sheet.method)]
    left_out = _left_out(laid, width, whole or _command()) if has_rows else ["Nothing."] * (not notes)
    for note in (*left_out, *notes, *([HOW] if sheet.method else [])):
        _say_wrapped(note, console, "dim", indent=2)
    for sentence in sheet.conclusion:
        _say_wrapped(sentence, console, "bold", indent=2)


def _write(lines: Sequence[str], console: Console) -> None:
    """Write the lines of a table; on a terminal the verdicts have colours."""
    if not console.is_terminal:  # rich is slow, and a table in a log can have ten thousand rows
        console.file.write("\n".join(lines) + "\n" * bool(lines))
        return
    from rich.text import Text

    for line in lines:
        text = Text(line, no_wrap=True)
        for verdict, style in _STYLES.items():
            text.highlight_regex(rf"\b{verdict}\b", style)
        console.print(text, soft_wrap=True)


def _say_wrapped(text: str, console: Console, style: str, *, indent: int = 0, before: str = "") -> None:
    """Print a sentence, with control characters escaped; wrap it at blanks to the width of the terminal."""
    lines = layout.wrap(escape.terminal(text), console.width - indent)
    shown = "\n".join(" " * indent + line for line in lines)
    console.print(f"{before}{shown}", markup=False, style=style, soft_wrap=True)


def _left_out(laid: layout.Laid, width: int, whole: str) -> Iterator[str]:
    """Yield a sentence that says what a narrow terminal leaves out, and which command shows it; nothing if all fits."""
    parts = [", ".join(laid.left_out)] if laid.left_out else []
    parts += [f"the intervals of {', '.join(laid.without_intervals)}"] if laid.without_intervals else []
    if parts:
        yield f"Left out at a width of {width}: {'; '.join(parts)}. `{whole}` shows them."


def _command() -> str:
    """Return the user's command with additions that make it print everything, at any width."""
    return _unlimited(shlex.join(["edgebench", *sys.argv[1:]]))


def _unlimited(command: str) -> str:
    return f"{f'COLUMNS={LOG_WIDTH} ' if 'COLUMNS' in os.environ else ''}{command} | less -S"


def _brief(columns: list[FormattedColumn]) -> tuple[list[FormattedColumn], list[str]]:
    """Return shortened columns, and remarks with what was shortened.

    If all int8 rows share one scheme, a remark states this scheme once. A heading mentions ranges only if a row has a
    range.
    """
    precisions = next((column.cells for column in columns if column.heading == comparison.PRECISION.heading), ())
    schemes = {cell for cell in precisions if " " in cell}
    remarks = [f"{scheme.partition(' ')[0]}: {scheme}" for scheme in schemes] if len(schemes) == 1 else []
    return [_shortened(column, bool(remarks)) for column in columns], remarks


def _shortened(column: FormattedColumn, has_one_scheme: bool) -> FormattedColumn:
    if has_one_scheme and column.heading == comparison.PRECISION.heading:
        return replace(column, cells=tuple(cell.partition(" ")[0] for cell in column.cells))
    if column.heading == comparison.INTERVAL.heading and not any(cell.startswith("(") for cell in column.cells):
        return replace(column, heading=column.heading.partition(" or ")[0])
    return column


def _shown(column: FormattedColumn) -> FormattedColumn:
    """Return a column with control characters escaped, because a terminal would execute them."""
    return replace(
        column, heading=escape.terminal(column.heading), cells=tuple(escape.terminal(cell) for cell in column.cells)
    )
