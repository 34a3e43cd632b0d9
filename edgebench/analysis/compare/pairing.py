"""Rows and environments of two measurements -> ratios with intervals, and what differs between the two.

Pure: nothing is read, measured or printed here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from edgebench.foundation.stats import Ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One case in both: by its name, p50 before and after in ms, and how many times as long it takes now.

    Attributes:
        ratio: None where either has no number worth comparing; `why` says which and why.
    """

    name: str
    before_ms: float | None
    after_ms: float | None
    ratio: Ratio | None
    why: str = ""

    @property
    def verdict(self) -> str:
        """Say `slower` or `faster` where the interval leaves 1 out, `=` where it does not."""
        if self.ratio is None or self.ratio.low is None or self.ratio.high is None:
            return "-"
        return "slower" if self.ratio.low > 1 else "faster" if self.ratio.high < 1 else "="


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
