"""A class for each image: answers counted, their shares with intervals, and the test against the float parent.

Pure: nothing is read, measured or printed here.
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
    """How many of how many, with Wilson's 95 % interval."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share itself."""
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval."""
        return stats.wilson(self.count, self.of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of the float parent's answers, image by image.

    Attributes:
        only_parent: images that the parent alone answers right; `only_this` that its int8 file alone does.
        p: of McNemar's exact test that both are right equally often.
        images_needed: how many would tell the two apart in four of five studies; None where no number would.
    """

    parent: Share
    top1: float
    only_parent: int
    only_this: int
    p: float
    images_needed: int | None

    @property
    def is_significant(self) -> bool:
        """Tell whether these images suffice to call the two accuracies different."""
        return self.p < SIGNIFICANT


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """What one evaluation means; None where it was not asked or cannot be."""

    top1: Share | None
    top5: Share | None
    agreement: Share | None
    change: Change | None


def appraise(accuracy: Accuracy) -> Appraisal:
    """Compute what the answers mean."""
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
    right, only_parent, only_this = accuracy.parent_correct, accuracy.only_parent, accuracy.only_this
    if right is None or only_parent is None or only_this is None:
        return None
    return Change(
        parent=Share(count=right, of=accuracy.images),
        top1=(only_this - only_parent) / accuracy.images,
        only_parent=only_parent,
        only_this=only_this,
        p=stats.mcnemar(only_parent, only_this),
        images_needed=stats.pairs_to_separate(only_parent, only_this, accuracy.images),
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """What two artifacts answered, counted; without a parent the first one is compared with itself.

    Attributes:
        correct_top5: images whose label is among the five largest outputs.
        only_parent: images that the parent alone gets right, `only_this` those that it alone gets wrong.
        agreed: images that both give the same class.
        not_finite: images with an output that is NaN or infinite; `parent_not_finite` of the parent's.
        signal: sum of the parent's squared outputs; `noise` that of the squared differences.
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
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    @property
    def sqnr_db(self) -> float | None:
        """The signal to quantization noise ratio of the outputs; None where they are equal."""
        return 10 * log10(self.signal / self.noise) if self.noise and self.signal else None


def count(labels: NDArray[int64], outputs: NDArray[float32], reference: NDArray[float32]) -> Counts:
    """Count some images' answers; the first of equal outputs wins."""
    import numpy

    ours, theirs = outputs.argmax(1), reference.argmax(1)
    right, parent_right = ours == labels, theirs == labels
    top5 = numpy.argsort(-outputs, axis=1, kind="stable")[:, :5]
    odd, parent_odd = (int((~numpy.isfinite(one).all(1)).sum()) for one in (outputs, reference))
    given, exact = (numpy.where(numpy.isfinite(one), one, 0).astype("f8") for one in (outputs, reference))
    return Counts(
        correct=int(right.sum()),
        correct_top5=int((top5 == labels[:, None]).sum()),
        parent_correct=int(parent_right.sum()),
        only_parent=int((parent_right & ~right).sum()),
        only_this=int((right & ~parent_right).sum()),
        agreed=int((ours == theirs).sum()),
        signal=float((exact**2).sum()),
        noise=float(((exact - given) ** 2).sum()),
        not_finite=odd,
        parent_not_finite=parent_odd,
    )
