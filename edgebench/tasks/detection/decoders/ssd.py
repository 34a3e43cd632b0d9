"""Outputs of an SSD detector that decodes its boxes in the model: class scores and boxes as two outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.tasks.detection.decoders import _layouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHAPES = (
    "two outputs in any order: class scores of 1 x boxes x (1 + classes), background first, and boxes of 1 x boxes x 4:"
    " left, top, right, bottom"
)
SCORES = (
    "The background class is dropped. Probabilities are taken as they are; of logits, the softmax over all classes and"
    " the background is taken."
)
PREPROCESSING = "whole"
MIXES = False

LOGIT = 1.5  # scores outside of -1.5 to 1.5 are taken for logits, not for probabilities
PLAUSIBLE = 0.5  # least share of boxes with right > left and bottom > top; below it, the boxes are not corners


def classes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return the number of classes without the background; 0 if outputs of these shapes do not fit this decoder."""
    tables = [_layouts.squeezed(shape) for shape in shapes]
    if [len(table) for table in tables] != [2, 2] or tables[0][0] != tables[1][0]:
        return 0
    columns = sorted((table[1] for table in tables), key=lambda count: count == 4)  # boxes last
    return columns[0] - 1 if columns[1] == 4 else 0


def candidates(outputs: Sequence[NDArray[Any]], resolution: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return scores (classes, n) and boxes (n, 4). If both outputs have four columns, the scores come first.

    Raises:
        ValueError: the boxes are offsets from anchors.
    """
    tables = [output.reshape(_layouts.squeezed(output.shape)) for output in outputs]
    scores, found = sorted(tables, key=lambda table: table.shape[1] == 4)
    if (found[:, 2:] > found[:, :2]).all(1).mean() < PLAUSIBLE:
        raise ValueError(
            "wanted boxes as left, top, right, bottom, found most with right before left: they are offsets"
            " from anchors, or in another order; export the model with decoded boxes"
        )
    return _probabilities(scores)[:, 1:].T, _layouts.fractions(found, resolution)


def _probabilities(scores: NDArray[Any]) -> NDArray[Any]:
    """Return probabilities, (n, 1 + classes): the softmax of logits; probabilities are returned unchanged."""
    import numpy

    if abs(scores).max(initial=0.0) <= LOGIT:
        return scores
    exponents = numpy.exp(scores - scores.max(1, keepdims=True))
    shares: NDArray[Any] = exponents / exponents.sum(1, keepdims=True)
    return shares
