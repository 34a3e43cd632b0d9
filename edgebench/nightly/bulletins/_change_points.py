"""The values of a history's nights -> the nights from which their level differs, as the library ruptures finds them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log
from statistics import NormalDist, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEAST_NIGHTS = 7  # a level lasts at least a week
# The penalty of a level, in variances of the noise and logs of the number of nights.
# Simulated nights without a change have a change point in 0 to 1 % of histories, with outliers (t, 3 degrees) in 5 %.
PENALTY = 6.0
LEAST_NOISE = 0.002  # relative deviation between nights, for a history whose nights hardly vary


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """A night from which on the level differs.

    Attributes:
        place: the index of the night.
        before, after: the medians of the values of the two levels, in the unit of the values.
    """

    place: int
    before: float
    after: float


def change_points(values: Sequence[float | None]) -> Iterator[ChangePoint]:
    """Yield the change points of positive values, one per night; None stands for a night without a value.

    The logs of the values are divided into levels by least squares, with a penalty for every level (PELT by Killick,
    Fearnhead and Eckley, 2012).
    """
    known = [(place, value) for place, value in enumerate(values) if value]
    if len(known) < 2 * LEAST_NIGHTS:
        return
    import numpy
    from ruptures import KernelCPD  # imported here, because this takes a second

    logs = numpy.array([log(value) for _, value in known])
    penalty = PENALTY * _noise(logs.tolist()) ** 2 * log(len(logs))
    ends = KernelCPD(kernel="linear", min_size=LEAST_NIGHTS).fit(logs).predict(pen=penalty)
    levels = [median(value for _, value in known[first:end]) for first, end in pairwise((0, *ends))]
    for end, (before, after) in zip(ends, pairwise(levels), strict=False):
        yield ChangePoint(place=known[end][0], before=before, after=after)


def _noise(logs: Sequence[float]) -> float:
    """Return the standard deviation between nights, from the median step between neighbouring nights.

    A few large steps, such as those between two levels, do not raise it.
    """
    step = median(abs(later - earlier) for earlier, later in pairwise(logs))
    return max(step / NormalDist().inv_cdf(0.75) / 2**0.5, LEAST_NOISE)
