"""Rows -> groups of comparable rows, ranks and speed-ups."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from edgebench.foundation import stats
from edgebench.foundation.stats import Ratio, ratio_of_medians
from edgebench.results.table.row import Line, Row
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def ratio(over: Row, under: Row) -> Ratio | None:
    """Return the ratio of two rows' p50, with its interval; None if a row has no interval."""
    return ratio_of_medians(over.spread, under.spread) if over.spread and under.spread else None


def speedup(slow: Row, fast: Row) -> Ratio | None:
    """Return the latency of `slow` divided by the latency of `fast`, for rows measured in the same rounds.

    If both rows have latencies in reference beats, the ratio is computed from those latencies. This removes the effect
    of load that slowed only one of the rows.
    """
    if slow.paced and fast.paced and slow.latency.beat == fast.latency.beat:
        return ratio_of_medians(slow.paced, fast.paced)
    return ratio(slow, fast)


def together(rows: Iterable[Row]) -> list[list[Row]]:
    """Split rows, in order, into comparable groups.

    User-supplied models join the group of other networks with equal settings, if there is exactly one such group.
    """
    ordered = list(rows)
    return [[ordered[place] for place in places] for places in _groups(ordered)]


def _groups(rows: Sequence[Row], *, is_sorted: bool = False) -> list[list[int]]:
    """Split the indices of rows into comparable groups, in the order of the rows; sort the groups if `is_sorted`."""
    own = [row.setup.group for row in rows]
    custom_groups = {group for row, group in zip(rows, own, strict=True) if row.setup.is_custom}
    shown_in = {group: group for group in own}
    for custom in custom_groups:
        beside = [group for group in shown_in if group != custom and group[:-2] == custom[:-2]]
        shown_in[custom] = beside[0] if len(beside) == 1 else custom
    groups = dict[tuple[str, ...], list[int]]()
    for place in sorted(range(len(own)), key=own.__getitem__) if is_sorted else range(len(own)):
        groups.setdefault(shown_in[own[place]], []).append(place)
    return list(groups.values())


def fastest(rows: Iterable[Row]) -> frozenset[Row]:
    """Return the row with the lowest p50, and the rows that tie with it because their 95 % intervals overlap.

    Rows whose accuracy is no better than chance are left out.
    """
    spreads = {row: row.spread for row in rows if row.spread and not row.quality.is_of_chance}
    bound = min((middle, high) for _, middle, high in spreads.values())[1] if spreads else inf
    return frozenset(row for row, (low, _, _) in spreads.items() if low <= bound)


def most_accurate(rows: Iterable[Row]) -> frozenset[Row]:
    """Return the row with the highest chief metric, and the rows that tie with it because their 95 % intervals overlap.

    Rows whose accuracy is no better than chance are left out.
    """
    shares = {row: row.share for row in rows if row.share and not row.quality.is_of_chance}
    bound = max((middle, low) for low, middle, _ in shares.values())[1] if shares else inf
    return frozenset(row for row, (_, _, high) in shares.items() if high >= bound)


def by_precision(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Split rows by precision, float first; each part keeps the order of the rows."""
    parts = {name: list[Row]() for name in Precision}
    for row in rows:
        parts[Precision(row.setup.precision)].append(row)
    return {str(name): part for name, part in parts.items() if part}


def compared(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Sort lines into the order of the table, and add the rank and speed-up of each row."""
    ordered = list(ranked([line.row for line in lines]))
    rows = sped(row for _, row in ordered)
    return tuple(_with_row(lines[place], row) for (place, _), row in zip(ordered, rows, strict=True))


def _with_row(line: Line, row: Row) -> Line:
    return Line(position=line.position, evidence=line.evidence, measurement=line.measurement, row=row)


def ranked(rows: Sequence[Row]) -> Iterator[tuple[int, Row]]:
    """Sort each group by p50 (by instructions if it has no times); yield each row's index in `rows` and the ranked row.

    A row shares a rank if its interval overlaps the interval of the fastest row with this rank. A row without an
    interval or with unusable figures has no rank.
    """
    for group in _groups(rows, is_sorted=True):
        places = sorted(group, key=lambda place: _slowness(rows[place]))
        ranks = _ranks([rows[place] for place in places])
        counts = Counter(ranks)
        for place, rank in zip(places, ranks, strict=True):
            is_tied = rank is not None and counts[rank] > 1
            row = rows[place]
            yield place, replace(row, standing=replace(row.standing, rank=rank, tied=is_tied))


def sped(rows: Iterable[Row]) -> Iterator[Row]:
    """Add to every int8 row the speed-up over its float twin, which is the same network in float in the same group."""
    rows = tuple(rows)
    floats = {row.setup.pair: row for row in rows if row.setup.precision == Precision.FP32}
    for row in rows:
        twin = floats.get(row.setup.pair) if row.setup.precision == Precision.INT8 else None
        if not twin:
            yield row
            continue
        standing = replace(row.standing, speedup=speedup(twin, row), instruction_ratio=_fewer(twin, row))
        yield replace(row, standing=standing)


def _fewer(twin: Row, row: Row) -> float | None:
    """Return a float row's instructions divided by its int8 row's instructions; None unless both were counted."""
    before, after = twin.cost.instructions_m, row.cost.instructions_m
    return before / after if before and after and not (twin.is_worthless or row.is_worthless) else None


def _has_rank(row: Row) -> bool:
    return row.latency.processes >= stats.LEAST_FOR_INTERVAL and not row.is_worthless


def _ranks(rows: Iterable[Row]) -> list[int | None]:
    """Return the ranks of rows that are sorted by latency; None for a row without a rank."""
    ranks, leader = list[int | None](), None
    place = 0
    for row in rows:
        if not _has_rank(row):
            ranks.append(None)
            continue
        place += 1
        if leader is None or _bound(row.latency.p50_low_ms) > _bound(leader.latency.p50_high_ms):
            leader, rank = row, place
        ranks.append(rank)
    return ranks


def _slowness(row: Row) -> tuple[float, float]:
    return _bound(row.latency.p50_ms), _bound(row.cost.instructions_m)


def _bound(value: float | None) -> float:
    return inf if value is None else value
