"""Medians, intervals, ratios and tests against known values and simulations."""

from collections import Counter
from itertools import combinations
from random import Random
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.foundation import stats

numbers = st.floats(-1e6, 1e6)


@pytest.fixture(scope="module")
def oracle() -> Any:
    """Import scipy's statistics only where a test compares with them: no fast test does."""
    from scipy import stats as scipys

    return scipys


@pytest.mark.parametrize(
    ("count", "ranks"),
    [(5, None), (6, (1, 6)), (9, (2, 8)), (12, (3, 10)), (16, (4, 13)), (20, (6, 15)), (30, (10, 21))],
)
def test_median_ranks_are_those_of_the_binomial_table(count: int, ranks: tuple[int, int] | None) -> None:
    assert stats.median_ranks(count) == ranks


@pytest.mark.lengthy
@given(st.integers(6, 60))
def test_the_ranks_cover_the_median_with_95_percent_and_the_next_narrower_ones_do_not(oracle: Any, count: int) -> None:
    ranks = stats.median_ranks(count)
    assert ranks is not None
    low = ranks[0]
    assert 1 - 2 * oracle.binom.cdf(low - 1, count, 0.5) >= 0.95
    assert 1 - 2 * oracle.binom.cdf(low, count, 0.5) < 0.95


@pytest.mark.lengthy
@given(st.lists(numbers, min_size=6, max_size=40))
def test_the_interval_encloses_the_median(values: list[float]) -> None:
    interval = stats.median_interval(values)
    assert interval is not None
    assert interval[0] <= median(values) <= interval[1]


@pytest.mark.lengthy
@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_equals_scipy(oracle: Any, successes: int, more: int) -> None:
    trials = successes + more
    wanted = oracle.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert stats.wilson(successes, trials) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


def test_wilson_without_trials_knows_nothing() -> None:
    assert stats.wilson(0, 0) == (0.0, 1.0)


@pytest.mark.lengthy
@given(st.lists(numbers, min_size=2, max_size=25))
def test_theil_sen_equals_scipy(oracle: Any, values: list[float]) -> None:
    assert stats.theil_sen(values) == pytest.approx(oracle.theilslopes(values).slope, rel=1e-9, abs=1e-9)


def test_a_steady_climb_is_a_trend_and_alternation_is_none() -> None:
    assert stats.trend_is_significant([1.0 + 0.01 * step for step in range(8)])
    assert not stats.trend_is_significant([1.0, 1.1] * 5)
    assert not stats.trend_is_significant([1.0, 2.0, 3.0])


# "Processed at least 64 queries (n). Would discard t highest latency queries", from LoadGen's own logs.
@pytest.mark.parametrize(("count", "discarded"), [(2048, 172), (2116, 178), (2145, 181)])
def test_early_stopping_discards_as_many_as_loadgen(count: int, discarded: int) -> None:
    assert stats.early_stopping_percentile(range(count), 0.9) == count - 1 - discarded


@pytest.mark.parametrize(("percentile", "least"), [(0.9, 64), (0.99, 662)])
def test_early_stopping_needs_as_many_samples_as_mlperf_says(percentile: float, least: int) -> None:
    assert stats.early_stopping_percentile(range(least - 1), percentile) is None
    assert stats.early_stopping_percentile(range(least), percentile) is not None


@pytest.mark.lengthy
def test_early_stopping_survives_a_million_samples() -> None:
    assert stats.early_stopping_percentile(range(1_000_000), 0.9) == pytest.approx(900_000, rel=0.001)


@pytest.mark.lengthy
@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_equals_scipys_exact_binomial_test(oracle: Any, only_first: int, only_second: int) -> None:
    pairs = only_first + only_second
    wanted = oracle.binomtest(only_first, pairs).pvalue if pairs else 1.0
    assert stats.mcnemar(only_first, only_second) == pytest.approx(wanted, rel=1e-9)


def test_mcnemar_survives_ten_thousand_differing_pairs() -> None:
    assert stats.mcnemar(5000, 5000) == 1.0
    assert stats.mcnemar(9000, 1000) == pytest.approx(0.0, abs=1e-300)


def test_five_differing_pairs_never_suffice_and_six_of_a_kind_do() -> None:
    assert stats.mcnemar(5, 0) == 2 * 0.5**5 > 0.05
    assert stats.mcnemar(6, 0) == 2 * 0.5**6 < 0.05


def test_connors_number_of_pairs() -> None:
    """20 % of pairs differ, 10 points apart: 155 by Connor's formula, worked by hand."""
    assert stats.pairs_to_separate(15, 5, 100) == 155


@pytest.mark.lengthy
@given(st.integers(0, 40), st.integers(0, 40))
def test_a_smaller_gap_needs_more_pairs_and_none_needs_more_than_there_are(only_first: int, only_second: int) -> None:
    wanted = stats.pairs_to_separate(only_first, only_second, 1000)
    if only_first == only_second:
        assert wanted is None
    else:
        closer = stats.pairs_to_separate(max(only_first, only_second) + 1, min(only_first, only_second) + 1, 1000)
        assert wanted is not None and closer is not None and closer >= wanted


def test_that_many_pairs_find_the_difference_in_four_of_five_studies() -> None:
    import numpy

    pairs = stats.pairs_to_separate(30, 10, 1000)
    assert pairs is not None
    draws = numpy.random.default_rng(0).multinomial(pairs, [0.03, 0.01, 0.96], size=2000)
    found = [stats.mcnemar(int(first), int(second)) < 0.05 for first, second, _ in draws]
    assert sum(found) / len(found) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("count", "other"), [(1, 1), (3, 4), (6, 6), (6, 8)])
def test_orders_are_those_that_counting_finds(count: int, other: int) -> None:
    found = Counter[int]()
    for places in combinations(range(count + other), count):
        rest = set(range(count + other)) - set(places)
        found[sum(early < late for early in places for late in rest)] += 1
    assert stats._orders(count, other) == [found[pairs] for pairs in range(count * other + 1)]


def test_a_shift_lies_in_its_interval_in_95_of_100_samples() -> None:
    draw, held = Random(1), 0
    for _ in range(1000):
        before, after = ([draw.gauss(moved, 1) for _ in range(8)] for moved in (0.0, 0.7))
        low, _, high = stats.shift(before, after) or (0.0, 0.0, 0.0)
        held += low <= 0.7 <= high
    assert held / 1000 == pytest.approx(0.95, abs=0.02)
    assert stats.shift([1.0] * 5, [1.0] * 6) is None
    assert stats.shift([1.0] * 6, [3.0] * 6) == (2.0, 2.0, 2.0)
