"""The task of giving every pixel a class; its metric is the mean intersection over union (mIoU) over all images.

In a map of classes, 0 is the background, and class c of the data set is 1 + c. A pixel of the truth with the value
`IGNORED` belongs to no class and is not counted. A network's map is resized to the truth's size before it is compared,
so that mIoU does not depend on the resolution of the network's map.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from edgebench.foundation.errors import CaseError
from edgebench.tasks import _intervals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy import float32, float64, int64, uint8
    from numpy.typing import NDArray
    from torch import Tensor

    from edgebench.tasks import Truth

OUTPUTS = ("map",)
METRIC = "miou"
HEADING = "mIoU"
COLUMNS = {"miou": True, "foreground_iou": False, "pixel_accuracy": False}
LEARNED = "foreground_iou"  # this metric is 0 if a network predicts background everywhere, while mIoU can then be high
AUGMENTATION: tuple[str, ...] = ()  # no augmentation, because a flip or a shift would also have to move the mask
PART = 1000
OF_FEATURES = 0.4
THRESHOLDS: dict[str, float] = {}

# The value of a label's pixel that metrics ignore, such as VOC's borders.
# In a predicted map, it is the value of a pixel that has a NaN or infinite score.
IGNORED = 255
MOST_CLASSES = IGNORED - 1  # the largest number of classes without background: a map has a byte per pixel
BACKGROUND = 0.2  # weight of a background pixel in the loss, because most pixels are background


class Counts(NamedTuple):
    """Three numbers of pixels for each class in one image, each (IGNORED,); mIoU is computed from these alone.

    Attributes:
        hits: number of correctly predicted pixels of each class: the diagonal of the confusion matrix.
        truths: number of pixels of each class in the label: the sums of the confusion matrix's rows.
        answers: number of pixels of each class in the network's map: the sums of the confusion matrix's columns.
    """

    hits: NDArray[int64]
    truths: NDArray[int64]
    answers: NDArray[int64]


def values(classes: int, resolution: int) -> int:
    """Return the number of scores for one image: each pixel has one for the background and one for each class.

    Raises:
        CaseError: there are more classes than a map of bytes can hold.
    """
    if classes > MOST_CLASSES:
        raise CaseError(
            f"segmentation stores a class in one byte: wanted at most {MOST_CLASSES} classes, found {classes}"
        )
    return (1 + classes) * resolution**2


def targets(truths: Sequence[Truth], resolution: int) -> tuple[NDArray[Any], ...]:
    """Return the class of each input pixel for a batch, (N, R, R): the mask's class at the pixel's centre."""
    import numpy

    maps = [resized(_mask(truth), (resolution, resolution)) for truth in truths]
    return (numpy.stack(maps).astype(numpy.int64),)


def _mask(truth: Truth) -> NDArray[uint8]:
    """Return an image's mask.

    Raises:
        CaseError: the data set has boxes for this image, but no mask.
    """
    if truth.mask is None:
        raise CaseError("segmentation needs a mask for every image, found an image with boxes alone")
    return truth.mask


def resized(map: NDArray[uint8], size: tuple[int, int]) -> NDArray[uint8]:
    """Return a map in another height and width; each pixel takes the class at its centre, so that classes are never
    mixed.
    """
    import numpy

    rows, columns = (
        ((numpy.arange(wanted) + 0.5) * given / wanted).astype(int)
        for wanted, given in zip(size, map.shape, strict=True)
    )
    pixels: NDArray[uint8] = map[rows[:, None], columns]
    return pixels


def loss(outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return the cross-entropy of a batch, which is a weighted mean over pixels. Ignored pixels have no weight."""
    import torch
    from torch.nn import functional

    scores, wanted = outputs[0], targets[0]
    weight = torch.ones(scores.shape[1], device=scores.device, dtype=scores.dtype)
    weight[0] = BACKGROUND
    entropy = functional.cross_entropy(scores, wanted, weight, ignore_index=IGNORED, reduction="sum")
    counted = wanted != IGNORED
    return entropy / weight[wanted.where(counted, 0)].where(counted, 0).sum().clamp(min=1)


def decode(values: NDArray[float32], classes: int, resolution: int) -> NDArray[uint8]:
    """Return the class of each pixel, (N, R, R): the first class whose score is the largest."""
    import numpy

    scores = values.reshape(len(values), 1 + classes, resolution, resolution)
    best, answers = scores[:, 0].copy(), numpy.zeros((len(values), resolution, resolution), numpy.uint8)
    for number in range(1, 1 + classes):  # a loop is twenty times as fast as argmax over an axis that is not the last
        numpy.copyto(answers, number, where=scores[:, number] > best)
        numpy.maximum(best, scores[:, number], out=best)
    return answers


def reduced(values: NDArray[float32], classes: int, resolution: int) -> NDArray[uint8]:
    """Return the map of each image as bytes, (N, R * R), which the target sends instead of the scores.

    Scores would take 4 * (1 + classes) times as many bytes. A pixel with a score that is not finite is `IGNORED`.
    """
    import numpy

    answers = decode(values, classes, resolution)
    if not numpy.isfinite(values).all():
        is_finite = numpy.isfinite(values.reshape(len(values), 1 + classes, resolution, resolution)).all(1)
        answers[~is_finite] = IGNORED
    return answers.reshape(len(values), -1)


def seen(answer: NDArray[uint8], truth: Truth) -> Counts:
    """Count the pixels of an image by class, after the network's map is resized to the size of the truth."""
    import numpy

    wanted = _mask(truth)
    given = resized(answer, (wanted.shape[0], wanted.shape[1]))
    counted = wanted != IGNORED
    wanted, given = wanted[counted], given[counted]
    is_right = wanted == given
    return Counts(*(numpy.bincount(part, minlength=IGNORED)[:IGNORED] for part in (wanted[is_right], wanted, given)))


def figures(images: Sequence[Counts]) -> dict[str, float]:
    """Return three metrics: mIoU over all classes, the same mean without the background, and the pixel accuracy.

    Metrics without a value are absent. A class that is in neither the truth nor the predictions is left out of a mean.
    A class that is only in the predictions is included with an IoU of 0.
    """
    import numpy

    if not images:
        return {}
    total = numpy.array(images).sum(0, dtype=float)[:, None]
    found = {
        "miou": _mean(total)[0],
        "foreground_iou": _mean(total[..., 1:])[0],
        "pixel_accuracy": total[0].sum() / total[1].sum() if total[1].any() else numpy.nan,
    }
    return {name: float(value) for name, value in found.items() if isfinite(value)}


def _mean(counts: NDArray[Any]) -> NDArray[float64]:
    """Return the mean IoU over classes, (R,), from the counts, (3, R, classes); NaN if no class has pixels."""
    import numpy

    hits, truths, answers = counts
    union = truths + answers - hits
    share = numpy.divide(hits, union, where=union > 0, out=numpy.zeros(union.shape))
    with numpy.errstate(invalid="ignore"):
        mean: NDArray[float64] = share.sum(1) / (union > 0).sum(1)
    return mean


def resampled(images: Sequence[Counts]) -> NDArray[float64]:
    """Return the mIoU of each resample of the images, (R,)."""
    import numpy

    counts, weights = numpy.array(images, float).transpose(1, 0, 2), _intervals.weights(len(images))
    present = counts.any((0, 1))
    return _mean(weights @ counts[..., present])


def intervals(images: Sequence[Counts]) -> dict[str, tuple[float, float]]:
    """Return the interval of mIoU, by a bootstrap over images; an empty mapping if mIoU has no value."""
    return {METRIC: _intervals.interval(resampled(images))} if METRIC in figures(images) else {}


def chance(classes: int) -> float:
    """Return the limit of the mean IoU (without background) below which a network has learned nothing."""
    return 1e-3


def tally(
    outputs: Iterable[NDArray[uint8]],
    reference: Iterable[NDArray[uint8]] | None,
    truth: Callable[[int], Truth],
    classes: int,
    resolution: int,
) -> dict[str, Any]:
    """Compute mIoU with its interval; with a float parent, also the paired difference and the share of equal pixels.

    The outputs are maps as `reduced` returns them, so there is no signal-to-quantization-noise ratio.
    """
    tally, parents = _Tally(resolution), None if reference is None else iter(reference)
    for rows in outputs:
        tally.add(rows, None if parents is None else next(parents), truth)
    return tally.fields()


class _Tally:
    """Results of an artifact and of its float parent (the fp32 file it was made from), collected batch by batch."""

    def __init__(self, resolution: int) -> None:
        self._resolution = resolution
        self._images, self._parents = list[Counts](), list[Counts]()
        self._not_finite = self._parent_not_finite = self._equal = self._pixels = 0

    def add(self, rows: NDArray[uint8], expected: NDArray[uint8] | None, truth: Callable[[int], Truth]) -> None:
        """Add the results for one batch of maps, and for the float parent's maps of the same images."""
        for place, row in enumerate(rows):
            of = truth(len(self._images))
            self._images.append(self._counts(row, of))
            self._not_finite += bool((row == IGNORED).any())
            if expected is not None:
                self._parents.append(self._counts(expected[place], of))
                self._parent_not_finite += bool((expected[place] == IGNORED).any())
                self._equal += int((row == expected[place]).sum())
                self._pixels += row.size

    def _counts(self, row: NDArray[uint8], truth: Truth) -> Counts:
        return seen(row.reshape(self._resolution, self._resolution), truth)

    def fields(self) -> dict[str, Any]:
        """Return the fields of an `Accuracy` record."""
        if self._not_finite or not self._images:
            return {"correct": 0, "not_finite": self._not_finite}
        found = figures(self._images)
        alone = {"correct": 0, "metrics": _intervals.metrics(found, intervals(self._images))}
        if not self._parents or self._parent_not_finite:
            return alone
        return alone | {"change": self._change(found), "agreement": self._equal / self._pixels}

    def _change(self, found: dict[str, float]) -> Any:
        """Return the difference in mIoU from the parent, on the same resamples; None if either mIoU has no value."""
        parent = figures(self._parents)
        if METRIC not in found or METRIC not in parent:
            return None
        ends = _intervals.interval(resampled(self._images) - resampled(self._parents))
        return _intervals.metric(METRIC, found[METRIC] - parent[METRIC], ends)
