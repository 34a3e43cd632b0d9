"""A series of nights and a simulated slowdown -> false-alarm rate and power of the nightly rule.

This module does no I/O. Nights are screened, and pairs are compared, in the same way as in `judge`. One component
changes every night, because no pairs are run if all components are unchanged. This component is either the model, which
is screened first, or the runtime, which is always compared by the full number of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.foundation.stats import wilson
from edgebench.nightly.replay.series import cut, deviation
from edgebench.nightly.rule.confirm import compare_pairs
from edgebench.nightly.rule.screen import in_force, is_suspect, noise, row_medians, screen
from edgebench.nightly.rule.thresholds import RULE, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy
    from numpy.typing import NDArray

    from edgebench.nightly.replay.series import Series

    Floats = NDArray[numpy.float64]
    Flags = NDArray[numpy.bool_]

DELAYS = 7  # the power is computed for this number of nights after the start of a slowdown
STARTS = 20  # number of nights on which a slowdown starts, each in a replay of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The decisions of the rule, as arrays of shape (nights, C) for C configurations.

    Attributes:
        was_judged: whether the rule could raise an alarm.
        pairs: number of pairs that were run.
        detectable: minimum detectable effect, as a share; computed even if no pairs were run.
    """

    is_slower: Flags
    is_faster: Flags
    was_judged: Flags
    pairs: NDArray[numpy.intp]
    detectable: Floats


def decide(series: Series, inject: float = 1.0, since: int = 0, rule: Rule = RULE) -> Decided:
    """Apply the rule to nights that each have a new model; from night `since` on, latencies are `inject` times as long.

    If all pairs for a slowdown were run on a quiet host, later nights run no further pairs for this slowdown. A night
    with an alarm is not accepted, so later nights are not screened against it.
    """
    import numpy

    shift = numpy.where(numpy.arange(len(series.times)) >= since, log(inject), 0.0)
    levels = row_medians(series.ratios) + shift[:, None]
    decided, accepted, compared = _undecided(levels), levels.copy(), numpy.zeros(levels.shape[1], bool)
    for night, spread in enumerate(_spreads(series, rule)[1:], 1):
        screening = screen(accepted[max(0, night - rule.nights) : night].T, levels[night])
        noisy, decided.detectable[night] = in_force(screening, spread, rule)
        suspects = is_suspect(screening, noisy, rule) & decided.was_judged[night] & (screening.nights > 0) & ~compared
        _confirm(decided, series, night, suspects, noisy, shift[night], rule)
        accepted[night, decided.is_slower[night] | decided.is_faster[night]] = numpy.nan
        if shift[night]:
            compared |= (decided.pairs[night] == rule.pairs) & ~noisy
    return decided


def decide_in_full(series: Series, inject: float = 1.0, rule: Rule = RULE) -> Decided:
    """Apply the rule to nights that each have a new runtime, `inject` times as slow.

    On each of these nights all pairs are run, without a screen.
    """
    import numpy

    patient = replace(rule, interim_every=rule.pairs, noisy_interim_every=rule.noisy_pairs)
    levels = row_medians(series.ratios)
    decided = _undecided(levels)
    for night, spread in enumerate(_spreads(series, rule)[1:], 1):
        unknown = screen(numpy.full((len(levels[night]), 1), numpy.nan), levels[night])
        noisy, decided.detectable[night] = in_force(unknown, spread, rule)
        _confirm(decided, series, night, decided.was_judged[night], noisy, log(inject), patient)
    return decided


def _undecided(levels: Floats) -> Decided:
    """Return decisions without an alarm; the first night has no history, so it is not judged."""
    import numpy

    judged = ~numpy.isnan(levels)
    judged[0] = False
    return Decided(
        is_slower=numpy.zeros(levels.shape, bool),
        is_faster=numpy.zeros(levels.shape, bool),
        was_judged=judged,
        pairs=numpy.zeros(levels.shape, int),
        detectable=numpy.full(levels.shape, numpy.nan),
    )


def _spreads(series: Series, rule: Rule) -> list[Floats]:
    """Return for each night an array (C,) of the deviations between processes, estimated from recent nights."""
    deviations = deviation(series.times).transpose(1, 0, 2)
    windows = (deviations[:, max(0, night + 1 - rule.nights) : night + 1] for night in range(deviations.shape[1]))
    return [noise(window.reshape(len(window), -1)) for window in windows]


def _confirm(
    decided: Decided, series: Series, night: int, suspects: Flags, noisy: Flags, shift: float, rule: Rule
) -> None:
    """Draw pairs of one night for the configurations in the mask `suspects` (C,); store the decisions in `decided`."""
    import numpy

    for is_noisy in (False, True):
        which = numpy.flatnonzero(suspects & (noisy == is_noisy))
        if len(which):
            pairs, p = rule.confirmation(is_noisy=is_noisy)
            before, now = series.aa_pairs(night, which, pairs)
            effect = compare_pairs(before, now + shift)
            is_open = numpy.ones(len(which), bool)
            interim_every = rule.interim_every_for(is_noisy=is_noisy)
            for taken in range(interim_every, pairs, interim_every):
                decided.pairs[night, which[is_open]] = taken
                is_open &= compare_pairs(before[:, :taken], now[:, :taken] + shift).is_open(rule)
            decided.pairs[night, which[is_open]] = pairs
            decided.is_slower[night, which] = effect.is_slower(p, rule.effect) & is_open
            decided.is_faster[night, which] = effect.is_faster(p, rule.effect) & is_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The share of configuration-nights (one configuration in one night) with an event, and its 95 % interval.

    The interval is Wilson's with the effective sample size of Rao and Scott (Biometrics 48, 1992), because
    configurations of the same night are correlated.
    """

    events: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share in [0, 1]; 0 if `of` is 0."""
        return self.events / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Error rates of the rule on a history in which the model, or the runtime, changes every night.

    Attributes:
        inject: simulated slowdown as a factor, for the power.
        alarms: rate of false regressions if all models are equally fast; `gains` is the rate of false improvements.
        paired: rate of suspected configurations, which are compared in pairs.
        pairs: mean number of pairs per configuration-night.
        power: shares of the slowdowns that were found by the end of the first, second, ... night.
        runtime_alarms, runtime_power: false alarms and power with a changed runtime, which always gets all pairs.
        detectable: median of the minimum detectable effects, as a share; None if no effect is known.
    """

    source: str
    nights: int
    configurations: int
    inject: float
    alarms: Rate
    gains: Rate
    paired: Rate
    pairs: float
    power: tuple[Rate, ...]
    runtime_alarms: Rate
    runtime_power: Rate
    detectable: float | None


def share(events: Sequence[int], of: Sequence[int]) -> Rate:
    """Return the rate of events, from the numbers of events and of configurations in each night."""
    occurred, total = sum(events), sum(of)
    design_effect = _design_effect(events, of)
    low, high = wilson(round(occurred / design_effect), round(total / design_effect))
    return Rate(events=occurred, of=total, low=low, high=high)


def _design_effect(events: Sequence[int], of: Sequence[int]) -> float:
    """Return the variance of the shares of the nights, divided by the variance of a binomial distribution.

    The result is at least 1.
    """
    share_of_all, nights = sum(events) / max(1, sum(of)), sum(map(bool, of))
    by_chance = share_of_all * (1 - share_of_all) / max(1, sum(of))
    if nights < 2 or not by_chance:
        return 1.0
    residuals = (occurred - share_of_all * count for occurred, count in zip(events, of, strict=True))
    variance = nights / (nights - 1) * sum(residual**2 for residual in residuals) / sum(of) ** 2
    return max(1.0, variance / by_chance)


def replay(source: str, series: Series, inject: float, rule: Rule = RULE) -> Replay:
    """Apply the rule to a series without a slowdown, and again with slowdowns that start on several of its nights.

    Raises:
        RequestError: the series is too short.
    """
    import numpy

    nights, configurations, _ = series.times.shape
    if nights < rule.enough + 2:
        raise RequestError(f"a replay needs a history of at least {rule.enough + 2} nights, found {nights}")
    plain, same, slow = (
        decide(series, rule=rule),
        decide_in_full(series, rule=rule),
        decide_in_full(series, inject, rule),
    )
    judged = _by_night(plain.was_judged)
    known = plain.detectable[~numpy.isnan(plain.detectable)]
    return Replay(
        source=source,
        nights=nights,
        configurations=configurations,
        inject=inject,
        alarms=share(_by_night(plain.is_slower & plain.was_judged), judged),
        gains=share(_by_night(plain.is_faster & plain.was_judged), judged),
        paired=share(_by_night((plain.pairs > 0) & plain.was_judged), judged),
        pairs=float(plain.pairs[plain.was_judged].mean()),
        power=_power(series, inject, rule),
        runtime_alarms=share(_by_night(same.is_slower), judged),
        runtime_power=share(_by_night(slow.is_slower), judged),
        detectable=float(numpy.median(known)) if len(known) else None,
    )


def _by_night(flags: Flags) -> list[int]:
    return [int(count) for count in flags.sum(axis=1)]


def _power(series: Series, inject: float, rule: Rule) -> tuple[Rate, ...]:
    """Return the share of slowdowns found within 1, 2, 3, ... nights of their start, pooled over several starts."""
    import numpy

    nights = len(series.times)
    first, last = min(rule.nights, nights // 2) + 1, max(nights - DELAYS, nights // 2 + 1)
    starts = sorted(set(numpy.linspace(min(first, last), last, STARTS).astype(int).tolist()))
    counted = [_detections(series, since, min(since + DELAYS, nights), inject, rule) for since in starts]
    delays = range(max(len(counts) for counts, _ in counted))
    by_delay = [[(counts[delay], of) for counts, of in counted if delay < len(counts)] for delay in delays]
    return tuple(share([events for events, _ in rows], [of for _, of in rows]) for rows in by_delay)


def _detections(series: Series, since: int, until: int, inject: float, rule: Rule) -> tuple[list[int], int]:
    """Return how many slowdowns that start on night `since` are found by each later night, and the number of all."""
    import numpy

    start = max(0, since - rule.nights)
    decided = decide(cut(series, start, until), inject, since - start, rule)
    judged = decided.was_judged[since - start]  # a configuration that is missing on the first night is left out
    detected = numpy.logical_or.accumulate(decided.is_slower[since - start :] & judged, axis=0)
    return _by_night(detected), int(judged.sum())
