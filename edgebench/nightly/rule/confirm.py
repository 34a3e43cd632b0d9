"""Interleaved processes of an accepted and of tonight's environment -> how much slower tonight's is, if at all.

Pure. Values are natural logarithms, (K, n): K configurations, n processes an arm.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    """What a comparison showed, (K,) each: the change with its 95 % interval, and p either way."""

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
        """Tell, before all pairs are taken, which may still be confirmed."""
        import numpy

        p, effect = rule.futile_p, rule.futile_effect
        return numpy.asarray(self.is_slower(p, effect) | self.is_faster(p, effect))


def compare(before: Floats, after: Floats) -> Effect:
    """Compare two sets of values, (K, n) and (K, m), that have nothing to do with each other.

    Its change is that of Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963; the interval inverts
    Mann-Whitney's test.
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
    """Compare two arms, (K, n) each, of which every two processes at the same place ran one after the other.

    What slows a machine for seconds slows both. Its change is the median difference, the interval that of signs. Where
    a clock flips between two rates, differences are next to none or large, and their signs tell most; where noise is
    even, Wilcoxon's ranks do. The better of the two counts, at twice its p.
    """
    import numpy
    from scipy.stats import binom

    differences = numpy.sort(tonight - accepted, axis=1)
    pairs = differences.shape[1]
    beyond = int(binom.ppf((1 - CONFIDENCE) / 2, pairs, 0.5))
    return Effect(
        change=numpy.median(differences, axis=1),
        low=differences[:, max(0, beyond - 1)],
        high=differences[:, min(pairs - 1, pairs - beyond)],
        slower_p=_p_of_more(differences),
        faster_p=_p_of_more(-differences),
    )


def _p_of_more(differences: Floats) -> Floats:
    """Return the p of so many differences above zero, or so large ones, twice the smaller: either was looked at."""
    import numpy
    from scipy.stats import binom, wilcoxon

    signs = binom.sf((differences > 0).sum(1) - 1, differences.shape[1], 0.5)
    # Exact whatever ties: by itself scipy tries every permutation of few pairs with ties, which takes minutes.
    ranks = wilcoxon(differences, alternative="greater", axis=1, zero_method="zsplit", method="exact").pvalue
    return numpy.asarray(numpy.minimum(1.0, 2 * numpy.minimum(signs, ranks)))
