"""Entries of a results table -> findings: what cannot be, which rows, and by which rule.

Pure: nothing is read, measured or printed here. Every threshold that names no source is this project's own proposal,
tried on the 44 published Raspberry Pi 4 grids.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite
from statistics import mean, median

FASTER = 0.03  # of the smaller network's latency, by which a larger one may be faster
OFFSET = 0.3  # of a width's least latency, by which its offset may differ from its neighbours'
MEAN = 0.1  # of the median, by which a mean may differ
OUTLYING_DROP = 2.5  # points, by which what int8 costs may differ from the grid's median
OFF_PUBLISHED = 3.0  # points: recipes of one network differ by 1 to 2
UNIT = 30.0  # times as long a multiply-add as the table's median: milliseconds among seconds
LEAST_FOR_LINE = 3
LEAST_FOR_MEDIAN = 4
LEAST_DIGITS = 4  # of two equal latencies: fewer are equal by rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRow:
    """One row of a table, whoever made it.

    Attributes:
        line: where it stands; `name` says what it is.
        setup: all that rows must share to be compared, but the network, its width, resolution and precision.
        latency_ms: the median, else the mean, else the 90th percentile; `low_ms` and `high_ms` its interval, or itself.
        published_top1: of the same network, per cent, where the row's accuracy is ImageNet's.
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
    published_top1: float | None = None

    @property
    def grid(self) -> Hashable:
        """What the rows of one α × ρ grid share."""
        return self.setup, self.architecture, self.precision, self.quantization

    @property
    def identity(self) -> Hashable:
        """What no two rows of a table may share."""
        return self.grid, self.width, self.resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong, with which rows, by which rule; the row that the rule points at comes first."""

    rule: str
    lines: tuple[int, ...]
    text: str


def lint(entries: Sequence[CheckedRow]) -> tuple[Finding, ...]:
    """Run every rule over a table without duplicates; findings in the order of the rules, then of the rows."""
    sound = [one for one in entries if one.latency_ms is None or _is_positive(one.latency_ms)]
    found = [finding for one in entries for finding in _impossible(one)]
    return (*found, *(finding for rule in RULES for finding in rule(sound)))


def _is_positive(value: float) -> bool:
    return isfinite(value) and value > 0


def _impossible(one: CheckedRow) -> Iterator[Finding]:
    """No latency is zero, negative or not a number, no share beyond 0 to 100 %."""
    for what, value in (("latency", one.latency_ms), ("mean", one.mean_ms), ("p90", one.p90_ms)):
        if value is not None and not _is_positive(value):
            yield Finding(rule="no number", lines=(one.line,), text=f"{one.name}: its {what} is {value:g} ms")
    if one.top1 is not None and not 0 <= one.top1 <= 100:
        yield Finding(rule="no number", lines=(one.line,), text=f"{one.name}: its top-1 is {one.top1:g} %")


def _grids(entries: Iterable[CheckedRow], key: Callable[[CheckedRow], Hashable]) -> Iterator[list[CheckedRow]]:
    found = defaultdict[Hashable, list[CheckedRow]](list)
    for one in entries:
        found[key(one)].append(one)
    yield from found.values()


def larger_is_faster(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """A network at least as large in both α and ρ takes at least as long, within 3 % and both intervals."""
    for grid in _grids(entries, lambda one: one.grid):
        timed = [one for one in grid if one.latency_ms]
        yield from _steps(sorted(timed, key=lambda one: (-one.width, -one.resolution)))


def _steps(grid: Sequence[CheckedRow]) -> Iterator[Finding]:
    """Walk from the largest to the smallest; keep, by resolution, the fastest of those at least as large so far."""
    stairs = list[tuple[int, CheckedRow]]()
    for small in grid:
        place = bisect_left(stairs, small.resolution, key=lambda stair: stair[0])
        if place < len(stairs) and _high(large := stairs[place][1]) * (1 + FASTER) < _low(small):
            text = f"{_timed(small)} is slower than the larger {_timed(large)}"
            yield Finding(rule="larger is faster", lines=(small.line, large.line), text=text)
        _insert(stairs, small)


def _insert(stairs: list[tuple[int, CheckedRow]], one: CheckedRow) -> None:
    """Add a network unless a larger one is as fast; drop those that are neither larger nor faster."""
    place = bisect_left(stairs, one.resolution, key=lambda stair: stair[0])
    if place < len(stairs) and _high(stairs[place][1]) <= _high(one):
        return
    end = place + (place < len(stairs) and stairs[place][0] == one.resolution)
    start = place
    while start and _high(stairs[start - 1][1]) >= _high(one):
        start -= 1
    stairs[start:end] = [(one.resolution, one)]


def _low(one: CheckedRow) -> float:
    return one.low_ms or one.latency_ms or 0.0


def _high(one: CheckedRow) -> float:
    return one.high_ms or one.latency_ms or 0.0


def _timed(one: CheckedRow) -> str:
    return f"{one.name} ({one.latency_ms:.4g} ms)"


def offset_off(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """A width's constant cost, where its latency against multiply-adds meets zero, is about that of its neighbours."""
    for grid in _grids(entries, lambda one: one.grid):
        offsets = sorted(_offsets(grid), key=lambda pair: pair[0][0].width)
        for place, (rows, share) in enumerate(offsets if len(offsets) >= LEAST_FOR_LINE else ()):
            expected = mean(offsets[other][1] for other in (place - 1, place + 1) if 0 <= other < len(offsets))
            if abs(share - expected) > OFFSET:
                text = (
                    f"{rows[0].name} and the others of its width: a constant cost of {share:.0%} of the least latency,"
                    f" {expected:.0%} at the widths beside it"
                )
                yield Finding(rule="offset", lines=tuple(one.line for one in rows), text=text)


def _offsets(grid: Iterable[CheckedRow]) -> Iterator[tuple[list[CheckedRow], float]]:
    """Yield each width's rows and its offset as a share of its least latency, where there are rows for a line."""
    for rows in _grids((one for one in grid if one.latency_ms and one.macs), lambda one: one.width):
        points = [(one.macs or 0.0, one.latency_ms or 0.0) for one in rows]
        if len({macs for macs, _ in points}) >= LEAST_FOR_LINE:
            yield rows, _intercept(points) / min(latency for _, latency in points)


def _intercept(points: Sequence[tuple[float, float]]) -> float:
    """Return where Theil and Sen's line through points of at least two places meets zero (Sen 1968)."""
    slope = median((y - b) / (x - a) for (a, b), (x, y) in combinations(points, 2) if x != a)
    return median(y - slope * x for x, y in points)


def int8_is_slower(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """int8 takes no longer than float, within 3 % and both intervals."""
    floats = {_twin(one): one for one in entries if one.precision == "fp32" and one.latency_ms}
    for one in entries:
        twin = floats.get(_twin(one))
        if one.precision == "int8" and one.latency_ms and twin and _high(twin) * (1 + FASTER) < _low(one):
            text = f"{_timed(one)} is slower than {_timed(twin)}"
            yield Finding(rule="int8 is slower", lines=(one.line, twin.line), text=text)


def _twin(one: CheckedRow) -> Hashable:
    return one.setup, one.architecture, one.width, one.resolution


def mean_off(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """A mean is near its median, and no median above its 90th percentile."""
    for one in entries:
        if one.p50_ms and one.mean_ms and abs(one.mean_ms / one.p50_ms - 1) > MEAN:
            text = f"{one.name}: its mean of {one.mean_ms:.4g} ms is {one.mean_ms / one.p50_ms:.2f} times its median"
            yield Finding(rule="mean far from median", lines=(one.line,), text=text)
        if one.p50_ms and one.p90_ms and one.p90_ms < one.p50_ms:
            text = f"{one.name}: its p90 of {one.p90_ms:.4g} ms is below its median of {one.p50_ms:.4g} ms"
            yield Finding(rule="p90 below median", lines=(one.line,), text=text)


def equal_cells(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """No two configurations of a setup have the same latency to the last of four digits or more."""
    for rows in _grids((one for one in entries if one.latency_ms), lambda one: (one.setup, one.latency_ms)):
        if len(rows) > 1 and _digits(rows[0].latency_ms) >= LEAST_DIGITS:
            text = f"{', '.join(one.name for one in rows)}: the same {rows[0].latency_ms!r} ms"
            yield Finding(rule="equal cells", lines=tuple(one.line for one in rows), text=text)


def _digits(value: float | None) -> int:
    """Count the significant digits that a number was written with."""
    return len(f"{value!r}".replace(".", "").strip("0"))


def accuracy_off(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """An accuracy is within 3 points of the published one."""
    for one in entries:
        if one.top1 is not None and one.published_top1 is not None:
            gap = one.top1 - one.published_top1
            if abs(gap) > OFF_PUBLISHED:
                text = f"{one.name}: its top-1 of {one.top1:.1f} % is {gap:+.1f} points off the published one"
                yield Finding(rule="accuracy", lines=(one.line,), text=text)


def drop_off(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """What int8 costs in accuracy is about the same all over a grid."""
    floats = {_twin(one): one.top1 for one in entries if one.precision == "fp32" and one.top1 is not None}
    for grid in _grids(entries, lambda one: one.grid):
        drops = [
            (one, parent - one.top1)
            for one in grid
            if one.precision == "int8" and one.top1 is not None and (parent := floats.get(_twin(one))) is not None
        ]
        usual = median(drop for _, drop in drops) if len(drops) >= LEAST_FOR_MEDIAN else None
        for one, drop in drops:
            if usual is not None and abs(drop - usual) > OUTLYING_DROP:
                text = f"{one.name}: int8 costs {drop:.1f} points of top-1, {usual:.1f} over its grid"
                yield Finding(rule="int8 drop", lines=(one.line,), text=text)


def unit_off(entries: Sequence[CheckedRow]) -> Iterator[Finding]:
    """A multiply-add of a network takes about as long at every width and resolution, or a row is in another unit."""
    timed = [one for one in entries if one.latency_ms and one.macs]
    for rows in _grids(timed, lambda one: (one.setup, one.architecture)):
        rates = [(one, (one.latency_ms or 0.0) / (one.macs or 1.0)) for one in rows]
        usual = median(rate for _, rate in rates)
        for one, rate in rates if len(rates) >= LEAST_FOR_MEDIAN else ():
            if not 1 / UNIT < rate / usual < UNIT:
                text = f"{_timed(one)}: {rate / usual:.2g} times the usual time a multiply-add: another unit?"
                yield Finding(rule="unit", lines=(one.line,), text=text)


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
