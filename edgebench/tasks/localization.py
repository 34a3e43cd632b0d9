"""The task of naming one class and one box per image; its metric is the boxes' mean intersection over union (IoU)."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Any, NamedTuple

from edgebench.foundation import stats
from edgebench.tasks import _intervals
from edgebench.tasks.detection.boxes import iou

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy import float32, float64
    from numpy.typing import NDArray
    from torch import Tensor

    from edgebench.tasks import Truth

OUTPUTS = ("logits", "box")
METRIC = "iou"
HEADING = "IoU"
COLUMNS = {"iou": True, "iou50": True, "both_right": True, "top1": True}
LEARNED = "top1"  # rather than "iou", because one box in the middle, the same for all images, has an IoU far above 0
AUGMENTATION: tuple[str, ...] = ()  # no augmentation, because a flip or a shift would also have to move the box
PART = 5000  # five times as many images as in detection or segmentation, because a class and a box teach little
OF_FEATURES = 0.2  # at a higher rate, the features lose what the base has learned about classes
THRESHOLDS: dict[str, float] = {}

OVERLAP = 0.5  # a box with a larger IoU is right
BOX_WEIGHT = 25.0  # weight of the boxes' mean squared error in the loss, relative to the cross-entropy of the classes
NOTHING = -1  # class of an image without an object; neither training nor evaluation uses such an image


class Answer(NamedTuple):
    """The class of an image, and its box as fractions of the image's sides: left, top, right, bottom, (4,)."""

    label: int
    box: NDArray[float32]


class Result(NamedTuple):
    """The IoU of the predicted box with the object's box, and whether the predicted class is right; (NaN, False) if the
    image has no object.
    """

    iou: float
    is_right: bool


def values(classes: int, resolution: int) -> int:
    """Return the number of values of both heads for one image: one per class, and four for the box."""
    return classes + 4


def targets(truths: Sequence[Truth], resolution: int) -> tuple[NDArray[Any], ...]:
    """Return the true class of each image, (N,), and the true box as fractions of the image's sides, (N, 4)."""
    import numpy

    objects = [object_of(truth) for truth in truths]
    labels, boxes = zip(*objects, strict=True)
    return numpy.array(labels, numpy.int64), numpy.array(boxes, numpy.float32)


def object_of(truth: Truth) -> tuple[int, NDArray[float64]]:
    """Return class and box of the image's largest object, the box as fractions; class `NOTHING` if it has no object."""
    import numpy

    assert truth.boxes is not None, "if the TASKS of a data set contain localization, it has boxes"
    if not len(truth.boxes):
        return NOTHING, numpy.zeros(4)
    sides = truth.boxes[:, 2:] - truth.boxes[:, :2]
    largest = int(sides.prod(1).argmax())
    return int(truth.classes[largest]), truth.boxes[largest] / numpy.array(truth.size * 2)


def loss(outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return the cross-entropy of the classes plus 25 times the mean squared error of the boxes' four numbers."""
    from torch.nn import functional

    (logits, boxes), (labels, wanted) = outputs, targets
    held = (labels != NOTHING).to(boxes.dtype)
    count = held.sum().clamp(min=1)
    entropy = functional.cross_entropy(logits, labels, ignore_index=NOTHING, reduction="sum") / count
    squares = (functional.mse_loss(boxes, wanted, reduction="none").mean(1) * held).sum() / count
    return entropy + BOX_WEIGHT * squares


def decode(values: NDArray[float32], classes: int, resolution: int) -> list[Answer]:
    """Return the class and the box that a network gives for each image.

    A box is cut at the image's edges. If a network gives a box whose right lies before its left, or whose bottom lies
    above its top, the box gets a width or height of 0.
    """
    import numpy

    labels = values[:, :classes].argmax(1)
    corners = numpy.nan_to_num(values[:, classes:]).clip(0, 1)
    corners[:, 2:] = numpy.maximum(corners[:, 2:], corners[:, :2])
    return [Answer(int(label), box) for label, box in zip(labels, corners, strict=True)]


def seen(answer: Answer, truth: Truth) -> Result:
    """Compare a network's prediction with the image's largest object."""
    label, box = object_of(truth)
    if label == NOTHING:
        return Result(float("nan"), False)
    return Result(_overlap(answer.box, box), answer.label == label)


def _overlap(box: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the IoU of two boxes; 0 if the boxes have no area."""
    return float(iou(box[None].astype("f8"), other[None].astype("f8"))[0, 0])


def figures(images: Sequence[Result]) -> dict[str, float]:
    """Return the mean IoU and three shares of images: with the right box, with both right, and with the right class.

    The mapping is empty if no image has an object.
    """
    results = _counted(images)
    if not len(results):
        return {}
    return {METRIC: float(results[:, 0].mean()), **{name: float(right.mean()) for name, right in _right(results)}}


def intervals(images: Sequence[Result]) -> dict[str, tuple[float, float]]:
    """Return the interval of the mean IoU, by a bootstrap over images, and Wilson's intervals of the shares."""
    results = _counted(images)
    if not len(results):
        return {}
    shares = {name: stats.wilson(int(right.sum()), len(right)) for name, right in _right(results)}
    return {METRIC: _intervals.interval(_resampled(results[:, 0])), **shares}


def _counted(images: Sequence[Result]) -> NDArray[float64]:
    """Return, for each image with an object, the IoU and 1 or 0 for a right or wrong class, (N, 2)."""
    import numpy

    results = numpy.array(images, float).reshape(-1, 2)
    counted: NDArray[float64] = results[~numpy.isnan(results[:, 0])]
    return counted


def _right(results: NDArray[float64]) -> list[tuple[str, NDArray[Any]]]:
    is_box, is_class = results[:, 0] > OVERLAP, results[:, 1] > 0
    return [("iou50", is_box), ("both_right", is_box & is_class), ("top1", is_class)]


def _resampled(overlaps: NDArray[float64]) -> NDArray[float64]:
    """Return the mean of the values in each resample of the images."""
    means: NDArray[float64] = _intervals.weights(len(overlaps)) @ overlaps / len(overlaps)
    return means


def chance(classes: int) -> float:
    """Return the top-1 accuracy of random guessing."""
    return 1 / classes


def tally(
    outputs: Iterable[NDArray[float32]],
    reference: Iterable[NDArray[float32]] | None,
    truth: Callable[[int], Truth],
    classes: int,
    resolution: int,
) -> dict[str, Any]:
    """Compute the metrics with their intervals; with a float parent, also the paired difference of the mean IoU."""
    tally, parents = _Tally(classes, resolution), None if reference is None else iter(reference)
    for rows in outputs:
        tally.add(rows, None if parents is None else next(parents), truth)
    return tally.fields()


class _Tally:
    """Results of an artifact and of its float parent (the fp32 file it was made from), collected batch by batch."""

    def __init__(self, classes: int, resolution: int) -> None:
        self._head = classes, resolution
        self._images, self._parents = list[Result](), list[Result]()
        self._not_finite = self._parent_not_finite = self._agreed = 0
        self._signal = self._noise = 0.0

    def add(self, rows: NDArray[float32], expected: NDArray[float32] | None, truth: Callable[[int], Truth]) -> None:
        """Add the results for one batch of outputs, and for the float parent's outputs for the same images."""
        import numpy

        truths = [truth(len(self._images) + place) for place in range(len(rows))]
        self._not_finite += int((~numpy.isfinite(rows).all(1)).sum())
        self._images += map(seen, decode(rows, *self._head), truths)
        if expected is None:
            return
        self._parent_not_finite += int((~numpy.isfinite(expected).all(1)).sum())
        self._parents += map(seen, decode(expected, *self._head), truths)
        given, exact = (numpy.where(numpy.isfinite(part), part, 0).astype("f8") for part in (rows, expected))
        self._signal += float((exact**2).sum())
        self._noise += float(((exact - given) ** 2).sum())
        pairs = zip(decode(rows, *self._head), decode(expected, *self._head), strict=True)
        self._agreed += sum(
            own.label == parent.label and _overlap(own.box, parent.box) >= OVERLAP for own, parent in pairs
        )

    def fields(self) -> dict[str, Any]:
        """Return the fields of an `Accuracy` record."""
        if self._not_finite or not self._images:
            return {"correct": 0, "not_finite": self._not_finite}
        alone = {"correct": 0, "metrics": _intervals.metrics(figures(self._images), intervals(self._images))}
        if not self._parents or self._parent_not_finite:
            return alone
        noise = 10 * log10(self._signal / self._noise) if self._noise and self._signal else None
        return alone | {"change": self._change(), "agreement": self._agreed / len(self._images), "sqnr_db": noise}

    def _change(self) -> Any:
        """Return the difference in mean IoU from the parent, paired image by image; None if no image has an object."""
        gaps = _counted(self._images)[:, 0] - _counted(self._parents)[:, 0]
        if not len(gaps):
            return None
        return _intervals.metric(METRIC, float(gaps.mean()), _intervals.interval(_resampled(gaps)))
