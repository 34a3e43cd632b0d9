"""The arithmetic of screening and confirming, against known values and seeded draws."""

from __future__ import annotations

from collections.abc import Callable
from math import expm1, log1p
from typing import Any

import numpy
import pytest

from edgebench.nightly.rule.confirm import Effect, compare, compare_pairs
from edgebench.nightly.rule.screen import detectable, is_enough, is_suspect, moderate, noise, screen
from edgebench.nightly.rule.thresholds import RULE

Compared = Callable[[Any, Any], Effect]
DRAW = numpy.random.default_rng(1)


def test_a_single_configuration_has_the_ordinary_t_but_for_its_median() -> None:
    from scipy.stats import t

    history = DRAW.normal(0, 0.01, (1, 15))
    found = screen(history, numpy.array([0.02]))
    error = history.std(ddof=1) * numpy.sqrt(1 + numpy.pi / 2 / 15)
    assert found.error[0] == pytest.approx(error)
    assert found.freedom[0] == 14
    assert found.change[0] == pytest.approx(0.02 - numpy.median(history))
    assert found.slower_p[0] == pytest.approx(t.sf(found.change[0] / error, 14))
    assert found.slower_p[0] + found.faster_p[0] == pytest.approx(1)


def test_variances_are_drawn_towards_their_common_one_by_as_much_as_they_agree() -> None:
    freedom = numpy.full(400, 9.0)
    alike = 4.0 * DRAW.chisquare(9, 400) / 9
    moderated, total = moderate(alike, freedom)
    assert moderated.std() < 0.2 * alike.std()
    assert total.min() > 60
    differing = alike * numpy.exp(DRAW.normal(0, 2, 400))
    moderated, total = moderate(differing, freedom)
    assert total.max() < 15
    assert numpy.log(moderated).std() > 0.8 * numpy.log(differing).std()


def test_the_fitted_prior_is_the_one_that_variances_were_drawn_from() -> None:
    prior, degrees = 2.0, 8
    variances = prior * degrees / DRAW.chisquare(degrees, 20_000)
    seen = variances * DRAW.chisquare(9, 20_000) / 9
    _, total = moderate(seen, numpy.full(20_000, 9.0))
    assert total[0] - 9 == pytest.approx(degrees, rel=0.1)


@pytest.mark.parametrize(
    ("configurations", "nights", "spreads", "is_enough"),
    [
        (1, 9, 0.0, False),
        (1, 10, 0.0, True),
        (200, 1, 0.0, False),
        (200, 2, 0.0, True),
        (20, 3, 0.0, True),
        (200, 9, 2.0, False),  # each varies by an amount of its own: others say nothing of it
        (200, 10, 2.0, True),
    ],
)
def test_what_varies_alike_needs_two_nights_and_what_is_alone_ten(
    configurations: int, nights: int, spreads: float, is_enough: bool
) -> None:
    draw = numpy.random.default_rng(1)
    scale = 0.01 * numpy.exp(draw.normal(0, spreads, (configurations, 1)))
    found = screen(draw.normal(0, scale, (configurations, nights)), numpy.zeros(configurations))
    assert set(found.knows_spread(RULE).tolist()) == {is_enough}


def test_a_history_too_short_to_know_its_spread_will_do_where_the_aim_would_show() -> None:
    draw = numpy.random.default_rng(1)
    for spread, will_do in ((0.003, True), (0.05, False)):
        scale = spread * numpy.exp(draw.normal(0, 2.0, (200, 1)))  # each varies by an amount of its own
        found = screen(draw.normal(0, scale, (200, 4)), numpy.zeros(200))
        assert not found.knows_spread(RULE).any()
        assert is_enough(found, RULE)[found.error < 0.005].all()
        assert not is_enough(found, RULE)[found.error > 0.05].any()
        assert bool(is_enough(found, RULE).mean() > 0.5) == will_do


def test_gaps_are_left_out_and_no_history_says_nothing() -> None:
    rows = numpy.array([[0.0, numpy.nan, 0.01, 0.02], [numpy.nan] * 4])
    found = screen(rows, numpy.array([0.01, 0.01]))
    assert found.nights.tolist() == [3, 0]
    assert found.centre[0] == 0.01
    assert numpy.isnan(found.slower_p[1])


def test_a_history_that_repeats_to_the_last_digit_divides_by_nothing() -> None:
    found = screen(numpy.zeros((2, 12)), numpy.array([0.0, 0.05]))
    assert is_suspect(found, numpy.zeros(2, bool), RULE).tolist() == [False, True]


@pytest.mark.lengthy
@pytest.mark.parametrize(("error", "share"), [(0.003, 0.001), (0.010, 0.010), (0.030, 0.100)])
def test_the_screen_is_as_strict_as_the_aim_allows(error: float, share: float) -> None:
    """Of unchanged configurations few pass where that loses nothing; of those slower by 5 % nearly all, if any can."""
    draw = numpy.random.default_rng(5)
    history = draw.normal(0, error / (1 + numpy.pi / 60) ** 0.5, (20_000, 30))
    tonight = draw.normal(0, error, 20_000)
    calm, noisy = numpy.zeros(20_000, bool), numpy.ones(20_000, bool)
    assert is_suspect(screen(history, tonight), calm, RULE).mean() < 1.5 * (share + min(share, RULE.faster_p))
    found = is_suspect(screen(history, tonight + log1p(RULE.aim)), noisy, RULE).mean()
    assert found > (RULE.aim_power - 0.005 if error < 0.02 else 0.7)


def test_an_improvement_on_a_noisy_host_needs_more_than_a_slowdown() -> None:
    history = numpy.random.default_rng(6).normal(0, 0.05, (100, 30))
    noisy = numpy.ones(100, bool)
    for change, share in ((0.07, 0.9), (-0.07, 0.0)):  # 1.4 standard deviations
        assert is_suspect(screen(history, numpy.full(100, change)), noisy, RULE).mean() == pytest.approx(share, abs=0.1)


def test_noise_is_that_of_most_processes_whatever_a_burst_did() -> None:
    calm = DRAW.normal(0, 0.01, (1, 300))
    burst = calm.copy()
    burst[0, :30] += 0.5
    assert noise(calm)[0] == pytest.approx(0.01, rel=0.1)
    assert noise(burst)[0] == pytest.approx(0.01, rel=0.25)


@pytest.mark.lengthy
@pytest.mark.parametrize("deviation", [0.004, 0.02, 0.05])
def test_the_minimum_detectable_effect_is_found_with_the_power_it_promises(deviation: float) -> None:
    """Over the pairs: the history is so steady that its screen passes everything."""
    steady = screen(DRAW.normal(0, 1e-4, (1, 30)), numpy.zeros(1))
    least = detectable(steady, numpy.array([deviation]), RULE, pairs=RULE.pairs, p=RULE.p)[0]
    arms = numpy.random.default_rng(2).normal(0, deviation, (2, 4000, RULE.pairs))
    found = compare_pairs(arms[0], arms[1] + log1p(least)).is_slower(RULE.p, RULE.effect)
    assert found.mean() == pytest.approx(RULE.power, abs=0.04)


@pytest.mark.lengthy
@pytest.mark.parametrize("compared", [compare, compare_pairs])
def test_arms_estimate_the_change_and_their_interval_holds_it(compared: Compared) -> None:
    arms = numpy.random.default_rng(3).normal(0, 0.02, (2, 4000, 20))
    found = compared(arms[0], arms[1] + log1p(0.05))
    assert expm1(found.change.mean()) == pytest.approx(0.05, abs=0.002)
    assert numpy.mean((found.low < log1p(0.05)) & (log1p(0.05) < found.high)) == pytest.approx(0.95, abs=0.02)


@pytest.mark.lengthy
def test_equal_arms_are_confirmed_as_seldom_as_p_says() -> None:
    arms = DRAW.normal(0, 0.2, (2, 4000, 20))  # so noisy that the least effect is no bar
    found = compare(arms[0], arms[1])
    assert found.is_slower(0.01, 0.0).mean() == pytest.approx(0.01, abs=0.005)
    assert found.is_faster(0.01, 0.0).mean() == pytest.approx(0.01, abs=0.005)
    found = compare_pairs(arms[0], arms[1])  # of two tests, each at half the p
    assert 0.002 < found.is_slower(0.01, 0.0).mean() < 0.012
    assert 0.002 < found.is_faster(0.01, 0.0).mean() < 0.012


def test_a_clock_that_flips_hides_little_from_pairs() -> None:
    draw = numpy.random.default_rng(4)
    fast = numpy.where(draw.random((2, 500, 40)) < 0.2, -0.55, 0.0)  # each process by itself: the worst for pairs
    accepted, tonight = fast + draw.normal(0, 0.03, (2, 500, 40))
    assert compare_pairs(accepted, tonight + log1p(0.10)).is_slower(RULE.noisy_p, RULE.effect).mean() > 0.85
    assert compare_pairs(accepted, tonight).is_slower(RULE.noisy_p, RULE.effect).mean() < 0.01


def test_what_slows_both_of_a_pair_is_nobodys_change() -> None:
    moments = DRAW.normal(0, 0.2, (500, 20))  # the machine's own, which a pair shares
    accepted, tonight = moments + DRAW.normal(0, 0.02, (2, 500, 20))
    slower = tonight + log1p(0.05)
    assert compare(accepted, slower).is_slower(RULE.p, RULE.effect).mean() < 0.1
    assert compare_pairs(accepted, slower).is_slower(RULE.p, RULE.effect).mean() > 0.99
    assert compare_pairs(accepted, tonight).is_slower(RULE.p, 0.0).mean() < 0.03
