"""Rows of a results table -> findings: implausible figures, each with the rule that it breaks and the rows concerned.

The functions are pure: they read no files and print nothing. A grid has the rows of one network at
several widths α and resolutions ρ. Thresholds without a source are this project's own proposals, tried on the 44
published Raspberry Pi 4 grids.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite
from statistics import mean, median

FASTER = 0.03  # a larger network may be faster by this share of the smaller network's latency
# Allowed difference between neighbouring widths' constant costs, each as a share of the width's least latency.
OFFSET = 0.3
MEAN = 0.1  # allowed difference between mean and median, as a share
OUTLYING_DROP = 2.5  # allowed difference between the accuracy lost to int8 and the grid's median loss, in points
OFF_PUBLISHED = 3.0  # allowed difference in accuracy, in points; training recipes of one network differ by 1 to 2
CHANCE = 1.0  # a top-1 on ImageNet whose interval ends below this many per cent is no better than chance, 0.1 %
# The allowed factor between a row's time per multiply-add and the median. A larger factor means that units are mixed.
UNIT = 30.0
LEAST_FOR_LINE = 3
LEAST_FOR_MEDIAN = 4
LEAST_DIGITS = 4  # equal latencies with this many digits are suspicious; with fewer, rounding can make them equal


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRow:
    """One row of a table from any source.

    Attributes:
        line: its line number in the file.
        setup: the properties, such as target and runtime, in which rows must agree to be compared. A row's
            network, width, resolution and precision do not belong to the setup.
        latency_ms: the median; the mean if there is no median; the 90th percentile if there is neither.
        low_ms, high_ms: the interval of the median; None if the table has no interval.
        top1_low, top1_high: the interval of the top-1; None if the table has no interval.
        map, miou, iou: the metric of a detector, of a segmenter and of a localizer, in per cent.
        published_top1: the published top-1 of the same network, per cent, if the row's accuracy is on ImageNet.
        whole: the full name that a pattern has split. Rows with different full names are never duplicates.
    """

    line: int
    name: str
    setup: tuple[str, ...]
    architecture: str
    width: float
    resolution: int
    precision: str
    quantization: str = ""
    latency_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    mean_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    macs: float | None = None
    top1: float | None = None
    top1_low: float | None = None
    top1_high: float | None = None
    map: float | None = None
    miou: float | None = None
    iou: float | None = None
    published_top1: float | None = None
    whole: str = ""

    @property
    def metric(self) -> tuple[str, float] | None:
        """The name and the value, in per cent, of the chief metric of the row's task; None if the row has no metric."""
        named = {"IoU": self.iou, "mIoU": self.miou, "mAP": self.map, "top-1": self.top1}
        return next(((name, value) for name, value in named.items() if value is not None), None)

    @property
    def grid(self) -> Hashable:
        """The properties that all rows of a grid share; its rows differ in width α and resolution ρ."""
        return self.setup, self.architecture, self.precision, self.quantization

    @property
    def identity(self) -> Hashable:
        """The properties that identify a row; two rows that agree in all of them are duplicates."""
        return self.grid, self.width, self.resolution, self.whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that is broken, and the line numbers of the rows that break it, the most suspicious row first."""

    rule: str
    lines: tuple[int, ...]
    text: str


def lint(entries: Sequence[CheckedRow]) -> tuple[Finding, ...]:
    """Apply every rule to a table without duplicates. The findings are sorted by rule, and within a rule by row."""
    sound = [row for row in entries if row.latency_ms is None or _is_positive(row.latency_ms)]
    found = [finding for row in entries for finding in _impossible(row)]
    return (*found, *(finding for rule in RULES for finding in rule(sound)))


def _is_positive(value: float) -> bool:
    return isfinite(value) and value > 0


def _impossible(row: CheckedRow) -> Iterator[Finding]:
    """Find latencies that are not positive and finite, and shares outside of 0 to 100 %."""
    for what, value in (("latency", row.latency_ms), ("mean", row.mean_ms), ("p90", row.p90_ms)):
        if value is not None and not _is_positive(value):
            yield Finding(rule="no number", lines=(row.line,), text=f"{row.name}: its {what} is {value:g} ms")
    if row.metric and not 0 <= row.metric[1] <= 100:
        name, share = row.metric
        yield Finding(rule="no number", lines=(row.line,), text=f"{row.name}: its {name} is {share:g} %")


def _grids(entries: Iterable[CheckedRow], key: Callable[[CheckedRow], Hashable]) -> Iterator[list[CheckedRow]]:
    found = defaultdict[Hashable, list[CheckedRow]](list)
    for row in entries:
        found[key(row)].append(row)
    yield from found.values()


def larger_is_faster(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """Find networks that are more than 3 % faster than networks of smaller α and ρ, if the intervals do not overlap."""
    for grid in _grids(entries, lambda row: row.grid):
        timed = [row for row in grid if row.latency_ms]
        yield from _steps(sorted(timed, key=lambda row: (-row.width, -row.resolution)))


def _steps(grid: Sequence[CheckedRow]) -> Iterator[Finding]:
    """Compare each network of a grid with larger networks.

    Go from the largest network to the smallest. For each resolution, remember the fastest network so far that has this
    resolution or a higher one.
    """
    stairs = list[tuple[int, CheckedRow]]()
    for small in grid:
        place = bisect_left(stairs, small.resolution, key=lambda stair: stair[0])
        if place < len(stairs) and _high(large := stairs[place][1]) * (1 + FASTER) < _low(small):
            text = f"{_timed(small)} is slower than the larger {_timed(large)}"
            yield Finding(rule="larger is faster", lines=(small.line, large.line), text=text)
        _insert(stairs, small)


def _insert(stairs: list[tuple[int, CheckedRow]], row: CheckedRow) -> None:
    """Add a network to the list of the fastest networks, unless a larger network in the list is as fast.

    Networks in the list that are smaller and slower than the added network are removed.
    """
    place = bisect_left(stairs, row.resolution, key=lambda stair: stair[0])
    if place < len(stairs) and _high(stairs[place][1]) <= _high(row):
        return
    end = place + (place < len(stairs) and stairs[place][0] == row.resolution)
    start = place
    while start and _high(stairs[start - 1][1]) >= _high(row):
        start -= 1
    stairs[start:end] = [(row.resolution, row)]


def _low(row: CheckedRow) -> float:
    return row.low_ms or row.latency_ms or 0.0


def _high(row: CheckedRow) -> float:
    return row.high_ms or row.latency_ms or 0.0


def _timed(row: CheckedRow) -> str:
    return f"{row.name} ({row.latency_ms:.4g} ms)"


def offset_off(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """Find widths whose constant cost (latency at zero multiply-adds) is far from the constant cost of the neighbouring
    widths.
    """
    for grid in _grids(entries, lambda row: row.grid):
        offsets = sorted(_offsets(grid), key=lambda pair: pair[0][0].width)
        for place, (rows, share) in enumerate(offsets if len(offsets) >= LEAST_FOR_LINE else ()):
            expected = mean(offsets[other][1] for other in (place - 1, place + 1) if 0 <= other < len(offsets))
            if abs(share - expected) > OFFSET:
                text = (
                    f"{rows[0].name} and the other rows of its width have a constant cost of {share:.0%} of their"
                    f" least latency; for the neighbouring widths it is {expected:.0%}"
                )
                yield Finding(rule="offset", lines=tuple(row.line for row in rows), text=text)


def _offsets(grid: Iterable[CheckedRow]) -> Iterator[tuple[list[CheckedRow], float]]:
    """Yield the rows of each width with enough rows, and the constant cost as a share of the width's least latency."""
    for rows in _grids((row for row in grid if row.latency_ms and row.macs), lambda row: row.width):
        points = [(row.macs or 0.0, row.latency_ms or 0.0) for row in rows]
        if len({macs for macs, _ in points}) >= LEAST_FOR_LINE:
            yield rows, _intercept(points) / min(latency for _, latency in points)


def _intercept(points: Sequence[tuple[float, float]]) -> float:
    """Return the intercept of the Theil-Sen line, a robust line through points (Sen 1968)."""
    slope = median((y - b) / (x - a) for (a, b), (x, y) in combinations(points, 2) if x != a)
    return median(y - slope * x for x, y in points)


def int8_is_slower(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """Find int8 rows that are more than 3 % slower than their float rows, if the intervals do not overlap."""
    floats = {_twin(row): row for row in entries if row.precision == "fp32" and row.latency_ms}
    for row in entries:
        twin = floats.get(_twin(row))
        if row.precision == "int8" and row.latency_ms and twin and _high(twin) * (1 + FASTER) < _low(row):
            text = f"{_timed(row)} is slower than {_timed(twin)}"
            yield Finding(rule="int8 is slower", lines=(row.line, twin.line), text=text)


def _twin(row: CheckedRow) -> Hashable:
    return row.setup, row.architecture, row.width, row.resolution


def mean_off(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """Find means that are far from the median, and medians above the 90th percentile."""
    for row in entries:
        if row.p50_ms and row.mean_ms and abs(row.mean_ms / row.p50_ms - 1) > MEAN:
            text = f"{row.name}: its mean of {row.mean_ms:.4g} ms is {row.mean_ms / row.p50_ms:.2f} times its median"
            yield Finding(rule="mean far from median", lines=(row.line,), text=text)
        if row.p50_ms and row.p90_ms and row.p90_ms < row.p50_ms:
            text = f"{row.name}: its p90 of {row.p90_ms:.4g} ms is below its median of {row.p50_ms:.4g} ms"
            yield Finding(rule="p90 below median", lines=(row.line,), text=text)


def equal_cells(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """Find configurations of one setup that have equal latencies with four or more digits."""
    for rows in _grids((row for row in entries if row.latency_ms), lambda row: (row.setup, row.latency_ms)):
        if len(rows) > 1 and _digits(rows[0].latency_ms) >= LEAST_DIGITS:
            text = f"{', '.join(row.name for row in rows)}: the same {rows[0].latency_ms!r} ms"
            yield Finding(rule="equal cells", lines=tuple(row.line for row in rows), text=text)


def _digits(value: float | None) -> int:
    """Return the number of significant digits with which a number was written."""
    return len(f"{value!r}".replace(".", "").strip("0"))


def accuracy_off(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """Find accuracies that differ from the published accuracy by more than 3 points, and beyond their interval."""
    for row in entries:
        if row.top1 is not None and row.published_top1 is not None:
            gap = row.top1 - row.published_top1
            low, high = (row.top1 if end is None else end for end in (row.top1_low, row.top1_high))
            if abs(gap) > OFF_PUBLISHED and not low <= row.published_top1 <= high:
                text = f"{row.name}: its top-1 of {row.top1:.1f} % differs by {gap:+.1f} points from the published one"
                doubt = "; it is no better than chance, so these are not the published weights" * (high < CHANCE)
                yield Finding(rule="accuracy", lines=(row.line,), text=text + doubt)


def drop_off(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """Find int8 rows whose loss of accuracy is far from the median loss in their grid."""
    floats = {_twin(row): row.metric for row in entries if row.precision == "fp32" and row.metric}
    for grid in _grids(entries, lambda row: row.grid):
        drops = [
            (row, parent[1] - row.metric[1])
            for row in grid
            if row.precision == "int8"
            and row.metric
            and (parent := floats.get(_twin(row)))
            and parent[0] == row.metric[0]
        ]
        usual = median(drop for _, drop in drops) if len(drops) >= LEAST_FOR_MEDIAN else None
        for row, drop in drops:
            if usual is not None and abs(drop - usual) > OUTLYING_DROP:
                name = row.metric[0] if row.metric else "accuracy"
                text = f"{row.name}: int8 costs {drop:.1f} points of {name}; the median of its grid is {usual:.1f}"
                yield Finding(rule="int8 drop", lines=(row.line,), text=text)


def unit_off(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """Find rows whose time per multiply-add is far from the network's median, as when a table mixes units."""
    timed = [row for row in entries if row.latency_ms and row.macs]
    for rows in _grids(timed, lambda row: (row.setup, row.architecture)):
        rates = [(row, (row.latency_ms or 0.0) / (row.macs or 1.0)) for row in rows]
        usual = median(rate for _, rate in rates)
        for row, rate in rates if len(rates) >= LEAST_FOR_MEDIAN else ():
            if not 1 / UNIT < rate / usual < UNIT:
                text = (
                    f"{_timed(row)}: {rate / usual:.2g} times the usual time per multiply-add: is it in another unit?"
                )
                yield Finding(rule="unit", lines=(row.line,), text=text)


RULES: tuple[Callable[[Sequence[CheckedRow]], Iterator[Finding]], ...] = (
    unit_off,
    larger_is_faster,
    offset_off,
    int8_is_slower,
    mean_off,
    equal_cells,
    accuracy_off,
    drop_off,
)
