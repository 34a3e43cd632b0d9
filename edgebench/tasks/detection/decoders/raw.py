"""The raw heads of edgebench's own detectors: two maps, one box per cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.tasks.detection import boxes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHAPES = (
    "two outputs that are maps of side S: 1 x (1 + classes) x S x S, the logit of an object and the logits of its"
    " class; and 1 x 4 x S x S, the centre's offset in cells, and the logarithms of width and height in eighths of the"
    " input"
)
SCORES = "The score of a class is the sigmoid of the object's logit times the softmax over the classes."
PREPROCESSING = "whole"
MIXES = False


def classes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the number of classes in outputs of these shapes; 0 if they do not fit this decoder."""
    if [len(shape) for shape in shapes] != [3, 3] or shapes[0][1:] != shapes[1][1:] or len(set(shapes[0][1:])) != 1:
        return 0
    return shapes[0][0] - 1 if shapes[1][0] == 4 else 0


def candidates(outputs: Sequence[NDArray[Any]], resolution: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the scores (classes, n) and the boxes (n, 4) of one image."""
    import numpy

    scores, raw = outputs
    side = scores.shape[-1]
    likely = boxes.probabilities(scores)
    return likely.reshape(len(likely), -1), boxes.placed(raw.reshape(4, -1), numpy.arange(side * side), side)
