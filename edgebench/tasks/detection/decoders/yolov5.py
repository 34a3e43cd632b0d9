"""YOLOv5, YOLOv7 and decoded YOLOX: one list of boxes, with objectness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.tasks.detection.decoders import _layouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHAPES = (
    "one output of 1 x boxes x (5 + classes), or transposed: centre x, centre y, width, height, objectness, then class"
    " scores"
)
SCORES = "The score of a class is objectness times class score; both are probabilities, after the sigmoid."
PREPROCESSING = "letterbox"
MIXES = True


def classes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the number of classes in outputs of these shapes; 0 if they do not fit this decoder."""
    return _layouts.channels(shapes, 5)


def candidates(outputs: Sequence[NDArray[Any]], resolution: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the scores (classes, n) and the boxes (n, 4) of one image.

    Raises:
        ValueError: the scores are not probabilities.
    """
    table = _layouts.channels_first(outputs[0], by_box=True)
    scores = _layouts.probabilities(table[4:])
    return scores[:1] * scores[1:], _layouts.corners(table[:4], resolution)
