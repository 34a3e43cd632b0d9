"""Rows -> which compare with which, how they rank, and how many times as fast one is."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from edgebench.foundation import stats
from edgebench.foundation.stats import Ratio, ratio_of_medians
from edgebench.results.table.row import Row
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def ratio(over: Row, under: Row) -> Ratio | None:
    """Return how many times as long one row takes as another; None where either has no interval to go by."""
    return ratio_of_medians(over.spread, under.spread) if over.spread and under.spread else None


def speedup(slow: Row, fast: Row) -> Ratio | None:
    """Return how many times as long one row takes as another that was measured in turns with it.

    In beats where both have them: who shared the core with one and not with the other is no part of it.
    """
    if slow.paced and fast.paced and slow.beat == fast.beat:
        return ratio_of_medians(slow.paced, fast.paced)
    return ratio(slow, fast)


def together(rows: Iterable[Row]) -> list[list[Row]]:
    """Part rows, in their order, into those that compare: given models beside the shelf's, if these are one group."""
    ordered = list(rows)
    places = {row.group: row.group for row in ordered}
    for own in {row.group for row in ordered if row.is_custom}:
        beside = [group for group in places if group != own and group[:-2] == own[:-2]]
        places[own] = beside[0] if len(beside) == 1 else own
    groups = dict[tuple[str, ...], list[Row]]()
    for row in ordered:
        groups.setdefault(places[row.group], []).append(row)
    return list(groups.values())


def fastest(rows: Iterable[Row]) -> frozenset[Row]:
    """Find the row of the least p50 and those that tie with it: their 95 % intervals meet."""
    spreads = {row: row.spread for row in rows if row.spread}
    bound = min((middle, high) for _, middle, high in spreads.values())[1] if spreads else inf
    return frozenset(row for row, (low, _, _) in spreads.items() if low <= bound)


def most_accurate(rows: Iterable[Row]) -> frozenset[Row]:
    """Find the row of the highest top-1 and those that tie with it: their 95 % intervals meet."""
    shares = {row: row.share for row in rows if row.share}
    bound = max((middle, low) for low, middle, _ in shares.values())[1] if shares else inf
    return frozenset(row for row, (_, _, high) in shares.items() if high >= bound)


def by_precision(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Part rows, in their order, by precision: floats first."""
    parts = {name: list[Row]() for name in Precision}
    for row in rows:
        parts[Precision(row.precision)].append(row)
    return {str(name): part for name, part in parts.items() if part}


def ranked(rows: Iterable[Row]) -> Iterator[Row]:
    """Order each group by p50, else by instructions, and number it; intervals that overlap the first's share a rank.

    A row without an interval, or whose number is worth nothing, has no rank.
    """
    for group in together(sorted(rows, key=lambda row: row.group)):
        yield from _numbered(sorted(group, key=lambda row: (_bound(row.p50_ms), _bound(row.instructions_m))))


def sped(rows: Iterable[Row]) -> Iterator[Row]:
    """Say of every int8 row how much faster it is than its float twin: the same network in the same group."""
    rows = tuple(rows)
    floats = {row.pair: row for row in rows if row.precision == Precision.FP32}
    for row in rows:
        twin = floats.get(row.pair) if row.precision == Precision.INT8 else None
        found = speedup(twin, row) if twin else None
        own = (found.value, found.low, found.high) if found else (None, None, None)
        yield replace(row, speedup=own[0], speedup_low=own[1], speedup_high=own[2])


def _has_rank(row: Row) -> bool:
    return row.processes >= stats.LEAST_FOR_INTERVAL and not row.is_worthless


def _numbered(rows: list[Row]) -> Iterator[Row]:
    ranks, leader = list[int | None](), None
    place = 0
    for row in rows:
        if not _has_rank(row):
            ranks.append(None)
            continue
        place += 1
        if leader is None or _bound(row.p50_low_ms) > _bound(leader.p50_high_ms):
            leader, rank = row, place
        ranks.append(rank)
    for row, own in zip(rows, ranks, strict=True):
        yield replace(row, rank=own, tied=own is not None and ranks.count(own) > 1)


def _bound(value: float | None) -> float:
    return inf if value is None else value
