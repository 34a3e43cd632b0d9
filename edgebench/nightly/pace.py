"""What processes took over their beats, and these beats -> what they would have taken, had all beats been alike.

Pure; natural logarithms. A network may feel a neighbour on the core more than the beats do, or less: of 14 to 16
processes each of six networks, log time rose by 0.9 to 1.4 times as much as log beat.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Draws a slope towards 1 as much as beats would whose squared deviations add up to this: the square of how far
# processes lie from the line, 3 %, over how far slopes lie from 1, 20 %. On a machine of one pace it decides alone.
WEIGHT = (0.03 / 0.2) ** 2


def slope(groups: Iterable[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Return how many times as much as log beat log time rises, by ratios and beats, each group about its own mean."""
    beats_squared = both = 0.0
    for ratios, beats in groups:
        if beats:
            mean_ratio, mean_beat = fmean(ratios), fmean(beats)
            beats_squared += sum((beat - mean_beat) ** 2 for beat in beats)
            both += sum((x - mean_beat) * (y - mean_ratio) for x, y in zip(beats, ratios, strict=True))
    return 1 + both / (beats_squared + WEIGHT)


def at_one_pace(ratios: Sequence[float], beats: Sequence[float], slope: float) -> list[float]:
    """Return the ratios without what the beats' own differences make of them."""
    return [ratio - (slope - 1) * beat for ratio, beat in zip(ratios, beats, strict=True)]
