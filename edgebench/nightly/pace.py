"""Latencies relative to reference beats, and the beats' times -> latencies at a constant speed of the machine.

Reference beats are runs of a small fixed workload between the samples of a process. Other load may slow a network more
or less than it slows the beats: in 14 to 16 processes of each of six networks, the log latency rose by 0.9 to 1.4 times
as much as the log time of the beats.

This module does no I/O. All logarithms are natural.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The weight of a ridge regression, which shrinks the slope to 1 if the machine's speed never varies.
# 3 % is the deviation of the residuals, and 20 % is the deviation of slopes from 1.
WEIGHT = (0.03 / 0.2) ** 2


def slope(groups: Iterable[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Return the slope: by how much log latency rises when the log time of the beats rises by 1.

    Each group has two lists, ratios and beats, with one log value per process. Before the fit, each list is shifted so
    that its mean is 0.
    """
    beats_squared = both = 0.0
    for ratios, beats in groups:
        if beats:
            mean_ratio, mean_beat = fmean(ratios), fmean(beats)
            beats_squared += sum((beat - mean_beat) ** 2 for beat in beats)
            both += sum((x - mean_beat) * (y - mean_ratio) for x, y in zip(beats, ratios, strict=True))
    return 1 + both / (beats_squared + WEIGHT)


def at_one_pace(ratios: Sequence[float], beats: Sequence[float], slope: float) -> list[float]:
    """Return the ratios of latency to beat, corrected for the machine's speed."""
    return [ratio - (slope - 1) * beat for ratio, beat in zip(ratios, beats, strict=True)]
