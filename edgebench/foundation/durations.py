"""How long work took on this machine -> a factor for the estimate of the next work of the same kind.

The cache keeps, for each kind of work, pairs of estimated and measured seconds. Without such pairs, a short loop is
timed: it says how slow this machine is now, compared with the machine on which the estimates are right.
"""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import suppress
from functools import cache
from itertools import accumulate
from statistics import median
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING

from edgebench.foundation import files
from edgebench.foundation.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

KIND, FILE = "durations", "durations.json"
COUNT = "processes"  # a pair of this kind is not in seconds: the least number of processes, and how many ran
KEPT = 20  # how many of the newest pairs of each kind are kept
LEAST_S = 0.05  # shorter work says nothing about the machine's speed
LIMITS = (0.1, 30.0)  # least and largest factor; work beyond them was interrupted, or differed from the estimate
LOOP, LOOP_S = 100_000, 7.5e-3  # turns of the timed loop, and its time on two idle cores of a 2.5 GHz x86 server
TIMES = 7

_LOCK = Lock()
Pair = tuple[str, float, float]  # kind of work, estimated and measured seconds


class Factors:
    """The factors by which each kind of work takes longer here than estimated."""

    def __init__(self, known: Mapping[str, Sequence[Sequence[float]]]) -> None:
        self._known = {kind: _factor(pairs) for kind, pairs in known.items() if pairs}
        self._timed = [factor for kind, factor in self._known.items() if kind != COUNT]

    def known(self, kind: str) -> float | None:
        """Return the factor of a kind of work; None if no such work was done here."""
        return self._known.get(kind)

    def of(self, kind: str) -> float:
        """Return the factor of a kind of work: its own, else the median of all others, else that of a timed loop."""
        if kind in self._known:
            return self._known[kind]
        return median(self._timed) if self._timed else slowness()


def read() -> Factors:
    """Return the factors of earlier work on this machine."""
    return Factors(_pairs())


def keep(new: Iterable[Pair]) -> None:
    """Add pairs to the cache; pairs of very short work are left out. A cache that cannot be written stays as it is."""
    usable = [(kind, estimated, took) for kind, estimated, took in new if min(estimated, took) >= LEAST_S]
    if not usable:
        return
    with _LOCK:  # several boards can end at the same time
        pairs = defaultdict[str, list[list[float]]](list, _pairs())
        for kind, estimated, took in usable:
            pairs[kind] = [*pairs[kind], [round(estimated, 3), round(took, 3)]][-KEPT:]
        with suppress(RequestError, OSError):
            files.write(files.folder(KIND) / FILE, json.dumps(pairs).encode())


def _pairs() -> dict[str, list[list[float]]]:
    try:
        read = json.loads((files.place(KIND) / FILE).read_bytes())
        return {str(kind): [_pair(*pair) for pair in pairs] for kind, pairs in read.items()}
    except (OSError, ValueError, TypeError, AttributeError, RequestError):  # absent or damaged: nothing is known
        return {}


def _pair(estimated: float, took: float) -> list[float]:
    return [float(estimated), float(took)]


def _factor(pairs: Sequence[Sequence[float]]) -> float:
    """Return the weighted median of the factors: long work weighs more, because short work says little about it."""
    factors = sorted((took / max(estimated, LEAST_S), estimated) for estimated, took in pairs)
    sums = list(accumulate(estimated for _, estimated in factors))
    middle = next(factor for (factor, _), below in zip(factors, sums, strict=True) if below >= sums[-1] / 2)
    return min(max(middle, LIMITS[0]), LIMITS[1])


@cache
def slowness() -> float:
    """Return how many times as long a short loop takes here and now as on the machine for which estimates are right."""
    seconds = sorted(_looped() for _ in range(TIMES))
    return max(sum(seconds) / TIMES / LOOP_S, LIMITS[0])


def _looped() -> float:
    started, total = perf_counter(), 0
    for number in range(LOOP):
        total += number * number
    return perf_counter() - started
