"""The samples of a process and the beats between them -> an inference's time in beats, which other load hardly changes.

Pure. Load on the same physical core, for example from another virtual machine, slows a process to two thirds of its
speed for milliseconds or minutes: medians of fresh processes of one network then vary by 15 %. It slows the beats
around the samples, too: the ratio of the two varies by 2 to 6 %.
"""

from __future__ import annotations

from itertools import pairwise
from math import log
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.schema.record import Run


def level(run: Run) -> float | None:
    """Return the logarithm of an inference's time in beats; None without beats.

    The time of a group of samples is its median divided by the mean of the beats before and after it; the median over
    groups counts.
    """
    ratios = list(_ratios(run))
    return median(ratios) if ratios else None


def _ratios(run: Run) -> Iterator[float]:
    beats = run.beats
    if beats is None or not run.samples_s:
        return
    for place, around in enumerate(pairwise(beats.took_s)):
        group = run.samples_s[place * beats.every : (place + 1) * beats.every]
        yield log(2 * median(group) / sum(around))


def middle_s(runs: Sequence[Run]) -> float:
    """Return the median time of all beats of these processes, at least one, in seconds."""
    return median(took_s for run in runs if run.beats for took_s in run.beats.took_s)


def levels(runs: Sequence[Run]) -> tuple[float, ...]:
    """Return the levels of the processes with beats, in order."""
    return tuple(found for run in runs if (found := level(run)) is not None)


def beat(runs: Sequence[Run]) -> str:
    """Return the workload of the beats if all processes have the same one, so that levels are comparable; else ""."""
    workloads = {run.beats.workload if run.beats else "" for run in runs}
    return workloads.pop() if len(workloads) == 1 else ""
