"""Interleaved processes of an accepted and of tonight's environment -> how much slower tonight's is, if at all.

Pure. Values are natural logarithms, (K, n): K configurations, n processes an arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log1p, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from edgebench.stats import CONFIDENCE

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from edgebench.rule import Rule

    Floats = NDArray[numpy.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a comparison showed, (K,) each: the Hodges-Lehmann change with its 95 % interval, and p either way."""

    change: Floats
    low: Floats
    high: Floats
    slower_p: Floats
    faster_p: Floats

    def is_slower(self, p: float, effect: float) -> NDArray[numpy.bool_]:
        """Tell which are slower beyond chance and beyond a share."""
        import numpy

        return numpy.asarray((self.slower_p < p) & (self.change > log1p(effect)))

    def is_faster(self, p: float, effect: float) -> NDArray[numpy.bool_]:
        """Tell which are faster likewise."""
        import numpy

        return numpy.asarray((self.faster_p < p) & (self.change < -log1p(effect)))

    def is_open(self, rule: Rule) -> NDArray[numpy.bool_]:
        """Tell, half-way, which may still be confirmed."""
        import numpy

        p, effect = rule.futile_p, rule.futile_effect
        return numpy.asarray(self.is_slower(p, effect) | self.is_faster(p, effect))


def compare(before: Floats, after: Floats) -> Effect:
    """Compare two sets of values, (K, n) and (K, m), that have nothing to do with each other.

    Source: Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963; the interval inverts Mann-Whitney's test.
    """
    import numpy
    from scipy.stats import mannwhitneyu

    count = before.shape[1] * after.shape[1]
    differences = (after[:, :, None] - before[:, None, :]).reshape(len(after), count)
    change, low, high = _middle(differences, sqrt(count * (before.shape[1] + after.shape[1] + 1) / 12))
    return Effect(
        change=change,
        low=low,
        high=high,
        slower_p=numpy.asarray(mannwhitneyu(after, before, alternative="greater", axis=1).pvalue),
        faster_p=numpy.asarray(mannwhitneyu(after, before, alternative="less", axis=1).pvalue),
    )


def compare_pairs(accepted: Floats, tonight: Floats) -> Effect:
    """Compare two arms, (K, n) each, of which every two processes at the same place ran one after the other.

    A machine that is slow for seconds slows both. On a shared one the logarithms of pairs correlated by 0.53, and their
    differences varied by a third less than those of processes apart.

    Source: Wilcoxon's signed ranks; Hodges and Lehmann likewise, of the means of every two differences.
    """
    import numpy
    from scipy.stats import wilcoxon

    differences = tonight - accepted
    pairs = differences.shape[1]
    one, other = numpy.triu_indices(pairs)
    means = (differences[:, one] + differences[:, other]) / 2
    change, low, high = _middle(means, sqrt(pairs * (pairs + 1) * (2 * pairs + 1) / 24))
    return Effect(
        change=change,
        low=low,
        high=high,
        slower_p=numpy.asarray(wilcoxon(differences, alternative="greater", axis=1, zero_method="zsplit").pvalue),
        faster_p=numpy.asarray(wilcoxon(differences, alternative="less", axis=1, zero_method="zsplit").pvalue),
    )


def _middle(values: Floats, spread: float) -> tuple[Floats, Floats, Floats]:
    """Return the median of each row and its 95 % interval, whose ends are so many deviations' ranks from the middle."""
    import numpy

    ordered = numpy.sort(values, axis=1)
    rank = max(0, floor(ordered.shape[1] / 2 - NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * spread))
    return numpy.median(ordered, axis=1), ordered[:, rank], ordered[:, -1 - rank]
