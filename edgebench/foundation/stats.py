"""Numbers -> medians with intervals, shares, slopes and percentiles.

This module uses only the standard library, because the agent, the program that runs on targets, imports it, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import ceil, comb, exp, log, sqrt
from statistics import NormalDist, median

CONFIDENCE = 0.95
POWER = 0.8  # probability with which a test should detect a real effect: the usual value (Cohen 1988)
# The fewest values that give a 95 % interval of the median.
# All six lie on the same side of the median with a probability of only 2 * 0.5**6 = 3.1 %.
LEAST_FOR_INTERVAL = 6


@cache
def binomial_cdf(successes: int, trials: int, probability: float) -> float:
    """Return P(X <= successes) for X ~ Binomial(trials, probability)."""
    return sum(comb(trials, k) * probability**k * (1 - probability) ** (trials - k) for k in range(successes + 1))


def median_ranks(count: int) -> tuple[int, int] | None:
    """Return the 1-based ranks of the order statistics that enclose the median with 95 % confidence.

    The ranks are 1 and 6 of 6 values, 2 and 8 of 9, 3 and 10 of 12, 4 and 13 of 16, 6 and 15 of 20, 10 and 21 of 30.
    The result is None for fewer than 6 values.
    Source: David and Nagaraja, Order Statistics, 3rd ed., 2003, section 7.1.
    """
    if count < LEAST_FOR_INTERVAL:
        return None
    low = 1
    while 2 * binomial_cdf(low, count, 0.5) <= 1 - CONFIDENCE:
        low += 1
    return low, count + 1 - low


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the distribution-free 95 % interval of the median; None for fewer than 6 values."""
    ranks = median_ranks(len(values))
    if ranks is None:
        return None
    ordered = sorted(values)
    return ordered[ranks[0] - 1], ordered[ranks[1] - 1]


def relative_half_width(low: float, middle: float, high: float) -> float:
    """Return half the width of an interval, divided by the value `middle` inside the interval; 0 if `middle` is 0."""
    return (high - low) / 2 / middle if middle else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio of two medians with its 95 % interval; `low` and `high` are None if either median has no interval."""

    value: float
    low: float | None
    high: float | None


Spread = tuple[float, float, float]  # low, median, high


def ratio_of_medians(over: Spread, under: Spread) -> Ratio:
    """Return the ratio of two independent positive medians; its interval is computed from the medians' intervals.

    The interval is computed by the MOVER method (Zou and Donner, Statistics in Medicine 27, 2008; for ratios Donner and
    Zou, Statistical Methods in Medical Research 21, 2012) from the medians' logarithms, whose difference is the ratio's
    logarithm. The lower end lies sqrt(a^2 + b^2) below this difference: a is the distance from the first median to the
    lower end of its interval, and b is the distance from the second median to the upper end of its interval. The upper
    end lies sqrt(c^2 + d^2) above the difference, where c and d are the distances to the opposite ends of the same two
    intervals. No distribution is assumed, and the interval always contains the ratio of the medians.
    """
    low, middle, high = (log(value) for value in over)
    other_low, other_middle, other_high = (log(value) for value in under)
    difference = middle - other_middle
    return Ratio(
        value=exp(difference),
        low=exp(difference - sqrt((middle - low) ** 2 + (other_high - other_middle) ** 2)),
        high=exp(difference + sqrt((high - middle) ** 2 + (other_middle - other_low) ** 2)),
    )


def shift(before: Sequence[float], after: Sequence[float]) -> Spread | None:
    """Return the shift between two samples with its 95 % interval; None if a sample has fewer than 6 values.

    The shift is the median of the differences between each value in `after` and each value in `before` (Hodges and
    Lehmann, Annals of Mathematical Statistics 34, 1963). The shift's interval consists of all shifts that the exact
    Mann-Whitney test does not reject. No distribution of the values is assumed.
    """
    if min(len(before), len(after)) < LEAST_FOR_INTERVAL:
        return None
    differences = sorted(late - early for early in before for late in after)
    beyond = _beyond(len(before), len(after))
    return differences[beyond - 1], median(differences), differences[-beyond]


@cache
def _beyond(count: int, other: int) -> int:
    """Return k such that the k-th smallest and the k-th largest difference enclose the shift at 95 % confidence."""
    ways = _orders(count, other)
    allowed, rank, total = (1 - CONFIDENCE) / 2 * sum(ways), 0, ways[0]
    while total <= allowed:
        rank += 1
        total += ways[rank]
    return rank


def _orders(count: int, other: int) -> list[int]:
    """Return how many orderings of both samples give the Mann-Whitney statistic the value 0, 1, 2, ...

    The statistic is the number of pairs in which the value from the first sample precedes the value from the second.
    The returned numbers are the coefficients of a Gaussian binomial (Mann and Whitney, Annals of Mathematical
    Statistics 18, 1947).
    """
    ways = [1] + [0] * (count * other)
    for size in range(1, count + 1):
        for place in range(count * other, other + size - 1, -1):
            ways[place] -= ways[place - other - size]
        for place in range(size, count * other + 1):
            ways[place] += ways[place - size]
    return ways


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return Wilson's score interval of a share (Wilson 1927), at 95 % confidence by default; (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value of McNemar's test (McNemar 1947) from the counts of discordant pairs.

    The p-value is computed with integers, because floats could overflow or underflow; it is 1 if no pair is discordant.
    """
    pairs, term, tail = only_first + only_second, 1, 1
    for k in range(min(only_first, only_second)):
        term = term * (pairs - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << pairs))


def paired_drop(only_first: int, only_second: int, pairs: int) -> Spread:
    """Return a first model's accuracy minus a second model's, with its interval, as (low, value, high).

    Both models were evaluated on the same `pairs` images. `only_first` is the number of images that only the first
    model classifies correctly, and `only_second` is the number of images that only the second model classifies
    correctly. The interval is computed by Wald's method after half a pair is added to each cell of the 2x2 table, as
    proposed in Agresti and Min, Simple improved confidence intervals for comparing matched proportions, Statistics in
    Medicine 24 (2005).
    """
    first, second, count = only_first + 0.5, only_second + 0.5, pairs + 2
    middle = (first - second) / count
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt(first + second - (first - second) ** 2 / count) / count
    return middle - half, (only_first - only_second) / pairs, middle + half


def pairs_to_separate(only_first: int, only_second: int, pairs: int, power: float = POWER) -> int | None:
    """Return how many paired answers McNemar's test needs to separate two accuracies at the 5 % level.

    The number assumes that the observed shares of discordant pairs are the true shares. The result is None if both
    counts are equal, because then no number suffices. Source: Connor, Biometrics 43, 1987.
    """
    if only_first == only_second:
        return None
    differing, gap = (only_first + only_second) / pairs, abs(only_first - only_second) / pairs
    z, z_power = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2), NormalDist().inv_cdf(power)
    return ceil(((z * sqrt(differing) + z_power * sqrt(differing - gap**2)) / gap) ** 2)


def theil_sen(values: Sequence[float]) -> float:
    """Return the median of the slopes per step between all pairs of points (Theil 1950, Sen 1968); 0 without a pair."""
    slopes = [(values[j] - values[i]) / (j - i) for i, j in combinations(range(len(values)), 2)]
    return median(slopes) if slopes else 0.0


def trend_is_significant(values: Sequence[float]) -> bool:
    """Return whether the two-sided Mann-Kendall test finds a trend at the 5 % level.

    The test uses the normal approximation (Kendall 1975).
    """
    count = len(values)
    if count < LEAST_FOR_INTERVAL:
        return False
    score = sum((b > a) - (b < a) for a, b in combinations(values, 2))
    variance = count * (count - 1) * (2 * count + 5) / 18
    return max(0, abs(score) - 1) / sqrt(variance) > NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


def early_stopping_percentile(samples: Sequence[float], percentile: float, confidence: float = 0.99) -> float | None:
    """Return LoadGen's early-stopping estimate: the percentile is, at the given confidence, at most the returned value.

    The returned value is the t-th highest sample, and t is the largest number such that
    P(Binomial(n, 1 - percentile) <= t) <= 1 - confidence. The result is None if t is 0, as with fewer than 64 samples
    for p90 or fewer than 662 for p99. Source: early stopping in LoadGen of MLCommons inference, with its tolerance d
    set to 0. A test compares this function's results with LoadGen's own logs.
    """
    allowed = _allowed_above(len(samples), percentile, confidence)
    return sorted(samples)[len(samples) - allowed] if allowed >= 1 else None


@cache
def _allowed_above(count: int, percentile: float, confidence: float) -> int:
    """Return the number t of `early_stopping_percentile`; -1 if not even t = 0 satisfies the inequality given there."""
    allowed, cumulated, log_term = -1, 0.0, count * log(percentile)
    while cumulated + exp(log_term) <= 1 - confidence:
        cumulated += exp(log_term)
        allowed += 1
        log_term += log((count - allowed) / (allowed + 1) * (1 - percentile) / percentile)
    return allowed
