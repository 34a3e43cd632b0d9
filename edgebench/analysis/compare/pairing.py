"""Rows and environments of two measurements -> ratios with intervals, and what differs between the two.

Pure: nothing is read, measured or printed here.
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
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571)  # Student's t for so many degrees of freedom


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One case in both: by its name, p50 before and after in ms, and how many times as long it takes now.

    Attributes:
        ratio: None where either has no number worth comparing; `why` says which and why.
        in_beats: the same in beats between each process's samples, where both have them; it is judged by then.
        sessions: how far apart two sessions of one and the same may be, as the logarithm of a ratio.
    """

    name: str
    before_ms: float | None
    after_ms: float | None
    ratio: Ratio | None
    why: str = ""
    in_beats: Ratio | None = None
    sessions: float = 0.0

    @property
    def verdict(self) -> str:
        """Say `slower` or `faster` where the interval, widened by what sessions vary by, leaves 1 out; else `=`."""
        judged = self.in_beats or self.ratio
        if judged is None or judged.low is None or judged.high is None:
            return "-"
        value = log(judged.value)
        if value - hypot(value - log(judged.low), self.sessions) > 0:
            return "slower"
        return "faster" if value + hypot(log(judged.high) - value, self.sessions) < 0 else "="


def spread(ratios: Sequence[float]) -> float:
    """Return how far from 1 another such ratio may be, as a logarithm: a 95 % prediction of their root mean square.

    Of no ratio nothing is known: 0.
    """
    if not ratios:
        return 0.0
    return T_975[min(len(ratios), len(T_975)) - 1] * sqrt(fmean(log(ratio) ** 2 for ratio in ratios))


def paired(
    before: Sequence[T], after: Sequence[T], keys: Sequence[Callable[[T], Hashable]]
) -> tuple[list[tuple[T, T]], list[T], list[T]]:
    """Pair what is the same case in both by the strictest key that finds it; return pairs, missing and new.

    A key pairs only what it names once on either side: two versions of a runtime are never mixed up.
    """
    pairs, missing, new = list[tuple[T, T]](), list(before), list(after)
    for key in keys:
        here, there = _once(missing, key), _once(new, key)
        found = [(one, there[name]) for name, one in here.items() if name in there]
        pairs += found
        missing = [one for one in missing if not any(one is first for first, _ in found)]
        new = [one for one in new if not any(one is second for _, second in found)]
    order = {id(one): place for place, one in enumerate(before)}
    return sorted(pairs, key=lambda pair: order[id(pair[0])]), missing, new


def _once(rows: Sequence[T], key: Callable[[T], Hashable]) -> dict[Hashable, T]:
    counts = Counter(map(key, rows))
    return {name: row for row in rows if counts[name := key(row)] == 1}
