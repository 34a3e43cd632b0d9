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
    """What pairs showed, (K,) each: the Hodges-Lehmann change with its 95 % interval, and Mann-Whitney's p."""

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


def compare(accepted: Floats, tonight: Floats) -> Effect:
    """Compare the two arms, (K, n) and (K, m).

    Source: Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963; the interval inverts Mann-Whitney's test.
    """
    import numpy
    from scipy.stats import mannwhitneyu

    count = accepted.shape[1] * tonight.shape[1]
    differences = numpy.sort((tonight[:, :, None] - accepted[:, None, :]).reshape(len(tonight), count), axis=1)
    spread = sqrt(count * (accepted.shape[1] + tonight.shape[1] + 1) / 12)
    rank = max(0, floor(count / 2 - NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * spread))
    return Effect(
        change=numpy.median(differences, axis=1),
        low=differences[:, rank],
        high=differences[:, count - 1 - rank],
        slower_p=mannwhitneyu(tonight, accepted, alternative="greater", axis=1).pvalue,
        faster_p=mannwhitneyu(tonight, accepted, alternative="less", axis=1).pvalue,
    )
