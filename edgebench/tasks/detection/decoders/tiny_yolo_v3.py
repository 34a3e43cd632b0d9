"""The raw heads of Tiny YOLOv3: two maps, the coarser one first, with three anchors per cell."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from edgebench.tasks.detection.decoders import _priors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import float32
    from numpy.typing import NDArray

COUNTS = (2535,)  # numbers of default boxes at the published resolution
SHAPES = _priors.shapes(*COUNTS)
SCORES = "The score of a class is the sigmoid of the objectness, which comes first, times the sigmoid of the class."
PREPROCESSING = "letterbox"
MIXES = False

STRIDES = (32, 16)
ANCHORS = (((81, 82), (135, 169), (344, 319)), ((10, 14), (23, 27), (37, 58)))  # pixels


def classes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the number of classes in outputs of these shapes; 0 if they do not fit this decoder."""
    return _priors.classes(shapes, *COUNTS)


@cache
def priors(resolution: int) -> NDArray[float32]:
    """Return the default boxes: the anchors, centred in every cell."""
    sizes = [[(width / resolution, height / resolution) for width, height in anchors] for anchors in ANCHORS]
    return _priors.placed([resolution // stride for stride in STRIDES], sizes)


def candidates(outputs: Sequence[NDArray[Any]], resolution: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the scores (classes, n) and the boxes (n, 4) of one image."""
    import numpy

    scores, raw = outputs
    counts = [len(anchors) * (resolution // stride) ** 2 for anchors, stride in zip(ANCHORS, STRIDES, strict=True)]
    cells = numpy.repeat(numpy.array(STRIDES, numpy.float32) / resolution, counts)[:, None]
    likely = _priors.sigmoid(scores[:, :1]) * _priors.sigmoid(scores[:, 1:])
    return likely.T, _priors.around(raw, priors(resolution), cells)
