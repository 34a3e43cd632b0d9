"""YOLOv8, YOLOv9 and YOLO11 as they are exported: one list of boxes, without objectness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.tasks.detection.decoders import _layouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHAPES = "one output of 1 x (4 + classes) x boxes, or transposed: centre x, centre y, width, height, then class scores"
SCORES = "A box gets every class whose score is high enough; scores are probabilities, after the sigmoid."
PREPROCESSING = "letterbox"
MIXES = True


def classes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the number of classes in outputs of these shapes; 0 if they do not fit this decoder."""
    return _layouts.channels(shapes, 4)


def candidates(outputs: Sequence[NDArray[Any]], resolution: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the scores (classes, n) and the boxes (n, 4) of one image.

    Raises:
        ValueError: the scores are not probabilities.
    """
    table = _layouts.channels_first(outputs[0], by_box=False)
    return _layouts.probabilities(table[4:]), _layouts.corners(table[:4], resolution)
