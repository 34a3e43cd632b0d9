"""The task of naming one class per image: counts of correct images, accuracies, and a test against the float parent."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from math import log10
from typing import TYPE_CHECKING, Any

from edgebench.foundation import stats
from edgebench.schema.metric import Reliability
from edgebench.tasks import _confidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy import bool_, float32, float64, int64
    from numpy.typing import NDArray
    from torch import Tensor

    from edgebench.schema.record import Accuracy
    from edgebench.tasks import Truth

OUTPUTS = ("logits",)
METRIC = "top1"
HEADING = "top-1"
COLUMNS = {"top1": True, "top5": True}
AUGMENTATION = ("flip", "shift")
PART = 0
THRESHOLDS: dict[str, float] = {}

SIGNIFICANT = 1 - stats.CONFIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share, given by a count and a total, with Wilson's 95 % interval."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share in [0, 1]."""
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval, in [0, 1]."""
        return stats.wilson(self.count, self.of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The classes that an artifact predicts, compared image by image with the classes that its float parent predicts.

    Attributes:
        parent: accuracy of the parent.
        top1: the artifact's top-1 minus the parent's, a share.
        only_parent: images that only the parent classifies correctly.
        only_this: images that only this artifact classifies correctly.
        p: p-value of McNemar's exact test for equal accuracy.
        images_needed: number of images that give the test a power of 80 % at the observed shares; None if both
            accuracies are equal.
    """

    parent: Share
    top1: float
    only_parent: int
    only_this: int
    p: float
    images_needed: int | None

    @property
    def is_significant(self) -> bool:
        """Whether the two accuracies differ significantly."""
        return self.p < SIGNIFICANT


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """The accuracies of one evaluation. A value is None if it was not evaluated or does not apply to the network."""

    top1: Share | None
    top5: Share | None
    agreement: Share | None
    change: Change | None


def appraise(accuracy: Accuracy) -> Appraisal:
    """Compute accuracies and the comparison with the float parent from a record's counts."""
    images, agreement = accuracy.images, accuracy.agreement
    if accuracy.not_finite:
        return Appraisal(top1=None, top5=None, agreement=None, change=None)
    return Appraisal(
        top1=None if accuracy.metrics else Share(count=accuracy.correct, of=images),
        top5=None if accuracy.correct_top5 is None else Share(count=accuracy.correct_top5, of=images),
        agreement=None if agreement is None else Share(count=round(agreement * images), of=images),
        change=_change(accuracy),
    )


def _change(accuracy: Accuracy) -> Change | None:
    parent_correct, only_parent, only_this = accuracy.parent_correct, accuracy.only_parent, accuracy.only_this
    if parent_correct is None or only_parent is None or only_this is None:
        return None
    return Change(
        parent=Share(count=parent_correct, of=accuracy.images),
        top1=(only_this - only_parent) / accuracy.images,
        only_parent=only_parent,
        only_this=only_this,
        p=stats.mcnemar(only_parent, only_this),
        images_needed=stats.pairs_to_separate(only_parent, only_this, accuracy.images),
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of images, from the outputs of an artifact and of its float parent (the fp32 file it was made from).
    Without a parent, the artifact is compared with itself.

    Attributes:
        correct_top5: images whose label is among the five largest outputs.
        only_parent: images that only the parent classifies correctly.
        only_this: images that only this artifact classifies correctly.
        agreed: images for which artifact and parent predict the same class.
        not_finite: images for which an output of the artifact is NaN or infinite.
        parent_not_finite: images for which an output of the parent is NaN or infinite.
        signal: sum of the squared outputs of the parent.
        noise: sum of the squared differences of the outputs.
    """

    correct: int = 0
    correct_top5: int = 0
    parent_correct: int = 0
    only_parent: int = 0
    only_this: int = 0
    agreed: int = 0
    signal: float = 0.0
    noise: float = 0.0
    not_finite: int = 0
    parent_not_finite: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(left + right for left, right in zip(astuple(self), astuple(other), strict=True)))

    @property
    def sqnr_db(self) -> float | None:
        """The signal-to-quantization-noise ratio of the outputs; None if there is no noise or no signal."""
        return 10 * log10(self.signal / self.noise) if self.noise and self.signal else None


def count(labels: NDArray[int64], outputs: NDArray[float32], reference: NDArray[float32]) -> Counts:
    """Count the images of a batch: labels (N,), outputs and reference (N, classes).

    If several outputs of an image are the largest, the first of them is its class.
    """
    import numpy

    classes, parent_classes = outputs.argmax(1), reference.argmax(1)
    is_correct, is_parent_correct = classes == labels, parent_classes == labels
    top5 = numpy.argsort(-outputs, axis=1, kind="stable")[:, :5]
    odd, parent_odd = (int((~numpy.isfinite(one).all(1)).sum()) for one in (outputs, reference))
    given, exact = (numpy.where(numpy.isfinite(one), one, 0).astype("f8") for one in (outputs, reference))
    return Counts(
        correct=int(is_correct.sum()),
        correct_top5=int((top5 == labels[:, None]).sum()),
        parent_correct=int(is_parent_correct.sum()),
        only_parent=int((is_parent_correct & ~is_correct).sum()),
        only_this=int((is_correct & ~is_parent_correct).sum()),
        agreed=int((classes == parent_classes).sum()),
        signal=float((exact**2).sum()),
        noise=float(((exact - given) ** 2).sum()),
        not_finite=odd,
        parent_not_finite=parent_odd,
    )


def values(classes: int, resolution: int) -> int:
    """Return the number of output values for one image: one per class."""
    return classes


def targets(truths: Sequence[Truth], resolution: int) -> tuple[NDArray[Any], ...]:
    """Return the true class of each image, (N,)."""
    return (_labels(truths),)


def _labels(truths: Sequence[Truth]) -> NDArray[int64]:
    import numpy

    return numpy.array([truth.classes[0] for truth in truths], numpy.int64)


def loss(outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return the cross-entropy of logits, (N, classes), for the true classes, (N,)."""
    from torch.nn import functional

    return functional.cross_entropy(outputs[0], targets[0])


def decode(values: NDArray[float32], classes: int, resolution: int) -> NDArray[int64]:
    """Return the predicted class of each image: the first class with the largest output."""
    classes_of: NDArray[int64] = values.argmax(1)
    return classes_of


def seen(answer: int64, truth: Truth) -> bool_:
    """Return whether the class that a network predicts for an image is right."""
    is_correct: bool_ = answer == truth.classes[0]
    return is_correct


def figures(images: Sequence[bool_]) -> dict[str, float]:
    """Return the top-1 accuracy, which is the share of images whose predicted class is right."""
    return {METRIC: _share(images).value}


def intervals(images: Sequence[bool_]) -> dict[str, tuple[float, float]]:
    """Return Wilson's 95 % interval of top-1."""
    return {METRIC: _share(images).interval}


def _share(images: Sequence[bool_]) -> Share:
    return Share(count=sum(map(int, images)), of=len(images))


def tally(
    outputs: Iterable[NDArray[float32]],
    reference: Iterable[NDArray[float32]] | None,
    truth: Callable[[int], Truth],
    classes: int,
    resolution: int,
) -> dict[str, Any]:
    """Count correct images and, if there is a float parent, compare its classes with the artifact's classes."""
    counts, done, sure, parent_sure = Counts(), 0, _Sure(), _Sure()
    parents = None if reference is None else iter(reference)
    for rows in outputs:
        labels = _labels([truth(done + place) for place in range(len(rows))])
        exact = rows if parents is None else next(parents)
        counts += count(labels, rows, exact)
        sure.add(labels, rows)
        if parents is not None:
            parent_sure.add(labels, exact)
        done += len(rows)
    compares = parents is not None and not (counts.not_finite or counts.parent_not_finite)
    has_classes = compares and classes > 1  # with a single output, the same class would be predicted for all images
    return {
        "correct": 0 if counts.not_finite else counts.correct,
        "correct_top5": counts.correct_top5 if classes > 5 and not counts.not_finite else None,
        "parent_correct": counts.parent_correct if has_classes else None,
        "only_parent": counts.only_parent if has_classes else None,
        "only_this": counts.only_this if has_classes else None,
        "agreement": counts.agreed / done if has_classes else None,
        "sqnr_db": counts.sqnr_db if compares else None,
        "not_finite": counts.not_finite,
        "reliability": None if counts.not_finite or classes < 2 else sure.reliability(),
        "parent_reliability": parent_sure.reliability() if has_classes else None,
    }


@dataclass(frozen=True, slots=True)
class _Sure:
    """For each image, the confidence in the predicted class, and whether this class is right; added batch by batch."""

    confidences: list[NDArray[float64]] = field(default_factory=list)
    is_correct: list[NDArray[bool_]] = field(default_factory=list)

    def add(self, labels: NDArray[int64], outputs: NDArray[float32]) -> None:
        self.confidences.append(_confidence.confidences(outputs))
        self.is_correct.append(outputs.argmax(1) == labels)

    def reliability(self) -> Reliability:
        import numpy

        return _confidence.reliability(numpy.concatenate(self.confidences), numpy.concatenate(self.is_correct))
