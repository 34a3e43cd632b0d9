"""Labels and outputs -> counts of correct images, accuracies with intervals, and a test against the float parent.

Pure: no I/O.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from math import log10
from typing import TYPE_CHECKING

from edgebench.foundation import stats
from edgebench.schema.record import Accuracy

if TYPE_CHECKING:
    from numpy import float32, int64
    from numpy.typing import NDArray


SIGNIFICANT = 1 - stats.CONFIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A count out of a total, with Wilson's 95 % interval."""

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
    """The classes compared with those of the float parent, image by image.

    Attributes:
        parent: accuracy of the parent.
        top1: difference of the accuracies, a share.
        only_parent: images that only the parent classifies correctly.
        only_this: images that only this artifact classifies correctly.
        p: p-value of McNemar's exact test for equal accuracy.
        images_needed: images for a power of 80 % at the observed shares; None if both accuracies are equal.
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
    """The accuracies of one evaluation; None if not evaluated or not applicable."""

    top1: Share | None
    top5: Share | None
    agreement: Share | None
    change: Change | None


def appraise(accuracy: Accuracy) -> Appraisal:
    """Compute accuracies and the comparison with the float parent from the counts."""
    images, agreement = accuracy.images, accuracy.agreement
    if accuracy.not_finite:
        return Appraisal(top1=None, top5=None, agreement=None, change=None)
    return Appraisal(
        top1=Share(count=accuracy.correct, of=images),
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
    """Counts over images for an artifact and its float parent; without a parent, the artifact itself takes its place.

    Attributes:
        correct_top5: images whose label is among the five largest outputs.
        only_parent: images that only the parent classifies correctly.
        only_this: images that only this artifact classifies correctly.
        agreed: images with the same class in both.
        not_finite: images with an output that is NaN or infinite; `parent_not_finite` of the parent's.
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
        """The signal to quantization noise ratio of the outputs; None if they are equal."""
        return 10 * log10(self.signal / self.noise) if self.noise and self.signal else None


def count(labels: NDArray[int64], outputs: NDArray[float32], reference: NDArray[float32]) -> Counts:
    """Count a batch: labels (N,), outputs and reference (N, classes); of equal outputs the first class wins."""
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
