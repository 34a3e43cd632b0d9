"""The samples of a process and the beats timed between them -> an inference's time in beats.

A beat is one run of a small fixed workload. Other load on the same physical core, for example from another virtual
machine, slows a process to two thirds of its speed for milliseconds or minutes. Under such load, the medians of fresh
processes of one network vary by 15 %. But the load slows samples and beats alike, so the ratio of sample to beat varies
by only 2 to 6 %. This module does no I/O.
"""

from __future__ import annotations

from itertools import pairwise
from math import log
from statistics import median, median_high, median_low
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.schema.record import Run


def level(run: Run) -> float | None:
    """Return the logarithm of an inference's time in beats; None if the process has no beats.

    Each group of samples lies between two beats. The ratio of a group is the median of the samples divided by the mean
    of these two beats; the result is the median of the logarithms of all groups' ratios.
    """
    ratios = sorted(_ratios(run))
    return (log(median_low(ratios)) + log(median_high(ratios))) / 2 if ratios else None


def _ratios(run: Run) -> Iterator[float]:
    beats = run.beats
    if beats is None or not run.samples_s:
        return
    samples_s, every = tuple(run.samples_s), beats.every
    for place, (before_s, after_s) in enumerate(pairwise(beats.took_s)):
        group = sorted(samples_s[place * every : (place + 1) * every])
        # The two middle samples are twice the median; there are millions of groups, and to call `median` takes longer.
        yield (group[len(group) // 2] + group[(len(group) - 1) // 2]) / (before_s + after_s)


def middle_s(runs: Sequence[Run]) -> float:
    """Return the median time in seconds of all beats of these processes; at least one process must have beats."""
    return median(took_s for run in runs if run.beats for took_s in run.beats.took_s)


def levels(runs: Sequence[Run]) -> tuple[float, ...]:
    """Return the `level` (log of the time in beats) of each process that has beats, in the order of the processes."""
    return tuple(found for run in runs if (found := level(run)) is not None)


def beat(runs: Sequence[Run]) -> str:
    """Return the name of the beats' workload.

    Return an empty text if the name differs between the processes, because such processes are not comparable.
    """
    workloads = {run.beats.workload if run.beats else "" for run in runs}
    return workloads.pop() if len(workloads) == 1 else ""
