"""Levels of past nights and of tonight -> which configurations are suspect, and the minimum detectable effect.

This module does no I/O. A level is the median of a night relative to the reference workload. Values are natural
logarithms, with one row per configuration; NaN means no value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, log1p, pi
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from edgebench.nightly.rule.thresholds import Rule

    Floats = NDArray[numpy.float64]
    Flags = NDArray[numpy.bool_]

LEAST_VARIANCE = 1e-12  # least variance, for levels that repeat exactly, as with the null runtime
EFFICIENCY = 3 / pi  # efficiency of Wilcoxon's test relative to the t test, on normal noise (Lehmann 1975)
MEDIANS = pi / 2  # variance of the median divided by the variance of the mean, for normal noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """The comparison of tonight with the history, as arrays of shape (C,) for C configurations.

    Attributes:
        nights: number of earlier nights with a value.
        centre: median of the earlier nights' values; NaN if there are none.
        change: tonight's value minus the centre.
        error: standard error of the change, from the moderated variance.
        freedom: degrees of freedom of the error.
        slower_p, faster_p: one-sided p-values; NaN if there are fewer than two nights.
    """

    nights: Floats
    centre: Floats
    change: Floats
    error: Floats
    freedom: Floats
    slower_p: Floats
    faster_p: Floats

    def knows_spread(self, rule: Rule) -> Flags:
        """Return a mask (C,) of the configurations whose history is long enough to know how much nights vary."""
        import numpy

        return numpy.asarray((self.nights >= rule.least) & (self.freedom >= rule.enough - 1))


def screen(history: Floats, tonight: Floats) -> Screening:
    """Compare tonight, (C,), with the history, (C, nights), by a moderated t-test.

    Each configuration's variance between nights is shrunk towards the common variance of all configurations (Smyth,
    Statistical Applications in Genetics and Molecular Biology 3, 2004). The centre is the median, so one bad night does
    not move it.
    """
    import numpy
    from scipy.special import stdtr

    nights = numpy.sum(~numpy.isnan(history), axis=1).astype(float)
    centre, variance = row_medians(history), _variance(history, nights)
    moderated, freedom = moderate(variance, nights - 1)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        error = numpy.sqrt(moderated * (1 + MEDIANS / nights))
        score = (tonight - centre) / error
    return Screening(
        nights=nights,
        centre=centre,
        change=tonight - centre,
        error=error,
        freedom=freedom,
        slower_p=numpy.asarray(stdtr(freedom, -score)),
        faster_p=numpy.asarray(stdtr(freedom, score)),
    )


def row_medians(values: Floats) -> Floats:
    """Return the medians along the last axis, in which NaN values do not count; NaN if there is no other value.

    They equal those of numpy.nanmedian, which takes ten times as long for many short rows.
    """
    import numpy

    nothing = numpy.full((*values.shape[:-1], 1), numpy.nan)
    ordered = numpy.sort(numpy.concatenate([values, nothing], axis=-1), axis=-1)  # NaN comes last
    counts = numpy.sum(~numpy.isnan(values), axis=-1, keepdims=True)
    lower, upper = (numpy.take_along_axis(ordered, place // 2, -1) for place in (numpy.maximum(counts - 1, 0), counts))
    return numpy.asarray((lower + upper)[..., 0] / 2)


def _variance(history: Floats, nights: Floats) -> Floats:
    import numpy

    variance = numpy.full(len(history), numpy.nan)
    several = nights > 1
    variance[several] = numpy.maximum(numpy.nanvar(history[several], axis=1, ddof=1), LEAST_VARIANCE)
    return variance


def moderate(variance: Floats, freedom: Floats) -> tuple[Floats, Floats]:
    """Return variances shrunk towards their common value, and their new degrees of freedom; NaN stays NaN."""
    import numpy

    known = ~numpy.isnan(variance)
    prior, prior_freedom = _prior(variance[known], freedom[known])
    if prior_freedom == inf:
        return numpy.where(known, prior, numpy.nan), numpy.where(known, inf, numpy.nan)
    total = prior_freedom + freedom
    with numpy.errstate(divide="ignore", invalid="ignore"):
        moderated = (prior_freedom * prior + freedom * variance) / total
    return numpy.where(known, moderated, numpy.nan), numpy.where(known, total, numpy.nan)


def _prior(variance: Floats, freedom: Floats) -> tuple[float, float]:
    """Fit a scaled F distribution to variances by the moments of their logarithms (Smyth 2004, section 6.2)."""
    import numpy
    from scipy.special import digamma, polygamma

    if len(variance) < 2:
        return 0.0, 0.0
    logs = numpy.log(variance) - digamma(freedom / 2) + numpy.log(freedom / 2)
    excess = float(numpy.var(logs, ddof=1) - numpy.mean(polygamma(1, freedom / 2)))
    if excess <= 0:
        return float(numpy.exp(numpy.mean(logs))), inf
    prior_freedom = 2 * _inverse_trigamma(excess)
    scale = numpy.mean(logs) + digamma(prior_freedom / 2) - numpy.log(prior_freedom / 2)
    return float(numpy.exp(scale)), prior_freedom


def _inverse_trigamma(value: float) -> float:
    """Solve trigamma(x) = value by Newton's method on the reciprocal, which is nearly linear (Smyth 2004)."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-8 * x:
            break
    return x


def noise(deviations: Floats) -> Floats:
    """Return the standard deviation between processes (C,), from the processes' deviations from the night's median.

    It uses the median absolute deviation, which is robust against bursts of load.
    """
    import numpy

    return numpy.asarray(1.4826 * row_medians(numpy.abs(deviations)))


def detectable(screening: Screening, deviation: Floats, rule: Rule, *, pairs: int, p: float) -> Floats:
    """Return the minimum detectable effect of each configuration, (C,), as a share of the latency.

    The screen and the pairs together detect a change of this size with the power of the rule. If the history is too
    short for a screen, the pairs alone detect it.
    """
    import numpy

    # The formula is that of a t-test of independent processes: it ignores the noise that the processes of a pair share.
    # A normal distribution would be too optimistic for 20 pairs.
    power, freedom = _t(rule.power, pairs - 1), pairs - 1
    error = deviation * numpy.sqrt(2 / pairs / EFFICIENCY)
    by_pairs = numpy.maximum(log1p(rule.effect), -_t(p / 2, freedom) * error) + power * error
    by_screen = _threshold(screening, rule, rule.screen_p) + power * screening.error
    least = numpy.where(is_enough(screening, rule), numpy.maximum(by_pairs, by_screen), by_pairs)
    return numpy.asarray(numpy.expm1(least))


def _t(p: float | Floats, freedom: float | Floats) -> Floats:
    """Return quantiles of Student's t distribution; scipy.stats computes them in the same way, ten times as slowly."""
    import numpy
    from scipy.special import stdtrit

    return numpy.asarray(stdtrit(freedom, p))


def _threshold(screening: Screening, rule: Rule, p: float | Floats) -> Floats:
    """Return the log change (C,) above which pairs are run.

    The threshold is raised, to save pairs, but only so far that changes of `aim` still exceed it.
    """
    import numpy

    error, freedom = screening.error, screening.freedom
    rare = -_t(rule.rare_p, freedom) * error
    aimed = log1p(rule.aim) - _t(rule.aim_power, freedom) * error
    by_chance = numpy.maximum(-_t(p, freedom) * error, numpy.minimum(rare, aimed))
    return numpy.asarray(numpy.maximum(log1p(rule.screen_effect), by_chance))


def is_enough(screening: Screening, rule: Rule) -> Flags:
    """Return a mask (C,) of configurations whose spread is known or whose history would show a change of `aim`."""
    import numpy

    shown = _threshold(screening, rule, rule.screen_p) + _t(rule.power, screening.freedom) * screening.error
    would_show = (screening.nights >= rule.least) & (shown <= log1p(rule.aim))
    return numpy.asarray(screening.knows_spread(rule) | would_show)


def in_force(screening: Screening, deviation: Floats, rule: Rule) -> tuple[Flags, Floats]:
    """Return a mask (C,) of the configurations for which the host is noisy, and all minimum detectable effects (C,)."""
    import numpy

    usual = detectable(screening, deviation, rule, pairs=rule.pairs, p=rule.p)
    is_noisy = usual > rule.noisy
    stricter = replace(rule, screen_p=rule.noisy_screen_p)
    noisy = detectable(screening, deviation, stricter, pairs=rule.noisy_pairs, p=rule.noisy_p)
    return is_noisy, numpy.asarray(numpy.where(is_noisy, noisy, usual))


def is_suspect(screening: Screening, is_noisy: Flags, rule: Rule) -> Flags:
    """Return a mask (C,) of the configurations that seem slower or faster, or that cannot be screened yet."""
    import numpy

    p = numpy.where(is_noisy, rule.noisy_screen_p, rule.screen_p)
    slower = screening.change > _threshold(screening, rule, p)
    faster = screening.change < -_threshold(screening, rule, numpy.minimum(p, rule.faster_p))
    return numpy.asarray(slower | faster | ~is_enough(screening, rule))


def is_shifted(screening: Screening, rule: Rule) -> Flags:
    """Return a mask (C,) of the configurations with a known spread that are clearly outside their history."""
    import numpy

    p = numpy.fmin(screening.slower_p, screening.faster_p)
    is_far = numpy.abs(screening.change) > log1p(rule.screen_effect)
    return numpy.asarray((p < rule.shifted_p) & is_far & screening.knows_spread(rule))
