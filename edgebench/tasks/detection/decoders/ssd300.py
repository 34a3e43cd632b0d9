"""The raw heads of SSD300 on VGG16, as in torchvision: offsets from four or six default boxes per cell."""

from __future__ import annotations

from functools import cache
from math import sqrt
from typing import TYPE_CHECKING, Any

from edgebench.tasks.detection.decoders import _priors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import float32
    from numpy.typing import NDArray

COUNTS = (8732,)  # number of default boxes at the published resolution
SHAPES = _priors.shapes(*COUNTS)
SCORES = "Scores are the softmax over the classes and the background, which comes first and is dropped."
PREPROCESSING = "whole"
MIXES = False

SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
STEPS = (8, 16, 32, 64, 100, 300)  # pixels between the centres of cells
RATIOS = ((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,))


def classes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the number of classes in outputs of these shapes; 0 if they do not fit this decoder."""
    return _priors.classes(shapes, *COUNTS)


def sides(resolution: int) -> tuple[int, ...]:
    """Return the sides of the six maps, in cells."""
    first = -(-(resolution // 4) // 2)
    second = first // 2
    third = -(-second // 2)
    fourth = -(-third // 2)
    return first, second, third, fourth, fourth - 2, fourth - 4


@cache
def priors(resolution: int) -> NDArray[float32]:
    """Return the default boxes of all cells: two squares, and two boxes for each ratio, wide and high."""
    sizes = [
        _priors.square_and(scale, sqrt(scale * SCALES[place + 1]), RATIOS[place])
        for place, scale in enumerate(SCALES[:-1])
    ]
    return _priors.placed(sides(resolution), sizes, [resolution / step for step in STEPS])


def candidates(outputs: Sequence[NDArray[Any]], resolution: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the scores (classes, n) and the boxes (n, 4) of one image."""
    scores, raw = outputs
    return _priors.softmax(scores)[:, 1:].T, _priors.moved(raw, priors(resolution))
