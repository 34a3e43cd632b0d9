"""Raw heads of published detectors: their default boxes, and how offsets from default boxes become boxes.

A default box is centre x, centre y, width and height in fractions of the input. Default boxes, (n, 4), are sorted by
map, then by row and column of the cell, then in the order of the sizes of a cell.
"""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import float32
    from numpy.typing import NDArray

    Size = tuple[float, float]  # factors of a default box's width and height

VARIANCES = (0.1, 0.1, 0.2, 0.2)  # factors of the centre's offsets (x, y) and of the logarithms of width and height
MOST_LOG = log(1000 / 16)  # limit on the logarithm of width and of height


def shapes(*counts: int) -> str:
    """Return a text that describes the shapes of two raw outputs; `counts` are the possible numbers of boxes."""
    count = " or ".join(map(str, counts))
    return f"two raw outputs for {count} boxes: scores of 1 x boxes x (1 + classes), then boxes of 1 x boxes x 4"


def classes(found: Sequence[tuple[int, ...]], *counts: int) -> int:
    """Return the number of classes in two raw outputs, scores first; 0 if their number of boxes is none of `counts`."""
    if [len(shape) for shape in found] != [2, 2] or found[0][0] != found[1][0] or found[1][1] != len(VARIANCES):
        return 0
    return max(0, found[0][1] - 1) if found[0][0] in counts else 0


def halvings(first: int, count: int) -> tuple[int, ...]:
    """Return the sides of the maps; each side is half of the side before it, rounded up."""
    sides = [first]
    while len(sides) < count:
        sides.append(-(-sides[-1] // 2))
    return tuple(sides)


def placed(sides: Sequence[int], sizes: Sequence[Sequence[Size]], cells: Sequence[float] = ()) -> NDArray[float32]:
    """Return the default boxes of all cells of a detector's maps.

    Args:
        sides: the side of each map, in cells.
        sizes: for each map, the sizes of the boxes in a cell.
        cells: for each map, the number of cells across the input; by default the side of the map.
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
    """Return scales of default boxes: `count` evenly spaced scales, then 1 (Liu et al., arXiv:1512.02325, eq. 4)."""
    return [*(least + (most - least) * place / (count - 1) for place in range(count)), 1.0]


def shaped(scale: float, ratio: float) -> Size:
    """Return width and height of a box with the area scale² and this ratio of width to height."""
    return scale * sqrt(ratio), scale / sqrt(ratio)


def square_and(scale: float, larger: float, ratios: Sequence[float]) -> list[Size]:
    """Return sizes of default boxes in torchvision's order: two squares, then a wide and a high box for each ratio.

    No side is larger than the input.
    """
    sizes = [(scale, scale), (larger, larger)]
    for ratio in ratios:
        width, height = shaped(scale, ratio)
        sizes += [(width, height), (height, width)]
    return [(min(width, 1.0), min(height, 1.0)) for width, height in sizes]


def moved(offsets: NDArray[Any], priors: NDArray[float32]) -> NDArray[Any]:
    """Return boxes as left, top, right, bottom; `offsets` are relative to the default boxes `priors`, all (n, 4)."""
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
    """Return the boxes of a YOLO head as left, top, right, bottom; a sigmoid keeps each centre within its cell.

    Args:
        raw: x and y of the centre before the sigmoid, and logarithms of width and height, (n, 4).
        priors: the anchors, centred in every cell, (n, 4).
        cells: the side of each box's cell, in fractions of the input, (n, 1).
    """
    import numpy

    middle = priors[:, :2] + (sigmoid(raw[:, :2]) - 0.5) * cells
    half = numpy.exp(numpy.minimum(raw[:, 2:], MOST_LOG)) * priors[:, 2:] / 2
    return numpy.concatenate((middle - half, middle + half), 1)
