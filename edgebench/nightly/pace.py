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


def slope(seen: Iterable[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Return how many times as much as log beat log time rises, by ratios and beats, each pair about its own middle."""
    beats_squared = both = 0.0
    for ratios, beats in seen:
        if beats:
            ratio, beat = fmean(ratios), fmean(beats)
            beats_squared += sum((one - beat) ** 2 for one in beats)
            both += sum((x - beat) * (y - ratio) for x, y in zip(beats, ratios, strict=True))
    return 1 + both / (beats_squared + WEIGHT)


def at_one_pace(ratios: Sequence[float], beats: Sequence[float], slope: float) -> list[float]:
    """Return the ratios without what the beats' own differences make of them."""
    return [ratio - (slope - 1) * beat for ratio, beat in zip(ratios, beats, strict=True)]
