"""What an artifact answered -> shares with their intervals, and the test against its float parent.

Pure: nothing is read, measured or printed here.
"""

from dataclasses import dataclass

from edgebench.foundation import stats
from edgebench.schema.record import Accuracy

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

    top1: Share
    top5: Share | None
    agreement: Share | None
    change: Change | None


def appraise(accuracy: Accuracy) -> Appraisal:
    """Compute what the answers mean."""
    images, agreement = accuracy.images, accuracy.agreement
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
