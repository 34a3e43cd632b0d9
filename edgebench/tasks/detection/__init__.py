"""The task of finding objects and giving a box and a class for each; the metric is COCO's mean average precision.

`boxes` decodes the heads of edgebench's own detectors. `decoders` decode the outputs of user-supplied detectors. `coco`
scores boxes. `losses` has the training loss of the heads.
"""

from __future__ import annotations

from math import isfinite, log10
from typing import TYPE_CHECKING, Any

from edgebench.schema.metric import Metric
from edgebench.tasks.detection import boxes, coco
from edgebench.tasks.detection.boxes import Boxes
from edgebench.tasks.detection.losses import loss as _loss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy import float32
    from numpy.typing import NDArray
    from torch import Tensor

    from edgebench.tasks import Truth
    from edgebench.tasks.detection.coco import Matches

    Decode = Callable[..., list[Boxes]]  # takes outputs, (N, values), and an optional lowest score

OUTPUTS = ("scores", "boxes")
METRIC = "map"
HEADING = "mAP"
COLUMNS = {"map": True, "ap50": False, "ap75": False}
AUGMENTATION: tuple[str, ...] = ()  # no augmentation, because a flip or a shift would also have to move the boxes
PART = 1000
THRESHOLDS = {"score": boxes.SCORE, "iou": boxes.OVERLAP}

STRIDE = 8  # the heads predict one box per square cell of the input; side of a cell, pixels
# To compare an int8 file with its float parent, all boxes with a score of SURE or more are compared.
# Two boxes are alike if their overlap is at least ALIKE.
SURE, ALIKE = 0.3, 0.5


def side(resolution: int) -> int:
    """Return the number of cells along one side of the grid for which the heads predict boxes."""
    return -(-resolution // STRIDE)


def values(classes: int, resolution: int) -> int:
    """Return the number of values of both heads for one image: object, classes and box of each cell."""
    return (1 + classes + 4) * side(resolution) ** 2


def targets(truths: Sequence[Truth], resolution: int) -> tuple[NDArray[Any], ...]:
    """Return the targets of the heads for a batch: each cell's class (-1 without an object) and each cell's raw box."""
    import numpy

    most = max((len(truth.classes) for truth in truths), default=0) or 1
    objects = numpy.full((len(truths), most, 5), -1.0)
    for row, truth in zip(objects, truths, strict=True):
        row[: len(truth.classes), 0] = truth.classes
        row[: len(truth.classes), 1:] = _of(truth) / (truth.size * 2)
    return boxes.assigned(objects, side(resolution))


def _of(truth: Truth) -> NDArray[Any]:
    assert truth.boxes is not None, "if the TASKS of a data set contain detection, it has boxes"
    return truth.boxes


def loss(outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return the training loss of both heads, which the module `losses` defines."""
    scores, raw = outputs
    cells, wanted = targets
    return _loss(scores, raw, cells, wanted)


def decode(values: NDArray[float32], classes: int, resolution: int, score: float = boxes.SCORE) -> list[Boxes]:
    """Return the boxes that the heads predict in each image, as fractions of the image's sides."""
    import numpy

    cells = side(resolution)
    heads = values.reshape(len(values), -1, cells, cells)
    finite = (numpy.where(numpy.isfinite(image), image, -60).astype("f4") for image in heads)
    return [boxes.decode(image[: 1 + classes], image[1 + classes :], score) for image in finite]


def seen(answer: Boxes, truth: Truth) -> Matches:
    """Match a network's boxes in an image with the image's objects, both in pixels."""
    import numpy

    return coco.match(answer._replace(boxes=answer.boxes * numpy.array(truth.size * 2)), _of(truth), truth.classes)


def figures(images: Sequence[Matches]) -> dict[str, float]:
    """Return mAP, AP50 and AP75; an empty mapping if there are no objects."""
    computed = coco.figures(images)
    return {name: value for name in COLUMNS if isfinite(value := getattr(computed, name))}


def intervals(images: Sequence[Matches]) -> dict[str, tuple[float, float]]:
    """Return the interval of mAP, from a bootstrap over images."""
    return {METRIC: coco.interval(coco.resampled(images))}


def tally(
    outputs: Iterable[NDArray[float32]],
    reference: Iterable[NDArray[float32]] | None,
    truth: Callable[[int], Truth],
    classes: int,
    resolution: int,
    decode: Decode | None = None,
) -> dict[str, Any]:
    """Compute mAP with its interval; with a float parent, also the paired difference from the parent and the agreement
    with it.

    `decode` converts the outputs of a user-supplied detector to boxes. By default, the outputs are those of edgebench's
    own heads.
    """
    tally, parents = _Tally(decode or of_heads(classes, resolution)), None if reference is None else iter(reference)
    for rows in outputs:
        tally.add(rows, None if parents is None else next(parents), truth)
    return tally.fields()


def sure(found: Boxes) -> Boxes:
    """Return the boxes with a score of at least `SURE`.

    Decoding with the threshold `SURE` would find the same boxes, because only boxes of higher scores suppress a box.
    """
    is_sure = found.scores >= SURE
    return Boxes(*(part[is_sure] for part in found))


def of_heads(classes: int, resolution: int) -> Decode:
    """Return the function that turns the raw outputs of edgebench's own detectors into boxes."""
    return lambda values, score=boxes.SCORE: decode(values, classes, resolution, score)


class _Tally:
    """Results of an artifact and of its float parent (the fp32 file it was made from), collected batch by batch."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._images, self._parents = list[Any](), list[Any]()
        self._not_finite = self._parent_not_finite = self._sure = self._again = 0
        self._signal = self._noise = 0.0

    def add(self, rows: NDArray[float32], expected: NDArray[float32] | None, truth: Callable[[int], Truth]) -> None:
        """Add the results for one batch of outputs, and for the float parent's outputs for the same images."""
        import numpy

        truths = [truth(len(self._images) + place) for place in range(len(rows))]
        self._not_finite += int((~numpy.isfinite(rows).all(1)).sum())
        answers = self._decode(rows)
        self._images += map(seen, answers, truths)
        if expected is None:
            return
        self._parent_not_finite += int((~numpy.isfinite(expected).all(1)).sum())
        wanted = self._decode(expected)
        self._parents += map(seen, wanted, truths)
        self._add_noise(rows, expected)
        self._count_again(answers, map(sure, wanted))

    def _add_noise(self, rows: NDArray[float32], expected: NDArray[float32]) -> None:
        """Add the outputs to the sums of signal and noise, for the signal-to-quantization-noise ratio."""
        import numpy

        given, exact = (numpy.where(numpy.isfinite(values), values, 0).astype("f8") for values in (rows, expected))
        self._signal += float((exact**2).sum())
        self._noise += float(((exact - given) ** 2).sum())

    def _count_again(self, answers: Iterable[Boxes], parents: Iterable[Boxes]) -> None:
        """Count the float parent's boxes, and how many of these boxes the artifact finds, too."""
        for answer, wanted in zip(answers, parents, strict=True):
            overlaps = boxes.iou(wanted.boxes, answer.boxes)
            overlaps[wanted.classes[:, None] != answer.classes] = 0
            self._sure += len(wanted.boxes)
            self._again += int((overlaps >= ALIKE).any(1).sum())

    def fields(self) -> dict[str, Any]:
        """Return the fields of an `Accuracy` record."""
        if self._not_finite or not self._images:
            return {"correct": 0, "not_finite": self._not_finite}
        resampled, found = coco.resampled(self._images), figures(self._images)
        ends = {METRIC: coco.interval(resampled)} if METRIC in found else {}
        alone = {
            "correct": 0,
            "metrics": tuple(_metric(name, value, ends.get(name)) for name, value in found.items()),
        }
        if not self._parents or self._parent_not_finite:
            return alone
        return alone | self._against(resampled, found)

    def _against(self, resampled: NDArray[Any], found: dict[str, float]) -> dict[str, Any]:
        """Return the fields that compare artifact and parent; both are evaluated on the same resamples of images."""
        parent = figures(self._parents)
        change = None
        if METRIC in found and METRIC in parent:
            ends = coco.interval(resampled - coco.resampled(self._parents))
            change = _metric(METRIC, found[METRIC] - parent[METRIC], ends)
        noise = 10 * log10(self._signal / self._noise) if self._noise and self._signal else None
        agreement = self._again / self._sure if self._sure else None
        return {"change": change, "agreement": agreement, "sqnr_db": noise}


def _metric(name: str, value: float, ends: tuple[float, float] | None) -> Metric:
    return Metric(name=name, value=value, low=ends[0] if ends else None, high=ends[1] if ends else None)
