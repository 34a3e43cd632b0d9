"""A table and a function that draws one group -> one SVG file with a panel per group; helpers of all figures."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import isfinite
from typing import TypeGuard

from edgebench.foundation.shelf import literal
from edgebench.results.drawing import Axis, Panel, document
from edgebench.results.reports.comparison import groups
from edgebench.results.table.row import Row, Table

WIDTH = 560.0
MOST_LINES = 60  # largest number of lines in a figure with one line per row; the table shows all rows
Draw = Callable[[Mapping[int, Row]], Panel]


def numbered(table: Table) -> list[tuple[str, dict[int, Row]]]:
    """Split the rows into groups with titles; each row is numbered by its place in the table."""
    places = {id(row): place for place, row in enumerate(table.rows)}
    return [(title, {places[id(row)]: row for row in rows}) for title, rows in groups(table)]


def stacked(table: Table, draw: Draw, *, is_bare: bool = False) -> str:
    """Draw all groups, one below the other, as one SVG file; with `is_bare`, leave out the title and the notes."""
    panels = ((title, draw(rows)) for title, rows in numbered(table))
    if is_bare:
        return document(table.title, (replace(panel, title="", notes=()) for _, panel in panels if panel.body))
    return document(table.title, (replace(panel, subtitle=title) for title, panel in panels))


def withheld(title: str, why: str) -> Panel:
    """Return an empty panel that says why nothing is drawn."""
    return Panel(title=title, width=WIDTH, height=0.0, body="", notes=(f"Not drawn: {why}.",))


def shortened(words: str, most: int) -> str:
    """Shorten a text to `most` characters by an ellipsis; keep its end, because the names of schemes differ there."""
    tail = most // 3
    return words if len(words) <= most else f"{words[: most - tail - 1]}…{words[-tail:]}"


def named(rows: Iterable[Row], most: int) -> Callable[[Row], str]:
    """Return a function that names a row by network and precision, in at most `most` characters.

    The name has the int8 scheme only if these rows have several schemes, and then without the options that all share.
    """
    schemes = {row.setup.quantization for row in rows if row.setup.quantization}
    shared = set.intersection(*({*scheme.split("+")[1:]} for scheme in schemes)) if len(schemes) > 1 else set()

    def name(row: Row) -> str:
        options = [option for option in row.setup.quantization.split("+") if option not in shared]
        scheme = f" {'+'.join(options)}" if len(schemes) > 1 and row.setup.quantization else ""
        return shortened(f"{row.setup.network} {row.setup.precision}{scheme}", most)

    return name


def whisker(axis: Axis, row: Row, y: float) -> str:
    """Return the SVG path of p50's interval, or of its range if there are fewer than 6 processes.

    Return an empty text if the row has neither an interval nor a range.
    """
    if not has(row.latency.p50_low_ms) or not has(row.latency.p50_high_ms):
        return ""
    low, high = axis.place(row.latency.p50_low_ms), axis.place(row.latency.p50_high_ms)
    return f"M{low:.1f} {y - 3:.1f}v6m0-3H{high:.1f}m0-3v6"


def timed(rows: Mapping[int, Row]) -> dict[int, Row]:
    """Return the rows with a finite p50 and a usable verdict."""
    return {number: row for number, row in rows.items() if has(row.latency.p50_ms) and not row.is_worthless}


def has(value: float | None) -> TypeGuard[float]:
    """Return whether a number exists and can be drawn: it is finite and positive."""
    return value is not None and isfinite(value) and value > 0


def ends(rows: Mapping[int, Row]) -> list[float]:
    """Return each row's p50 and the ends of its interval, in ms, so that an axis can span them."""
    latencies = [row.latency for row in rows.values()]
    return [
        end for latency in latencies for end in (latency.p50_low_ms, latency.p50_ms, latency.p50_high_ms) if has(end)
    ]


def metric_name(rows: Mapping[int, Row]) -> str:
    """Name the chief metric of the rows' task, such as `top-1` or `mAP`; name all if the rows have several tasks."""
    tasks = sorted({row.setup.task for row in rows.values() if row.metric})
    return " or ".join(literal("tasks", task, "HEADING") for task in tasks) or "top-1"
