"""The raw heads of Tiny YOLOv2 for VOC: five anchors per cell."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from edgebench.tasks.detection.decoders import _priors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import float32
    from numpy.typing import NDArray

COUNTS = (845,)  # numbers of default boxes at the published resolution
SHAPES = _priors.shapes(*COUNTS)
SCORES = "The score of a class is the sigmoid of the objectness, which comes first, times the softmax over the classes."
PREPROCESSING = "letterbox"
MIXES = False

STRIDE = 32
ANCHORS = ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))  # cells


def classes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the number of classes in outputs of these shapes; 0 if they do not fit this decoder."""
    return _priors.classes(shapes, *COUNTS)


@cache
def priors(resolution: int) -> NDArray[float32]:
    """Return the default boxes: the anchors, centred in every cell."""
    side = resolution // STRIDE
    return _priors.placed([side], [[(width / side, height / side) for width, height in ANCHORS]])


def candidates(outputs: Sequence[NDArray[Any]], resolution: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the scores (classes, n) and the boxes (n, 4) of one image."""
    import numpy

    scores, raw = outputs
    cells = numpy.full((len(raw), 1), STRIDE / resolution, numpy.float32)
    likely = _priors.sigmoid(scores[:, :1]) * _priors.softmax(scores[:, 1:])
    return likely.T, _priors.around(raw, priors(resolution), cells)
