"""The raw heads of SSD and SSDLite in TensorFlow's object detection API: offsets from three or six boxes per cell."""

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

COUNTS = (1917, 2034)  # numbers of default boxes at the published resolution
SHAPES = _priors.shapes(*COUNTS)
SCORES = "The score of a class is the sigmoid of its own logit; the background comes first and is dropped."
PREPROCESSING = "whole"
MIXES = False

STRIDE, MAPS = 16, 6
SCALES = _priors.scales(0.2, 0.95, MAPS)
RATIOS = (1.0, 2.0, 0.5, 3.0, 0.3333)
SMALLEST = 0.1  # scale of the squares in the first map
ORDER = [1, 0, 3, 2]  # the columns of x, y, width and height in a file, whose order is y, x, height and width


def classes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the number of classes in outputs of these shapes; 0 if they do not fit this decoder."""
    return _priors.classes(shapes, *COUNTS)


@cache
def priors(resolution: int) -> NDArray[float32]:
    """Return the default boxes as TensorFlow's ssd_anchor_generator makes them with reduce_boxes_in_lowest_layer."""
    sizes = [[_priors.shaped(SMALLEST, 1.0), _priors.shaped(SCALES[0], 2.0), _priors.shaped(SCALES[0], 0.5)]]
    for scale, larger in pairwise(SCALES[1:]):
        sizes.append([*(_priors.shaped(scale, ratio) for ratio in RATIOS), _priors.shaped(sqrt(scale * larger), 1.0)])
    return _priors.placed(_priors.halvings(-(-resolution // STRIDE), MAPS), sizes)


def candidates(outputs: Sequence[NDArray[Any]], resolution: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the scores (classes, n) and the boxes (n, 4) of one image."""
    scores, raw = outputs
    return _priors.sigmoid(scores[:, 1:]).T, _priors.moved(raw[:, ORDER], priors(resolution))
