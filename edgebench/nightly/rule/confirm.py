"""Log times of processes in the accepted and in tonight's environment -> the change, its interval and p-values.

This module does no I/O. Values are natural logarithms in arrays (K, n), for K configurations and n processes per
environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import floor, log1p, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from edgebench.foundation.stats import CONFIDENCE

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from edgebench.nightly.rule.thresholds import Rule

    Floats = NDArray[numpy.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The result of a comparison as arrays (K,): the log change, its 95 % interval and one-sided p-values."""

    change: Floats
    low: Floats
    high: Floats
    slower_p: Floats
    faster_p: Floats

    def is_slower(self, p: float, effect: float) -> NDArray[numpy.bool_]:
        """Return a mask of the slower configurations: p-value below `p`, and change above the share `effect`."""
        import numpy

        return numpy.asarray((self.slower_p < p) & (self.change > log1p(effect)))

    def is_faster(self, p: float, effect: float) -> NDArray[numpy.bool_]:
        """Return a mask of the faster configurations: p-value below `p`, and change below minus the share `effect`."""
        import numpy

        return numpy.asarray((self.faster_p < p) & (self.change < -log1p(effect)))

    def is_open(self, rule: Rule) -> NDArray[numpy.bool_]:
        """Return a mask of the configurations whose pairs go on, because a change still seems possible."""
        import numpy

        p, effect = rule.futile_p, rule.futile_effect
        return numpy.asarray(self.is_slower(p, effect) | self.is_faster(p, effect))


def compare(before: Floats, after: Floats) -> Effect:
    """Compare two independent samples, (K, n) and (K, m).

    The change is the Hodges-Lehmann estimate (Annals of Mathematical Statistics 34, 1963); the interval inverts the
    Mann-Whitney test.
    """
    import numpy
    from scipy.stats import mannwhitneyu

    count = before.shape[1] * after.shape[1]
    differences = numpy.sort((after[:, :, None] - before[:, None, :]).reshape(len(after), count), axis=1)
    spread = sqrt(count * (before.shape[1] + after.shape[1] + 1) / 12)
    rank = max(0, floor(count / 2 - NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * spread))
    return Effect(
        change=numpy.median(differences, axis=1),
        low=differences[:, rank],
        high=differences[:, -1 - rank],
        slower_p=mannwhitneyu(after, before, alternative="greater", axis=1).pvalue,
        faster_p=mannwhitneyu(after, before, alternative="less", axis=1).pvalue,
    )


def compare_pairs(accepted: Floats, tonight: Floats) -> Effect:
    """Compare paired processes, (K, n) each; processes at the same index ran one after the other.

    The change is the median difference, and its interval comes from the sign test. The p-value is twice the smaller
    p-value of two tests (Bonferroni). The sign test is stronger if a clock flips between two rates, so that differences
    are either tiny or large. Wilcoxon's signed-rank test is stronger if the noise has no such jumps.
    """
    import numpy

    differences = numpy.sort(tonight - accepted, axis=1)
    configurations, pairs = differences.shape
    beyond = _pairs_beyond(pairs)
    p_of_more = _p_of_more(numpy.concatenate([differences, -differences]))  # one call saves time
    return Effect(
        change=numpy.median(differences, axis=1),
        low=differences[:, max(0, beyond - 1)],
        high=differences[:, min(pairs - 1, pairs - beyond)],
        slower_p=p_of_more[:configurations],
        faster_p=p_of_more[configurations:],
    )


@cache
def _pairs_beyond(pairs: int) -> int:
    """Return how many of the sorted differences lie below the interval; equally many lie above it."""
    from scipy.stats import binom

    return int(binom.ppf((1 - CONFIDENCE) / 2, pairs, 0.5))


def _p_of_more(differences: Floats) -> Floats:
    """Return the p-value for differences above zero: twice the smaller p of the sign test and the signed-rank test."""
    import numpy
    from scipy.stats import binom, wilcoxon

    signs = binom.sf((differences > 0).sum(1) - 1, differences.shape[1], 0.5)
    # The exact method is used, because scipy's default would try all permutations of small samples, for minutes.
    ranks = wilcoxon(differences, alternative="greater", axis=1, zero_method="zsplit", method="exact").pvalue
    return numpy.asarray(numpy.minimum(1.0, 2 * numpy.minimum(signs, ranks)))
