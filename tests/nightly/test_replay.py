"""Histories decided again: simulated machines, and one that was written down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy
import pytest

from edgebench.foundation.errors import RequestError
from edgebench.nightly.history import write_night
from edgebench.nightly.night import History
from edgebench.nightly.replay import decide, noise, series
from edgebench.nightly.rule.thresholds import RULE
from tests.support.command import cli
from tests.support.nights import NAME, quiet_history

SMALL = {"nights": 40, "configurations": 30}


@pytest.mark.lengthy
@pytest.mark.parametrize("profile", ["quiet", "pi"])
def test_a_quiet_machine_and_a_board_have_no_false_alarm_and_find_five_per_cent_on_the_first_night(
    profile: str,
) -> None:
    drawn = series.simulated(noise.PROFILES[profile], noise.TUNING_SEED, nights=SMALL["nights"], configurations=150)
    unchanged, slowed = decide.decide(drawn), decide.decide(drawn, 1.05, since=SMALL["nights"] - 1)
    assert not (unchanged.is_slower | unchanged.is_faster).any()
    assert slowed.is_slower[-1].mean() >= 0.95
    assert numpy.median(unchanged.detectable[-1]) < 0.04


@pytest.mark.slow
def test_on_a_shared_machine_alarms_stay_few_and_power_is_what_it_is() -> None:
    drawn = series.simulated(noise.PROFILES["vm"], noise.TUNING_SEED, nights=45, configurations=80)
    found = decide.replay("vm", drawn, 1.05)
    assert found.alarms.value < 0.005
    assert 0.3 < found.power[0].value < found.power[-1].value
    assert found.runtime_alarms.value < 0.01
    assert found.power[0].value < found.runtime_power.value  # the screen lets some through, the pairs see all
    assert found.detectable is not None and found.detectable > RULE.noisy


@pytest.mark.lengthy
def test_without_the_pairs_the_screen_alone_would_cry_every_night() -> None:
    drawn = series.simulated(noise.PROFILES["vm"], noise.TUNING_SEED, **SMALL)
    believing = replace(RULE, noisy_p=1.0, p=1.0, effect=-0.99, futile_p=1.0, futile_effect=-0.99)
    assert decide.decide(drawn, rule=believing).is_slower[10:].mean() > 0.05


@pytest.mark.lengthy
def test_a_suspect_takes_pairs_until_a_look_gives_it_up() -> None:
    pairs = decide.decide(series.simulated(noise.PROFILES["vm"], noise.TUNING_SEED, **SMALL)).pairs
    assert set(numpy.unique(pairs)) <= {0, *range(RULE.interim_every, RULE.noisy_pairs + 1, RULE.interim_every)}
    assert (
        (pairs == RULE.noisy_interim_every).sum() > (pairs > RULE.noisy_interim_every).sum() > 0
    )  # most show nothing at the first


@pytest.mark.lengthy
def test_a_model_that_is_slower_and_stays_is_compared_once() -> None:
    drawn = series.simulated(noise.PROFILES["quiet"], noise.TUNING_SEED, **SMALL)
    since = SMALL["nights"] - 3
    pairs = decide.decide(drawn, 1.05, since=since).pairs[since:]
    assert pairs.sum(0).max() <= RULE.pairs + RULE.interim_every * 2
    assert (pairs[0] == RULE.pairs).mean() > 0.9


@pytest.mark.lengthy
def test_another_runtime_is_compared_by_all_of_the_pairs() -> None:
    drawn = series.simulated(noise.PROFILES["pi"], noise.TUNING_SEED, **SMALL)
    same, slow = decide.decide_in_full(drawn), decide.decide_in_full(drawn, 1.05)
    assert (same.pairs[1:] == RULE.pairs).all()
    assert not (same.is_slower | same.is_faster).any()
    assert slow.is_slower[1:].mean() > 0.95


@pytest.mark.lengthy
def test_the_same_seed_decides_the_same_and_another_another() -> None:
    def alarms(seed: int) -> int:
        drawn = series.simulated(noise.PROFILES["vm"], seed, nights=25, configurations=20)
        return int(decide.decide(drawn).pairs.sum())

    assert alarms(1) == alarms(1) != alarms(2)


def test_the_seed_of_quoted_figures_is_not_the_one_that_rules_were_tuned_on() -> None:
    assert noise.FINAL_SEED != noise.TUNING_SEED


def recorded(history: History) -> series.Series:
    times, ratios = series.processes(history)
    return series.recorded(times, ratios, seed=1)


def test_a_recorded_history_is_laid_out_in_nights_configurations_and_processes() -> None:
    times, ratios = series.processes(quiet_history(40, (NAME, "other")))
    assert times.shape == ratios.shape == (40, 2, 6)
    assert not numpy.isnan(ratios).any()


@pytest.mark.slow
def test_a_slowdown_injected_into_a_recorded_history_is_found_and_none_without() -> None:
    found = decide.replay("recorded", recorded(quiet_history(45, (NAME, "other"))), 1.05)
    assert found.alarms.events == 0
    assert found.power[0].value == 1


@pytest.mark.slow
def test_a_night_missing_from_a_recorded_history_is_not_judged() -> None:
    history = quiet_history(40)
    silent = replace(history.nights[20], entries=())
    nights = (*history.nights[:20], silent, *history.nights[21:])
    found = decide.replay("recorded", recorded(History(nights=nights)), 1.05)
    assert found.alarms.of == 38


def test_too_short_a_history_is_refused() -> None:
    with pytest.raises(RequestError, match="at least 12 nights, found 5"):
        decide.replay("recorded", recorded(quiet_history(5)), 1.05)


@pytest.mark.slow
def test_it_takes_a_history_or_a_profile() -> None:
    done = cli("nightly", "replay")
    assert done.returncode == 2
    assert "give either the folder of a history or --profile quiet, pi or vm" in done.stderr
    done = cli("nightly", "replay", "--profile", "quite")
    assert "no profile 'quite' (has quiet, pi, vm); did you mean 'quiet'?" in done.stderr


@pytest.mark.slow
def test_a_replayed_history_prints_its_rates_with_intervals() -> None:
    for night in quiet_history(20).nights:
        write_night(Path("h"), night)
    found = json.loads(cli("nightly", "replay", "h", "--inject", "1.05", "--json").stdout)
    assert found["alarms"]["of"] == 19
    assert found["power"][0]["low"] < found["power"][0]["events"] / found["power"][0]["of"]


def test_nights_that_differ_more_than_chance_widen_the_interval() -> None:
    even, uneven = decide.share([5] * 20, [100] * 20), decide.share([100] + [0] * 19, [100] * 20)
    assert (even.events, even.of) == (uneven.events, uneven.of) == (100, 2000)
    assert uneven.low < even.low < even.value < even.high < uneven.high
    assert decide.share([0, 0], [100, 100]).high == pytest.approx(0.0188, abs=1e-4)  # Wilson's, of 200
