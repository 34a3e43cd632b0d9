"""Boxes and labels -> COCO's mean average precision, with intervals from a bootstrap over images; plain numpy.

The matches of boxes with objects are stored per image. A resample only changes how often each image counts, so that no
box has to be matched again. Two networks are compared on the same resamples. The figures equal the figures of
pycocotools: 101 recall points, ten overlaps, at most 100 boxes per image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from edgebench.foundation import stats
from edgebench.tasks.detection.boxes import MOST, area, iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import bool_, float64, int64
    from numpy.typing import NDArray

    from edgebench.tasks.detection.boxes import Boxes

OVERLAPS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
AP75 = OVERLAPS.index(0.75)
# Ranges of an object's area, in square pixels, for all objects, small objects and medium objects.
RANGES = ((0.0, 1e10), (0.0, 32.0**2), (32.0**2, 96.0**2))
RESAMPLES, SEED = 1000, 0
AT_ONCE = 50  # number of resamples that are computed together, so that they stay in the processor's cache


class Matches(NamedTuple):
    """The matches between the n boxes of one image, sorted from the highest score, and the image's m objects.

    Attributes:
        is_true: whether each box found an object, for each range of area and each overlap, (3, 10, n).
        is_ignored: whether each box is left out of the metric, neither right nor wrong, (3, 10, n).
        objects: the class of each object, (m,).
        counts: whether each object's area is in each range, (3, m).
    """

    scores: NDArray[float64]
    classes: NDArray[int64]
    is_true: NDArray[bool_]
    is_ignored: NDArray[bool_]
    objects: NDArray[int64]
    counts: NDArray[bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Mean average precisions, in [0, 1], for different overlaps and areas; NaN if no object has such an area."""

    map: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float


def match(found: Boxes, boxes: NDArray[Any], classes: NDArray[int64]) -> Matches:
    """Match the boxes of an image with the image's objects, (m, 4) in pixels, as COCO does: the box with the highest
    score first, and at most one box per object.
    """
    import numpy

    order = _counted(found)
    scores, labels = found.scores[order].astype("f8"), found.classes[order]
    areas, sizes = area(boxes.astype("f8")), area(found.boxes[order].astype("f8"))
    counts, is_outside = (
        numpy.array([(low <= values) & (values <= high) for low, high in RANGES]) for values in (areas, sizes)
    )
    is_outside = ~is_outside
    overlaps = iou(found.boxes[order].astype("f8"), boxes.astype("f8"))
    overlaps[labels[:, None] != classes] = -1.0
    is_true, is_ignored = _matched(overlaps, counts)
    is_ignored |= ~is_true & ~is_ignored & is_outside[:, None]
    return Matches(scores, labels, is_true, is_ignored, classes, counts)


def _counted(found: Boxes) -> NDArray[int64]:
    """Return the indices of the boxes in the order of their scores, at most 100 of each class."""
    import numpy

    order: NDArray[int64] = numpy.argsort(-found.scores, kind="stable")
    if len(order) <= MOST:
        return order
    labels = found.classes[order]
    first = [(labels == label).nonzero()[0][:MOST] for label in numpy.unique(labels)]
    counted: NDArray[int64] = order[numpy.sort(numpy.concatenate(first))]
    return counted


def _matched(overlaps: NDArray[float64], counts: NDArray[bool_]) -> tuple[NDArray[bool_], NDArray[bool_]]:
    """Match each box with the object that it overlaps most, among the objects that no earlier box was matched with.

    Objects whose area is in the range of areas are preferred.

    Returns:
        Whether each box found an object in the range of areas, and whether it found an object outside of the range;
        both arrays have the shape (ranges, overlaps, n).
    """
    import numpy

    boxes, objects = overlaps.shape
    least = numpy.minimum(OVERLAPS, 1 - 1e-10)[:, None]
    is_free = numpy.ones((len(RANGES), len(OVERLAPS), objects), bool)
    results = numpy.zeros((2, len(RANGES), len(OVERLAPS), boxes), bool)
    for box in (overlaps >= OVERLAPS[0]).any(1).nonzero()[0]:
        is_open = is_free & (overlaps[box] >= least)
        merit = numpy.where(is_open, overlaps[box] + 2.0 * counts[:, None], -1.0)
        best = objects - 1 - merit[..., ::-1].argmax(-1)[..., None]  # ties go to the last object, as in pycocotools
        is_found = numpy.take_along_axis(is_open, best, -1)
        numpy.put_along_axis(is_free, best, numpy.take_along_axis(is_free, best, -1) & ~is_found, -1)
        is_counted = numpy.take_along_axis(numpy.broadcast_to(counts[:, None], is_free.shape), best, -1)
        results[:, :, :, box] = (is_found & is_counted)[..., 0], (is_found & ~is_counted)[..., 0]
    return results[0], results[1]


class _Ranked(NamedTuple):
    """All boxes of one class, sorted by score, and all objects of the class, in all images.

    Attributes:
        images: for each box, the index of the image in which it was found.
        homes: for each object, the index of the image that shows it.
    """

    is_true: NDArray[bool_]
    is_ignored: NDArray[bool_]
    images: NDArray[int64]
    homes: NDArray[int64]
    counts: NDArray[bool_]


def _ranked(images: Sequence[Matches]) -> list[_Ranked]:
    """Return the boxes of all images for each class, sorted from the highest score; equal scores keep the images'
    order.
    """
    import numpy

    scores, labels = (numpy.concatenate([getattr(image, name) for image in images]) for name in ("scores", "classes"))
    is_true, is_ignored = (
        numpy.concatenate([getattr(image, name) for image in images], -1) for name in ("is_true", "is_ignored")
    )
    of_box = numpy.repeat(numpy.arange(len(images)), [len(image.scores) for image in images])
    of_object = numpy.repeat(numpy.arange(len(images)), [len(image.objects) for image in images])
    objects = numpy.concatenate([image.objects for image in images])
    counts = numpy.concatenate([image.counts for image in images], -1)
    order = numpy.argsort(-scores, kind="stable")
    ranked = []
    for label in numpy.unique(objects):
        rows, own = order[labels[order] == label], objects == label
        ranked.append(_Ranked(is_true[..., rows], is_ignored[..., rows], of_box[rows], of_object[own], counts[:, own]))
    return ranked


def _precision(one: _Ranked, area_range: int, overlap: int, weights: NDArray[float64]) -> NDArray[float64]:
    """Return a class's average precision in R resamples: weights (R, images) -> (R,). NaN without objects."""
    import numpy

    is_true = one.is_true[area_range, overlap]
    of_objects = weights[:, one.homes[one.counts[area_range]]].sum(1, keepdims=True)
    with numpy.errstate(invalid="ignore", divide="ignore"):
        of_boxes = numpy.cumsum(weights[:, one.images] * ~one.is_ignored[area_range, overlap], 1)[:, is_true]
        return _average(numpy.cumsum(weights[:, one.images[is_true]], 1), of_boxes, of_objects)


def _average(true: NDArray[float64], boxes: NDArray[float64], objects: NDArray[float64]) -> NDArray[float64]:
    """Average the precision over 101 recall points.

    For each of n true boxes in the order of scores, `true` and `boxes`, (R, n), have the numbers of true boxes and of
    all boxes up to this box. `objects`, (R, 1), has the number of all objects. A box or object counts as often as its
    image occurs in the resample. Between two true boxes the precision can only fall, so it is enough to know the
    precision at the true boxes.
    """
    import numpy

    precision = numpy.nan_to_num(true / boxes)
    envelope = numpy.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
    points = numpy.searchsorted(_points(), (true / objects.astype("f8")).ravel(), "right").reshape(true.shape)
    share = (numpy.diff(points, axis=1, prepend=0) * envelope).sum(1) / len(_points())
    return numpy.where(objects[:, 0] > 0, share, numpy.nan)


def _points() -> NDArray[float64]:
    """Return the recall points, unrounded, because rounded points would change the sixth digit of the result."""
    import numpy

    return numpy.linspace(0, 1, 101)


def figures(images: Sequence[Matches]) -> Figures:
    """Return the mean average precision over all images: overall, at two single overlaps, and for two object sizes."""
    import numpy

    ranked, weights = _ranked(images), numpy.ones((1, len(images)))
    table = numpy.array(
        [
            [[_precision(one, part, overlap, weights)[0] for overlap in range(len(OVERLAPS))] for one in ranked]
            for part in range(len(RANGES))
        ]
    ).reshape(len(RANGES), -1, len(OVERLAPS))
    return Figures(
        map=_mean(table[0]),
        ap50=_mean(table[0, :, 0]),
        ap75=_mean(table[0, :, AP75]),
        ap_small=_mean(table[1]),
        ap_medium=_mean(table[2]),
    )


def _mean(values: NDArray[float64]) -> float:
    import numpy

    return float(numpy.nanmean(values)) if numpy.isfinite(values).any() else float("nan")


def resampled(images: Sequence[Matches], resamples: int = RESAMPLES) -> NDArray[float64]:
    """Return the mean average precision of each of R resamples, (R,).

    The resamples have a fixed seed, so that two networks evaluated on equally many images get the same ones.
    """
    import numpy

    random, ranked, count = numpy.random.default_rng(SEED), _ranked(images), len(images)
    results = []
    for start in range(0, resamples, AT_ONCE):
        several = min(AT_ONCE, resamples - start)
        weights = random.multinomial(count, numpy.full(count, 1 / count), several).astype("f4")
        total = numpy.zeros((2, several))
        for one in ranked:
            averages = _of_all_overlaps(one, weights)
            total += numpy.nan_to_num(averages), numpy.isfinite(averages)
        with numpy.errstate(invalid="ignore"):  # the result is NaN without an object
            results.append(total[0] / total[1])
    return numpy.concatenate(results)


def _of_all_overlaps(one: _Ranked, weights: NDArray[Any]) -> NDArray[float64]:
    """Return a class's average precision in R resamples, averaged over the ten overlaps, for objects of any size."""
    import numpy

    of_objects = weights[:, one.homes].sum(1, keepdims=True)
    boxes, averages = numpy.cumsum(weights[:, one.images], 1), numpy.zeros(len(weights))
    with numpy.errstate(invalid="ignore", divide="ignore"):
        for is_true in one.is_true[0]:
            averages += _average(numpy.cumsum(weights[:, one.images[is_true]], 1), boxes[:, is_true], of_objects)
    return averages / len(OVERLAPS)


def interval(values: NDArray[float64]) -> tuple[float, float]:
    """Return the bounds of the central 95 % of the resamples' values."""
    import numpy

    tail = (1 - stats.CONFIDENCE) / 2
    low, high = numpy.nanquantile(values, (tail, 1 - tail))
    return float(low), float(high)
