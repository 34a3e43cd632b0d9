"""Latencies relative to interleaved reference beats, and the beats -> latencies at a constant pace of the machine.

Pure; natural logarithms. Load on the machine may slow a network more or less than it slows the beats: in 14 to 16
processes of each of six networks, log time rose by 0.9 to 1.4 times as much as log beat.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Shrinks the slope towards 1 (ridge regression): the square of residual deviation, 3 %, over the deviation of slopes
# from 1, 20 %. If the pace of the machine never varies, the slope is 1.
WEIGHT = (0.03 / 0.2) ** 2


def slope(groups: Iterable[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Return the rise of log time per rise of log beat, from groups of (ratios, beats), each centred on its mean."""
    beats_squared = both = 0.0
    for ratios, beats in groups:
        if beats:
            mean_ratio, mean_beat = fmean(ratios), fmean(beats)
            beats_squared += sum((beat - mean_beat) ** 2 for beat in beats)
            both += sum((x - mean_beat) * (y - mean_ratio) for x, y in zip(beats, ratios, strict=True))
    return 1 + both / (beats_squared + WEIGHT)


def at_one_pace(ratios: Sequence[float], beats: Sequence[float], slope: float) -> list[float]:
    """Return the ratios with the influence of the pace of the machine removed."""
    return [ratio - (slope - 1) * beat for ratio, beat in zip(ratios, beats, strict=True)]
