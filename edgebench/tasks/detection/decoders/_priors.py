"""Raw heads of published detectors: their default boxes, and how offsets from these become boxes.

Default boxes are centre x, centre y, width and height in fractions of the input, (n, 4): map by map, row by row, and in
a cell in the order of its sizes.
"""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import float32
    from numpy.typing import NDArray

    Size = tuple[float, float]  # width and height

VARIANCES = (0.1, 0.1, 0.2, 0.2)  # what offsets of a centre and logarithms of a size are multiplied by
MOST_LOG = log(1000 / 16)  # limit on the logarithm of a size


def shapes(*counts: int) -> str:
    """Describe two raw outputs with one of these numbers of boxes."""
    count = " or ".join(map(str, counts))
    return f"two raw outputs for {count} boxes: scores of 1xboxesx(1+classes), then boxes of 1xboxesx4"


def classes(found: Sequence[tuple[int, ...]], *counts: int) -> int:
    """Return the number of classes in two raw outputs, scores first; 0 if they have another number of boxes."""
    if [len(shape) for shape in found] != [2, 2] or found[0][0] != found[1][0] or found[1][1] != len(VARIANCES):
        return 0
    return max(0, found[0][1] - 1) if found[0][0] in counts else 0


def halvings(first: int, count: int) -> tuple[int, ...]:
    """Return the sides of maps, each of which halves the one before and rounds up."""
    sides = [first]
    while len(sides) < count:
        sides.append(-(-sides[-1] // 2))
    return tuple(sides)


def placed(sides: Sequence[int], sizes: Sequence[Sequence[Size]], cells: Sequence[float] = ()) -> NDArray[float32]:
    """Return the default boxes of maps.

    Args:
        sides: of the maps.
        sizes: of the boxes in a cell of each map.
        cells: number of cells that the input is wide, if it differs from the side of the map.
    """
    import numpy

    parts = []
    for side, widths, length in zip(sides, sizes, cells or sides, strict=True):
        rows, columns = numpy.divmod(numpy.arange(side * side), side)
        middle = (numpy.stack((columns, rows), 1) + 0.5) / length
        boxes = numpy.empty((side * side, len(widths), 4), numpy.float32)
        boxes[..., :2], boxes[..., 2:] = middle[:, None], widths
        parts.append(boxes.reshape(-1, 4))
    return numpy.concatenate(parts)


def scales(least: float, most: float, count: int) -> list[float]:
    """Return evenly spaced scales, and 1 after the last (Liu et al., arXiv:1512.02325, eq. 4)."""
    return [*(least + (most - least) * place / (count - 1) for place in range(count)), 1.0]


def shaped(scale: float, ratio: float) -> Size:
    """Return the size of a box of an area and a ratio of width to height."""
    return scale * sqrt(ratio), scale / sqrt(ratio)


def square_and(scale: float, larger: float, ratios: Sequence[float]) -> list[Size]:
    """Return torchvision's sizes: two squares, and each ratio in both directions; no side is larger than the input."""
    sizes = [(scale, scale), (larger, larger)]
    for ratio in ratios:
        width, height = shaped(scale, ratio)
        sizes += [(width, height), (height, width)]
    return [(min(width, 1.0), min(height, 1.0)) for width, height in sizes]


def moved(offsets: NDArray[Any], priors: NDArray[float32]) -> NDArray[Any]:
    """Return boxes, left, top, right, bottom, from offsets of default boxes in x, y, width and height; (n, 4) each."""
    import numpy

    scaled = offsets * numpy.array(VARIANCES, numpy.float32)
    middle = priors[:, :2] + scaled[:, :2] * priors[:, 2:]
    half = numpy.exp(numpy.minimum(scaled[:, 2:], MOST_LOG)) * priors[:, 2:] / 2
    return numpy.concatenate((middle - half, middle + half), 1)


def softmax(scores: NDArray[Any]) -> NDArray[Any]:
    """Return the softmax over the last axis."""
    import numpy

    exponents = numpy.exp(scores - scores.max(-1, keepdims=True))
    shares: NDArray[Any] = exponents / exponents.sum(-1, keepdims=True)
    return shares


def sigmoid(scores: NDArray[Any]) -> NDArray[Any]:
    """Return the sigmoid of each value."""
    import numpy

    shares: NDArray[Any] = 1 / (1 + numpy.exp(-numpy.clip(scores, -60, 60)))
    return shares


def around(raw: NDArray[Any], priors: NDArray[float32], cells: NDArray[float32]) -> NDArray[Any]:
    """Return boxes of YOLO, left, top, right, bottom: the sigmoid moves the centre within its cell.

    Args:
        raw: x, y, and logarithms of width and height, (n, 4).
        priors: the anchors at every cell, (n, 4).
        cells: the side of each box's cell, in fractions of the input, (n, 1).
    """
    import numpy

    middle = priors[:, :2] + (sigmoid(raw[:, :2]) - 0.5) * cells
    half = numpy.exp(numpy.minimum(raw[:, 2:], MOST_LOG)) * priors[:, 2:] / 2
    return numpy.concatenate((middle - half, middle + half), 1)
