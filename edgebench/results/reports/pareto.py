"""The task's metric against p50 as SVG: one panel per group, with both intervals and the Pareto front."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import inf, isfinite

from edgebench.foundation.units import counted
from edgebench.results.drawing import (
    MARGIN,
    Axis,
    Panel,
    across,
    label,
    legend,
    linear_axis,
    log_axis,
    mark,
    symbol,
    text_width,
    upwards,
)
from edgebench.results.reports._figures import (
    WIDTH,
    ends,
    metric_name,
    named,
    stacked,
    timed,
    whisker,
    withheld,
)
from edgebench.results.table.choice import Figure
from edgebench.results.table.ranking import by_precision
from edgebench.results.table.row import NOTHING, Background, Row, Table

FILE = "pareto.svg"
TITLE = "Accuracy against latency"
TOP, BOTTOM, LEFT, HEIGHT = 48.0, 352.0, 46.0, 396.0
MOST_LABELS, LONGEST = 12, 34  # largest number of characters of a name if several schemes are drawn
Box = tuple[float, float, float, float]  # positions of a box's left, top, right and bottom side


def render(table: Table, background: Background = NOTHING) -> str:
    """Draw all groups, one below the other."""
    return stacked(table, draw)


def draw(rows: Mapping[int, Row]) -> Panel:
    """Draw one point per row with its intervals as whiskers; rows that another row dominates are pale."""
    drawn = {number: row for number, row in timed(rows).items() if row.metric and isfinite(row.metric.value)}
    if not drawn:
        return withheld(TITLE, "no row has both a latency and an accuracy")
    shares = [
        end for row in drawn.values() if row.metric for end in (row.metric.low, row.metric.value, row.metric.high)
    ]
    x, y = log_axis(ends(drawn), LEFT, WIDTH - MARGIN), linear_axis(shares, BOTTOM, TOP)
    on_front = dict.fromkeys(front(drawn))  # in its order, and found at once
    points = sorted(drawn.items(), key=lambda item: item[0] in on_front)  # the front is drawn last, on top
    body = (
        upwards(y, LEFT, WIDTH - MARGIN, _axis_title(drawn)),
        across(x, TOP, BOTTOM, "p50 latency, ms (logarithmic)"),
        mark("path", class_="front", d=_steps(list(drawn.values()), x, y)),
        *(_point(number, row, x, y, number in on_front) for number, row in points),
        *_names([drawn[number] for number in on_front], drawn.values(), x, y),
        legend(by_precision(drawn.values()), WIDTH - MARGIN, TOP - 22),
    )
    return Panel(title=TITLE, width=WIDTH, height=HEIGHT, body="".join(body), notes=tuple(_notes(rows, drawn)))


def _axis_title(rows: Mapping[int, Row]) -> str:
    metric = metric_name(rows)
    return f"{metric} accuracy, %" if metric == "top-1" else f"{metric}, %"


def _notes(rows: Mapping[int, Row], drawn: Mapping[int, Row]) -> Iterator[str]:
    yield (
        "Whiskers: 95 % intervals (below 6 processes, the range of latency). Pale: dominated by a row that is no worse"
        f" in both figures and better in one, beyond both intervals. Dashed: the highest {metric_name(rows)} up to each"
        " latency, without regard to intervals. Hollow: SUSPECT."
    )
    if left_out := len(rows) - len(drawn):
        count = counted(len(rows), "row")
        yield f"Not drawn: {left_out} of {count}, which lack a latency or accuracy, or are INVALID or FAILED."


def front(rows: Mapping[int, Row]) -> list[int]:
    """Return the numbers of the rows that no other row dominates in latency and accuracy, the fastest first.

    A row that is no worse in both dominates in one of two ways: its latency's interval ends before the other's begins,
    or its accuracy's interval begins above the end of the other's.
    """
    points = {number: (_latency(row), row.metric) for number, row in rows.items() if row.metric}
    surely_before = _Highest((latency.high, metric.value) for latency, metric in points.values())
    no_slower = _Highest((latency.value, metric.low) for latency, metric in points.values())
    return [
        number
        for number, (latency, metric) in sorted(points.items(), key=lambda item: _order(rows[item[0]]))
        if surely_before.below(latency.low) < metric.value and no_slower.up_to(latency.value) <= metric.high
    ]


class _Highest:
    """Points (x, y), sorted once -> the highest y up to any x; `-inf` if there is none."""

    def __init__(self, points: Iterable[tuple[float, float]]) -> None:
        ordered = sorted(points)
        self._xs = [x for x, _ in ordered]
        self._highest = [-inf, *accumulate((y for _, y in ordered), max)]

    def below(self, x: float) -> float:
        return self._highest[bisect_left(self._xs, x)]

    def up_to(self, x: float) -> float:
        return self._highest[bisect_right(self._xs, x)]


def _order(row: Row) -> tuple[float, float]:
    return row.latency.p50_ms or 0.0, -row.metric.value if row.metric else 0.0


def _latency(row: Row) -> Figure:
    """Return p50 with its interval, or with its range if there are too few processes for an interval."""
    latency = row.latency
    assert latency.p50_ms
    low, value, high = row.spread or (
        latency.p50_low_ms or latency.p50_ms,
        latency.p50_ms,
        latency.p50_high_ms or latency.p50_ms,
    )
    return Figure(low=low, value=value, high=high)


def _steps(rows: Sequence[Row], x: Axis, y: Axis) -> str:
    """Return an SVG path in steps: at each latency, the highest accuracy of any row that takes no longer."""
    path, best = "", -1.0
    for row in sorted(rows, key=_order):
        if row.latency.p50_ms and row.metric and row.metric.value > best:
            best = row.metric.value
            path += f"{'H' if path else 'M'}{x.place(row.latency.p50_ms):.1f}{'V' if path else ' '}{y.place(best):.1f}"
    return f"{path}H{x.end:.1f}"


def _point(number: int, row: Row, x: Axis, y: Axis, is_on_front: bool) -> str:
    across, up = _spot(row, x, y)
    path = whisker(x, row, up)
    if row.share:
        path += f"M{across:.1f} {y.place(row.share[0]):.1f}V{y.place(row.share[2]):.1f}"
    words = (row.setup.precision, "" if is_on_front else "beaten", "doubtful" if row.verdict == "SUSPECT" else "")
    parts = (mark("path", class_="whisker", d=path), symbol(row.setup.precision, across, up))
    return mark("g", *parts, class_=" ".join(filter(None, words)), data_row=number)


def _names(rows: Sequence[Row], others: Iterable[Row], x: Axis, y: Axis) -> Iterator[str]:
    """Label the points of the front, the fastest first; leave out a label that would cover another label or a point."""
    name = named(rows, LONGEST)
    taken = [(left - 5, top - 5, left + 5, top + 5) for left, top in (_spot(row, x, y) for row in others)]
    for row in rows[:MOST_LABELS]:
        words = name(row)
        box = next((place for place in _places(*_spot(row, x, y), text_width(words)) if _is_free(place, taken)), None)
        if box:
            taken.append(box)
            yield label(words, box[0], box[3] - 3, class_="aside")


def _spot(row: Row, x: Axis, y: Axis) -> tuple[float, float]:
    assert row.latency.p50_ms
    assert row.metric
    return x.place(row.latency.p50_ms), y.place(row.metric.value)


def _places(x: float, y: float, width: float) -> Iterator[Box]:
    for left, top in ((x + 8, y - 15), (x + 8, y + 3), (x - 8 - width, y - 15), (x - 8 - width, y + 3)):
        yield left, top, left + width, top + 13


def _is_free(box: Box, taken: Sequence[Box]) -> bool:
    left, top, right, bottom = box
    is_inside = left > LEFT and right < WIDTH and top > TOP - 4 and bottom < BOTTOM
    return is_inside and all(
        right < other[0] or left > other[2] or bottom < other[1] or top > other[3] for other in taken
    )
