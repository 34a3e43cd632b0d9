"""A table and how a group of rows is drawn -> one SVG file with a panel a group; what the figures share."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isfinite
from typing import TypeGuard

from edgebench.results.drawing import Axis, Panel, document
from edgebench.results.reports.comparison import groups
from edgebench.results.table.row import Row, Table

WIDTH = 560.0
MOST_LINES = 60  # of a figure with a line a row: more are in the table
Draw = Callable[[Mapping[int, Row]], Panel]


def numbered(table: Table) -> list[tuple[str, dict[int, Row]]]:
    """Part the rows into titled groups, each row by its place in the table."""
    places = {id(row): place for place, row in enumerate(table.rows)}
    return [(title, {places[id(row)]: row for row in rows}) for title, rows in groups(table)]


def stacked(table: Table, draw: Draw) -> str:
    """Draw every group below the other, as a file of its own."""
    panels = ((title, draw(rows)) for title, rows in numbered(table))
    return document(table.title, (replace(one, subtitle=title) for title, one in panels))


def withheld(title: str, why: str) -> Panel:
    """Say why there is nothing to draw."""
    return Panel(title=title, width=WIDTH, height=0.0, body="", notes=(f"Not drawn: {why}.",))


def name(row: Row) -> str:
    """Name a row where there is little room."""
    return f"{row.setup.network} {row.setup.scheme}"


def shortened(words: str, most: int) -> str:
    """Cut words to a number of letters by an ellipsis before the last third: what sets schemes apart is at the end."""
    tail = most // 3
    return words if len(words) <= most else f"{words[: most - tail - 1]}…{words[-tail:]}"


def whisker(axis: Axis, row: Row, y: float) -> str:
    """Return the path of p50's interval, or its range below 6 processes, with ends; empty without one."""
    if not has(row.latency.p50_low_ms) or not has(row.latency.p50_high_ms):
        return ""
    low, high = axis.place(row.latency.p50_low_ms), axis.place(row.latency.p50_high_ms)
    return f"M{low:.1f} {y - 3:.1f}v6m0-3H{high:.1f}m0-3v6"


def timed(rows: Mapping[int, Row]) -> dict[int, Row]:
    """Keep the rows whose p50 is one: none that failed, is INVALID or was emulated, none that is no number."""
    return {number: row for number, row in rows.items() if has(row.latency.p50_ms) and not row.is_worthless}


def has(value: float | None) -> TypeGuard[float]:
    """Tell whether there is a figure, and one that can be drawn to scale."""
    return value is not None and isfinite(value) and value > 0


def ends(rows: Mapping[int, Row]) -> list[float]:
    """List p50 and the ends of its intervals, ms: what an axis of it must span."""
    latencies = [row.latency for row in rows.values()]
    return [end for one in latencies for end in (one.p50_low_ms, one.p50_ms, one.p50_high_ms) if has(end)]
