"""p50 against multiply-adds as SVG: one panel per group; rows need no accuracy."""

from collections.abc import Iterator, Mapping

from edgebench.foundation.units import counted
from edgebench.results.drawing import MARGIN, Axis, Panel, across, legend, log_axis, mark, symbol, upwards
from edgebench.results.reports._figures import WIDTH, ends, has, stacked, timed, withheld
from edgebench.results.table.ranking import by_precision
from edgebench.results.table.row import NOTHING, Background, Row, Table

FILE = "macs.svg"
TITLE = "Latency against multiply-adds"
TOP, BOTTOM, LEFT, HEIGHT = 48.0, 352.0, 46.0, 396.0


def render(table: Table, background: Background = NOTHING) -> str:
    """Draw all groups, one below the other."""
    return stacked(table, draw)


def draw(rows: Mapping[int, Row]) -> Panel:
    """Draw one point per row, with the interval of its p50 as a whisker; both axes are logarithmic."""
    drawn = {number: row for number, row in timed(rows).items() if has(row.cost.macs)}
    if not drawn:
        return withheld(TITLE, "no row has both a latency and a count of multiply-adds")
    x = log_axis([row.cost.macs / 1e6 for row in drawn.values() if row.cost.macs], LEFT, WIDTH - MARGIN)
    y = log_axis(ends(drawn), BOTTOM, TOP)
    body = (
        upwards(y, LEFT, WIDTH - MARGIN, "p50 latency, ms (logarithmic)"),
        across(x, TOP, BOTTOM, "multiply-adds, millions (logarithmic)"),
        *(_point(number, row, x, y) for number, row in drawn.items()),
        legend(by_precision(drawn.values()), WIDTH - MARGIN, TOP - 22),
    )
    return Panel(title=TITLE, width=WIDTH, height=HEIGHT, body="".join(body), notes=tuple(_notes(rows, drawn)))


def _notes(rows: Mapping[int, Row], drawn: Mapping[int, Row]) -> Iterator[str]:
    yield "Whiskers: 95 % intervals of the latency (below 6 processes, its range). Hollow: SUSPECT."
    if left_out := len(rows) - len(drawn):
        count = counted(len(rows), "row")
        yield f"Not drawn: {left_out} of {count}, which lack a latency or a count, or are INVALID or FAILED."


def _point(number: int, row: Row, x: Axis, y: Axis) -> str:
    """Draw a row's symbol with its whisker."""
    assert row.cost.macs
    assert row.latency.p50_ms
    place, (low, high) = x.place(row.cost.macs / 1e6), (row.latency.p50_low_ms, row.latency.p50_high_ms)
    path = f"M{place:.1f} {y.place(low):.1f}V{y.place(high):.1f}" if has(low) and has(high) else ""
    words = row.setup.precision, "doubtful" if row.verdict == "SUSPECT" else ""
    parts = (mark("path", class_="whisker", d=path), symbol(row.setup.precision, place, y.place(row.latency.p50_ms)))
    return mark("g", *parts, class_=" ".join(filter(None, words)), data_row=number)
