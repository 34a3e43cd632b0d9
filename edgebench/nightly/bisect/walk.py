"""The findings on the measured steps of a walk -> the step to measure next, and the conclusion at the end.

A walk is a list of versions or commits, in order. Step 0 is the good end, and the last step is the bad end. All steps
are compared with the good end. This module does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Finding(StrEnum):
    """What the pairs of a step and the good end show; or that the step could not be measured."""

    SLOWER = "slower"
    NOT_SLOWER = "not slower"
    UNCLEAR = "cannot be told"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The end of a walk.

    Attributes:
        first: the first slower step; None if it is not known.
        before: the earliest step that is known to be slower; `after` is the last step before it that is known not to be
            slower. The slowdown came after the step `after`, and not later than the step `before`.
        is_found: whether no step between `after` and `before` is left.
        reversals: steps that contradict their predecessor after `before`: first one that is not slower, then one that
            is slower again, and so on.
    """

    after: int
    before: int | None
    is_found: bool = False
    reversals: tuple[int, ...] = ()

    @property
    def first(self) -> int | None:
        """The first slower step; None if it is not known."""
        return self.before if self.is_found else None


NOTHING = Conclusion(after=0, before=None)  # the conclusion if the bad end is not known to be slower


def next_step(findings: Mapping[int, Finding], count: int, *, every: bool = False) -> int | None:
    """Return the step to measure next in a walk of `count` steps; None if the walk has ended.

    The bad end comes first. If it is slower, a binary search follows. If a step could not be measured, or its finding
    is unclear, its nearest neighbour is next. With `every`, all other steps follow.
    """
    last = count - 1
    if last not in findings:
        return last
    if findings[last] != Finding.SLOWER:
        return None
    after, before = _bounds(findings, count)
    left = [step for step in range(after + 1, before) if step not in findings]
    if not left and every:
        left = [step for step in range(1, last) if step not in findings]
        return next(iter(left), None)
    return min(left, key=lambda step: abs(2 * step - after - before), default=None)


def conclude(findings: Mapping[int, Finding], count: int) -> Conclusion:
    """Return the conclusion of a walk of `count` steps."""
    if findings.get(count - 1) != Finding.SLOWER:
        return NOTHING
    after, before = _bounds(findings, count)
    return Conclusion(
        after=after,
        before=before,
        is_found=before == after + 1,
        reversals=tuple(_reversals(findings, before, count)),
    )


def _bounds(findings: Mapping[int, Finding], count: int) -> tuple[int, int]:
    """Return the earliest slower step, and before it the last step that is not slower."""
    before = min(step for step in range(1, count) if findings.get(step) == Finding.SLOWER)
    fine = [step for step in range(1, before) if findings.get(step) == Finding.NOT_SLOWER]
    return max(fine, default=0), before


def _reversals(findings: Mapping[int, Finding], before: int, count: int) -> Iterator[int]:
    former = Finding.SLOWER
    for step in range(before + 1, count):
        finding = findings.get(step)
        if finding in (Finding.SLOWER, Finding.NOT_SLOWER) and finding != former:
            yield step
            former = finding
