"""p50 and the task's metric by width α and resolution ρ as SVG: a panel per group, a map per network and scheme."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import log

from edgebench.foundation.units import milliseconds
from edgebench.results.drawing import MARGIN, Panel, label, mark
from edgebench.results.reports._figures import WIDTH, has, metric_name, shortened, stacked, timed, withheld
from edgebench.results.table.row import NOTHING, Background, Row, Table

FILE = "heat_maps.svg"
TITLE = "p50 in ms, and top-1, over α and ρ"
CELL, TALL, LEFT, HEAD = 62.0, 38.0, 42.0, 58.0
GAP = 22.0
PALEST, DARKEST = 0.06, 0.58  # opacities of the fastest and the slowest cell; text stays readable on both
Grid = dict[tuple[float, int], list[int]]  # row numbers at each width and resolution, fastest first
Title = tuple[str, str]  # network and scheme
Span = tuple[float, float]  # minimum and maximum p50, in ms


def render(table: Table, background: Background = NOTHING) -> str:
    """Draw all groups, one below the other."""
    return stacked(table, draw)


def draw(rows: Mapping[int, Row], room: float = WIDTH) -> Panel:
    """Draw maps with a common scale: a stronger colour means slower, on light and on dark pages.

    As many maps stand side by side as fit into `room` pixels, but at least one.
    """
    grids = {title: grid for title, grid in _grids(rows).items() if len(grid) > 1}
    times = [p50 for row in timed(rows).values() if has(p50 := row.latency.p50_ms)]
    if not times:
        return withheld(TITLE, "no row has a latency")
    if not grids:
        return withheld(TITLE, "no network was measured at several widths or resolutions")
    span, room = (min(times), max(times)), min(room, WIDTH)
    body, x, y, tallest = [], MARGIN, 0.0, 0.0
    for title, grid in grids.items():
        width, height = _size(grid)
        if x > MARGIN and x + width > room:
            x, y, tallest = MARGIN, y + tallest + GAP, 0.0
        body.append(mark("g", *_map(title, grid, rows, span), transform=f"translate({x:.1f} {y:.1f})"))
        x, tallest = x + width + GAP, max(tallest, height)
    metric = metric_name(rows)
    scale = "The stronger the colour, the slower; all maps share one logarithmic scale."
    notes = (f"{scale} Upper number: p50 in ms; lower: {metric} in %.",)
    name = TITLE.replace("top-1", metric)
    widest = max(MARGIN + _size(grid)[0] for grid in grids.values())
    return Panel(title=name, width=max(room, widest), height=y + tallest + 6, body="".join(body), notes=notes)


def _grids(rows: Mapping[int, Row]) -> dict[Title, Grid]:
    """Group rows into one map per network and scheme; leave out user-supplied models, which have no width α."""
    grids = defaultdict[Title, Grid](dict)
    setups = {number: row.setup for number, row in rows.items() if not row.setup.is_custom}
    for number, setup in sorted(setups.items(), key=lambda item: (item[1].architecture, item[1].scheme, item[0])):
        if setup.width is not None and setup.resolution is not None:
            grids[setup.architecture, setup.scheme].setdefault((setup.width, setup.resolution), []).append(number)
    return dict(grids)


def _axes(grid: Grid) -> tuple[list[float], list[int]]:
    return sorted({width for width, _ in grid}, reverse=True), sorted({side for _, side in grid})


def _size(grid: Grid) -> tuple[float, float]:
    widths, sides = _axes(grid)
    return LEFT + CELL * max(3, len(sides)), HEAD + TALL * len(widths) + 4


def _map(title: Title, grid: Grid, rows: Mapping[int, Row], span: Span) -> Iterator[str]:
    widths, sides = _axes(grid)
    room = int((LEFT + CELL * max(3, len(sides))) / 6.4)  # number of characters that fit
    yield label(shortened(title[0], room), 0, 14, class_="strong")
    yield label(shortened(title[1], room), 0, 29, class_="tick")
    yield label("α \\ ρ", LEFT - 8, HEAD - 6, class_="tick", text_anchor="end")
    for column, side in enumerate(sides):
        yield label(f"{side}", LEFT + CELL * (column + 0.5), HEAD - 6, class_="tick", text_anchor="middle")
    for line, width in enumerate(widths):
        top = HEAD + TALL * line
        yield label(f"{width:g}", LEFT - 8, top + TALL / 2 + 4, class_="tick", text_anchor="end")
        for column, side in enumerate(sides):
            numbers = grid.get((width, side), [])
            yield _cell(numbers, rows, span, LEFT + CELL * column, top) if numbers else ""


def _cell(numbers: list[int], rows: Mapping[int, Row], span: Span, x: float, y: float) -> str:
    """Draw a cell: the first row with this width and resolution, and the number of further such rows."""
    row, middle = rows[numbers[0]], x + CELL / 2
    p50_ms = row.latency.p50_ms
    is_timed = has(p50_ms) and not row.is_worthless
    words = milliseconds(p50_ms) if is_timed else row.verdict if row.verdict != "VALID" else "-"
    more = f" +{len(numbers) - 1}" if len(numbers) > 1 else ""
    share = f"{row.share[1]:.1f} %" if row.share and has(row.share[1]) else ""
    shade = {"class_": "cell", "fill_opacity": f"{_shade(p50_ms, span):.3f}"} if is_timed else {"class_": "hole"}
    parts = (
        mark("rect", x=x, y=y, width=CELL, height=TALL, **shade),
        label(
            words + more,
            middle,
            y + (17 if share else 23),
            text_anchor="middle",
            class_="strong" if is_timed else "tick",
        ),
        label(share, middle, y + 31, text_anchor="middle", class_="inside") if share else "",
    )
    return mark("g", *parts, data_row=numbers[0])


def _shade(p50_ms: float | None, span: Span) -> float:
    low, high = log(span[0]), log(span[1])
    share = (log(p50_ms) - low) / (high - low) if p50_ms and high > low else 0.0
    return PALEST + (DARKEST - PALEST) * share
