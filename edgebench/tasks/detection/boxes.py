"""Boxes in plain numpy: overlap, non-maximum suppression and the decoding of raw heads. The code also runs on targets.

A box is left, top, right, bottom, in any unit. The heads of a network have one box per cell of a square grid over the
picture. S is the number of cells along a side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from edgebench.schema import decoding

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import bool_, float32, float64, int64
    from numpy.typing import NDArray

PRIOR = 0.125  # width and height of a box, as fractions of the picture's side, for which a head gives logarithms of 0
SCORE, OVERLAP = decoding.SCORE, decoding.OVERLAP
CANDIDATES, MOST = 200, 100  # largest numbers of boxes per picture before and after suppression; COCO evaluates 100
LARGEST_LOG = 2.1  # limit on the logarithms of width and height; at the limit, a box is as large as the picture


class Boxes(NamedTuple):
    """Boxes of one picture, their scores and their classes, highest score first: (n, 4), (n,), (n,)."""

    boxes: NDArray[Any]
    scores: NDArray[Any]
    classes: NDArray[int64]


def iou(boxes: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Return the intersection over union of each of `boxes` with each of `others`: (n, 4), (m, 4) -> (n, m)."""
    import numpy

    shared = _shared(boxes, others)
    total = area(boxes)[:, None] + area(others) - shared
    overlaps: NDArray[Any] = shared / numpy.where(total > 0, total, 1)
    return overlaps


def _shared(boxes: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Return the area that each of `boxes` shares with each of `others`: (n, 4), (m, 4) -> (n, m).

    Computing one coordinate at a time is several times faster than computing all four at once.
    """
    import numpy

    left, top, right, bottom = boxes.T
    width = numpy.minimum.outer(right, others[:, 2]) - numpy.maximum.outer(left, others[:, 0])
    height = numpy.minimum.outer(bottom, others[:, 3]) - numpy.maximum.outer(top, others[:, 1])
    shared: NDArray[Any] = numpy.maximum(width, 0) * numpy.maximum(height, 0)
    return shared


def area(boxes: NDArray[Any]) -> NDArray[Any]:
    """Return each box's area: (n, 4) -> (n,)."""
    areas: NDArray[Any] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def nms(boxes: NDArray[Any], classes: NDArray[int64], overlap: float = OVERLAP) -> NDArray[bool_]:
    """Return a mask of the boxes to keep, so that no two boxes of a class overlap by more than `overlap`.

    `boxes` are sorted by score, highest first. Each pass over all boxes settles at least one more box. In practice
    three or four passes are enough, while a loop over boxes needs one step per box.
    """
    import numpy

    shared, areas, ranks = _shared(boxes, boxes), area(boxes), numpy.arange(len(boxes))
    covers = shared > overlap * (numpy.add.outer(areas, areas) - shared)
    covers &= numpy.equal.outer(classes, classes) & numpy.less.outer(ranks, ranks)
    kept: NDArray[bool_] = ~covers.any(0)
    kept_before = numpy.ones_like(kept)
    while (kept != kept_before).any():
        kept_before, kept = kept, ~(covers & kept[:, None]).any(0)
    return kept


def probabilities(scores: NDArray[float32]) -> NDArray[float32]:
    """Return the probability of each class in each cell: (1 + classes, S, S) -> (classes, S, S).

    The first channel is the logit that the cell has an object; the others are the logits of the object's class.
    """
    import numpy

    exponents = numpy.exp(scores[1:] - scores[1:].max(0))
    shares: NDArray[float32] = exponents / (exponents.sum(0) * (1 + numpy.exp(-numpy.clip(scores[0], -60, 60))))
    return shares


def placed(raw: NDArray[float32], cells: NDArray[int64], side: int) -> NDArray[float32]:
    """Return the boxes of the given cells in fractions of the picture: raw (4, S * S), cells (n,) -> (n, 4).

    `raw` has the offset of the box's centre from the cell's centre, in cells, and the logarithms of width and height.
    """
    import numpy

    x, y, width, height = raw[:, cells]
    middle = numpy.stack(((cells % side + 0.5 + x) / side, (cells // side + 0.5 + y) / side), 1)
    half = numpy.exp(numpy.minimum(numpy.stack((width, height), 1), LARGEST_LOG)) * numpy.float32(PRIOR / 2)
    boxes: NDArray[float32] = numpy.concatenate((middle - half, middle + half), 1).clip(0, 1)
    return boxes


def decode(scores: NDArray[float32], raw: NDArray[float32], score: float = SCORE, overlap: float = OVERLAP) -> Boxes:
    """Return the boxes of a picture, as fractions of the picture's side: scores (1 + classes, S, S), raw (4, S, S)."""
    side, heads = scores.shape[-1], raw.reshape(4, -1)
    likely = probabilities(scores).reshape(len(scores) - 1, -1)
    return kept(likely, lambda cells: placed(heads, cells, side), score, overlap, CANDIDATES)


def kept(
    scores: NDArray[Any],
    place: Callable[[NDArray[int64]], NDArray[Any]],
    score: float,
    overlap: float,
    most: int,
) -> Boxes:
    """Return the boxes of one picture that remain after suppression, highest score first.

    Args:
        scores: the scores of each class at each of n places, (classes, n).
        place: a function that maps indices of places to the boxes there, (m,) -> (m, 4).
        score: the lowest score of a box that is kept.
        overlap: the largest overlap of two kept boxes of the same class.
        most: the largest number of boxes before suppression.
    """
    import numpy

    likely = scores.reshape(-1)
    pairs = (likely >= score).nonzero()[0]
    pairs = pairs[numpy.argsort(-likely[pairs], kind="stable")[:most]]
    classes, places = numpy.divmod(pairs, scores.shape[1])
    found = place(places)
    chosen = nms(found, classes, overlap).nonzero()[0][:MOST]
    return Boxes(found[chosen], likely[pairs[chosen]], classes[chosen])


def assigned(objects: NDArray[float64], side: int) -> tuple[NDArray[int64], NDArray[float32]]:
    """Return the targets of the heads for N pictures: each cell's class (-1 if it has no object) and each cell's raw
    box.

    Args:
        objects: class and box of M objects per picture, (N, M, 5); boxes are fractions of the picture, and a class of
            -1 means that there is no object.
        side: the number of cells along a side, S.

    Returns:
        Classes (N, S * S) and raw boxes (N, 4, S * S). A cell belongs to an object if it contains the object's centre,
        or if the object's central quarter contains the cell's centre. A cell that would belong to several objects
        belongs to the nearest one.
    """
    import numpy

    boxes = objects[:, :, None, 1:]
    middle, size = (boxes[..., :2] + boxes[..., 2:]) / 2, numpy.maximum(boxes[..., 2:] - boxes[..., :2], 1e-6)
    rows, columns = numpy.divmod(numpy.arange(side * side), side)
    offset = middle * side - numpy.stack((columns, rows), 1) - 0.5  # (N, M, S * S, 2), cells
    is_inside = (abs(offset) <= numpy.maximum(size * side / 4, 0.5)).all(-1) & (objects[:, :, None, 0] >= 0)
    distance = numpy.where(is_inside, (offset**2).sum(-1), numpy.inf)
    nearest = distance.argmin(1)[:, None]  # (N, 1, S * S)
    logs = numpy.broadcast_to(numpy.log(size / PRIOR), offset.shape)
    raw = numpy.concatenate((offset, logs), -1)
    chosen = numpy.take_along_axis(raw, nearest[..., None], 1)[:, 0].transpose(0, 2, 1)
    classes = numpy.take_along_axis(objects[:, :, 0], nearest[:, 0], 1)
    return numpy.where(is_inside.any(1), classes, -1).astype(numpy.int64), chosen.astype(numpy.float32)
