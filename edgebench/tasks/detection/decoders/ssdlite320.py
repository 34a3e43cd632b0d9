"""The raw heads of torchvision's SSDLite on MobileNetV3: offsets from six default boxes per cell."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

from edgebench.tasks.detection.decoders import _priors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import float32
    from numpy.typing import NDArray

COUNTS = (3234,)  # numbers of default boxes at the published resolution
SHAPES = _priors.shapes(*COUNTS)
SCORES = "Scores are the softmax over the classes and the background, which comes first and is dropped."
PREPROCESSING = "whole"
MIXES = False

STRIDE, MAPS, RATIOS = 16, 6, (2.0, 3.0)
SCALES = _priors.scales(0.2, 0.95, MAPS)


def classes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the number of classes in outputs of these shapes; 0 if they do not fit this decoder."""
    return _priors.classes(shapes, *COUNTS)


@cache
def priors(resolution: int) -> NDArray[float32]:
    """Return the default boxes of all cells: two squares, and two boxes for each ratio, wide and high."""
    sizes = [_priors.square_and(scale, sqrt(scale * larger), RATIOS) for scale, larger in pairwise(SCALES)]
    return _priors.placed(_priors.halvings(-(-resolution // STRIDE), MAPS), sizes)


def candidates(outputs: Sequence[NDArray[Any]], resolution: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the scores (classes, n) and the boxes (n, 4) of one image."""
    scores, raw = outputs
    return _priors.softmax(scores)[:, 1:].T, _priors.moved(raw, priors(resolution))
