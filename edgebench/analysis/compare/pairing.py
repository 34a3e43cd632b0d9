"""Rows of two measurements -> pairs of the same case, with ratios, intervals and verdicts.

The functions are pure: they read no files, measure nothing and print nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import hypot, log, sqrt
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

from edgebench.foundation.stats import Ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

T = TypeVar("T")
# Quantiles of Student's t for 1 to 5 degrees of freedom, at 97.5 % and at 98.75 %.
# If two predictions are made and the smaller one is used, the quantiles at 98.75 % are needed.
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571)
T_9875 = (25.452, 6.205, 4.177, 3.495, 3.163)
# For 6, 7, ... 19 normally distributed values, take the shortest interval that contains more than half of them.
# With a probability of 95 %, a further value is at most this many half-lengths away from the interval's centre.
# These numbers come from a simulation; for infinitely many values the number is 2.91.
OF_HALVES = (6.36, 8.41, 5.53, 6.61, 4.92, 5.83, 4.62, 5.21, 4.42, 4.89, 4.28, 4.68, 4.14, 4.5)
LEAST_CASES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One case in both measurements: its p50 before and after, in ms, and the ratio after / before.

    Attributes:
        ratio: the ratio of the two p50; None if the verdict of a row says not to use the row.
        why: why there is no ratio or no interval; an empty text if there are both.
        in_beats: the ratio of the latencies in reference beats (runs of a fixed workload between the samples), if both
            rows have beats. If there is such a ratio, the verdict uses it instead of `ratio`.
        sessions: by how much two sessions of the same code can differ, as the logarithm of a ratio.
        short_name: the name without the settings that all pairs share.
    """

    name: str
    before_ms: float | None
    after_ms: float | None
    ratio: Ratio | None
    why: str = ""
    in_beats: Ratio | None = None
    sessions: float = 0.0
    short_name: str = ""

    @property
    def verdict(self) -> str:
        """Return `slower` or `faster` if the interval, widened by the variation between sessions, excludes 1.

        Otherwise return `=`, or `-` if there is no interval.
        """
        judged = self.in_beats or self.ratio
        if judged is None or judged.low is None or judged.high is None:
            return "-"
        value = log(judged.value)
        if value - hypot(value - log(judged.low), self.sessions) > 0:
            return "slower"
        return "faster" if value + hypot(log(judged.high) - value, self.sessions) < 0 else "="


def spread(ratios: Sequence[float], t: Sequence[float] = T_975) -> float:
    """Return a limit on how far the next ratio will be from 1, as a logarithm; 0 if there are no ratios.

    The limit is a 95 % prediction from the root mean square of the ratios' logarithms.
    """
    if not ratios:
        return 0.0
    return t[min(len(ratios), len(t)) - 1] * sqrt(fmean(log(ratio) ** 2 for ratio in ratios))


def scatter(changes: Sequence[float]) -> float | None:
    """Return a limit on how much the change of an unchanged case differs from the change that all cases share.

    `changes` are logarithms of ratios. The limit is a 95 % prediction; None for fewer than `LEAST_CASES` changes. It is
    computed from the shortest interval that holds more than half of the logarithms. So if fewer than half of the cases
    really changed, they hardly affect the limit, however much they changed.
    """
    ordered, more = sorted(changes), len(changes) // 2
    if len(ordered) < LEAST_CASES:
        return None
    half = min(late - early for early, late in zip(ordered, ordered[more:], strict=False)) / 2
    return half * OF_HALVES[min(len(ordered) - LEAST_CASES, len(OF_HALVES) - 1)]


def paired(
    before: Sequence[T], after: Sequence[T], keys: Sequence[Callable[[T], Hashable]]
) -> tuple[list[tuple[T, T]], list[T], list[T]]:
    """Pair the rows of the same case; return the pairs, the rows only in `before` and the rows only in `after`.

    `keys` begins with the strictest key, and each later key pairs the rows that are still unpaired. Two rows with the
    same key are paired only if no other row of `before` or of `after` has this key, so that versions of a runtime are
    never mixed up.
    """
    pairs, missing, new = list[tuple[T, T]](), list(before), list(after)
    for key in keys:
        here, there = _once(missing, key), _once(new, key)
        matched = [(row, there[name]) for name, row in here.items() if name in there]
        pairs += matched
        missing = [row for row in missing if not any(row is first for first, _ in matched)]
        new = [row for row in new if not any(row is second for _, second in matched)]
    order = {id(row): place for place, row in enumerate(before)}
    return sorted(pairs, key=lambda pair: order[id(pair[0])]), missing, new


def _once(rows: Sequence[T], key: Callable[[T], Hashable]) -> dict[Hashable, T]:
    counts = Counter(map(key, rows))
    return {name: row for row in rows if counts[name := key(row)] == 1}
