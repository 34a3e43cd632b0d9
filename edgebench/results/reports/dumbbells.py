"""fp32 against int8 as SVG: one panel per group, one line per pair with both intervals and the speed-up."""

from collections.abc import Iterator, Mapping

from edgebench.foundation.units import counted
from edgebench.results.drawing import MARGIN, Axis, Panel, across, label, legend, log_axis, mark, symbol
from edgebench.results.reports._figures import MOST_LINES, WIDTH, ends, shortened, stacked, timed, whisker, withheld
from edgebench.results.table.row import NOTHING, Background, Row, Table
from edgebench.schema.variant import Precision

FILE = "dumbbells.svg"
TITLE = "fp32 against int8"
TOP, LINE, LEFT, RIGHT = 48.0, 22.0, 212.0, 130.0
LONGEST = 35  # largest number of characters of a name that fit into its column
Twins = tuple[int, int]  # two row numbers: of a float row, and of its int8 twin


def render(table: Table, background: Background = NOTHING) -> str:
    """Draw all groups, one below the other."""
    return stacked(table, draw)


def draw(rows: Mapping[int, Row]) -> Panel:
    """Draw a line from each float row to each of its int8 twins."""
    measured = timed(rows)
    twins = pairs(measured)
    if not twins:
        return withheld(TITLE, "no network has a latency in both precisions")
    shown = twins[:MOST_LINES]
    axis = log_axis(ends({number: measured[number] for twin in shown for number in twin}), LEFT, WIDTH - RIGHT)
    lines = list(_lines(shown, measured, axis))
    bottom = TOP + LINE * len(lines)
    body = (
        across(axis, TOP - 6, bottom, "p50 latency, ms (logarithmic)"),
        *(
            mark("g", line, transform=f"translate(0 {TOP + LINE * (place + 0.5):.1f})")
            for place, line in enumerate(lines)
        ),
        legend((Precision.FP32, Precision.INT8), WIDTH - RIGHT, TOP - 22),
        label("speed-up [95 %]", WIDTH - MARGIN, TOP - 22, class_="title", text_anchor="end"),
    )
    rest = (
        f" Drawn: the first {len(shown)} of {counted(len(twins), 'pair')}; the table shows all."
        if shown != twins
        else ""
    )
    notes = (
        "Speed-up: fp32 latency divided by int8 latency, both in reference beats if measured. Bold: the interval"
        f" excludes 1.{rest}",
    )
    return Panel(title=TITLE, width=WIDTH, height=bottom + 44, body="".join(body), notes=notes)


def _lines(twins: list[Twins], rows: Mapping[int, Row], axis: Axis) -> Iterator[str]:
    """Draw each pair at y = 0. With several quantization schemes, the network's name is drawn above its pairs."""
    has_several = len({rows[int8].setup.quantization for _, int8 in twins}) > 1
    above = None
    for twin in twins:
        row = rows[twin[1]]
        if has_several and twin[0] != above:
            yield label(row.setup.network, MARGIN, 6.0, class_="strong")
            above = twin[0]
        words = row.setup.quantization if has_several else row.setup.network
        name = label(shortened(words, LONGEST), MARGIN, 4.0, class_="tick" if has_several else "")
        yield name + _pair(twin, rows, axis)


def pairs(rows: Mapping[int, Row]) -> list[Twins]:
    """Pair each int8 row with its float twin, the float row of the same network, in the order of the float rows."""
    floats = {row.setup.pair: number for number, row in rows.items() if row.setup.precision == Precision.FP32}
    twins = [
        (floats[row.setup.pair], number)
        for number, row in rows.items()
        if row.setup.precision == Precision.INT8 and row.setup.pair in floats
    ]
    places = {number: place for place, number in enumerate(rows)}
    return sorted(twins, key=lambda twin: (places[twin[0]], places[twin[1]]))


def _pair(twin: Twins, rows: Mapping[int, Row], axis: Axis) -> str:
    """Draw both rows' points with their intervals, the line between them, and the speed-up."""
    first, second = rows[twin[0]], rows[twin[1]]
    assert first.latency.p50_ms
    assert second.latency.p50_ms
    link = f"M{axis.place(first.latency.p50_ms):.1f} 0H{axis.place(second.latency.p50_ms):.1f}"
    parts = (
        mark("g", mark("path", class_="link", d=link, stroke_width=3), class_=second.setup.precision),
        *(_point(number, rows[number], axis) for number in twin),
        _speedup(second),
    )
    return "".join(parts)


def _point(number: int, row: Row, axis: Axis) -> str:
    assert row.latency.p50_ms
    shift = -3.0 if row.setup.precision == Precision.FP32 else 3.0  # this many pixels keep the two intervals apart
    interval = mark("path", class_="whisker", d=whisker(axis, row, shift))
    doubtful = " doubtful" if row.verdict == "SUSPECT" else ""
    point = symbol(row.setup.precision, axis.place(row.latency.p50_ms), 0.0)
    return mark("g", interval, point, class_=f"{row.setup.precision}{doubtful}", data_row=number)


def _speedup(row: Row) -> str:
    speedup = row.standing.speedup
    if speedup is None or speedup.low is None or speedup.high is None:
        return label("no interval", WIDTH - MARGIN, 4.0, class_="aside", text_anchor="end")
    is_clear = speedup.low > 1 or speedup.high < 1
    words = f"{speedup.value:.2f}× [{speedup.low:.2f}, {speedup.high:.2f}]"
    return label(words, WIDTH - MARGIN, 4.0, class_="strong" if is_clear else "", text_anchor="end")
