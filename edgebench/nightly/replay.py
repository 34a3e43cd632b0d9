"""A history of processes, recorded or simulated, and a slowdown -> false alarms of the nightly rule, and its power.

Pure but for the seed's draws. What is decided is what `regress` decides: the same screen, the same pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from edgebench.errors import RequestError
from edgebench.nightly import noise
from edgebench.nightly.carry import UNSEEN, pasts
from edgebench.nightly.confirm import compare_pairs
from edgebench.nightly.rule import RULE, Rule
from edgebench.nightly.suspect import in_force, is_suspect, screen
from edgebench.stats import wilson

if TYPE_CHECKING:
    import numpy
    from numpy.random import Generator
    from numpy.typing import NDArray

    from edgebench.nightly.night import History

    Floats = NDArray[numpy.float64]
    Flags = NDArray[numpy.bool_]

DELAYS = 7  # nights that a slowdown may take to be found
STARTS = 20  # nights of a history that a slowdown is begun at, one after the other
CONFIGURATIONS, NIGHTS, PROCESSES = 300, 400, 6  # of a simulated history: 120,000 configuration-nights

Arms = Callable[[int, "NDArray[numpy.intp]", int], "tuple[Floats, Floats]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What a history holds for replaying.

    Attributes:
        times: log times of processes as pairs compare them, (nights, C, processes); NaN where there was none.
        ratios: log times over a reference workload's.
        arms: night, configurations and pairs -> log times of two equal arms, (K, pairs) each.
    """

    times: Floats
    ratios: Floats
    arms: Arms


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the rule said, (nights, C) each; `was_judged` where it could have alarmed.

    Attributes:
        pairs: that it took.
        detectable: the minimum detectable effect of the pairs that were or would have been taken, a share.
    """

    is_slower: Flags
    is_faster: Flags
    was_judged: Flags
    pairs: NDArray[numpy.intp]
    detectable: Floats


def simulated(profile: noise.Profile, seed: int, nights: int = NIGHTS, configurations: int = CONFIGURATIONS) -> Series:
    """Draw a history in which nothing ever changes."""
    import numpy

    draw = numpy.random.default_rng(seed)
    seen = [noise.measured(profile, draw, configurations, PROCESSES) for _ in range(nights)]
    times, references = (numpy.array(part) for part in zip(*seen, strict=True))

    def arms(night: int, which: NDArray[numpy.intp], pairs: int) -> tuple[Floats, Floats]:
        return noise.arms(profile, numpy.random.default_rng((seed, night, pairs)), len(which), pairs)

    return Series(times=times, ratios=times - references, arms=arms)


def recorded(times: Floats, ratios: Floats, seed: int) -> Series:
    """Replay recorded processes, (nights, C, processes); arms are drawn from the recent deviations between processes.

    So a replay has the noise of its machine, but not what pairs of two installations would have had beyond it.
    """
    import numpy

    deviations = deviation(times)

    def arms(night: int, which: NDArray[numpy.intp], pairs: int) -> tuple[Floats, Floats]:
        draw = numpy.random.default_rng((seed, night, pairs))
        recent = deviations[max(0, night + 1 - RULE.nights) : night + 1, which]
        found = [_drawn(recent, draw, pairs), _drawn(recent, draw, pairs)]
        return found[0], found[1]

    return Series(times=times, ratios=ratios, arms=arms)


def _drawn(deviations: Floats, draw: Generator, pairs: int) -> Floats:
    """Draw deviations of each configuration with replacement, (K, pairs)."""
    import numpy

    pools = (column[~numpy.isnan(column)] for column in deviations.transpose(1, 0, 2).reshape(deviations.shape[1], -1))
    return numpy.array([draw.choice(pool if len(pool) else numpy.zeros(1), pairs) for pool in pools])


def deviation(times: Floats) -> Floats:
    """Return each process's deviation from its night's median, widened for the few that the median is of."""
    import numpy

    counts = numpy.sum(~numpy.isnan(times), axis=2, keepdims=True)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        widened = numpy.where(counts > 1, numpy.sqrt(counts / (counts - 1)), numpy.nan)
    return numpy.asarray((times - _median(times)[:, :, None]) * widened)


def _median(values: Floats) -> Floats:
    import numpy

    found = numpy.full(values.shape[:2], numpy.nan)
    known = ~numpy.isnan(values).all(axis=2)
    found[known] = numpy.nanmedian(values[known], axis=1)
    return found


def decide(series: Series, inject: float = 1.0, since: int = 0, rule: Rule = RULE) -> Decided:
    """Decide every night of a history in which all configurations take `inject` times as long from a night on.

    Every night has another model: where nothing is another, nothing is paired. What takes longer is one model, which
    is compared no more once all of its pairs were taken. A night that alarmed is not accepted: it is no part of the
    history that later ones are screened against.
    """
    import numpy

    shift = numpy.where(numpy.arange(len(series.times)) >= since, log(inject), 0.0)
    medians, deviations = _median(series.ratios) + shift[:, None], deviation(series.times)
    shape = medians.shape
    slower, faster, pairs = numpy.zeros(shape, bool), numpy.zeros(shape, bool), numpy.zeros(shape, int)
    smallest, accepted, decided = numpy.full(shape, numpy.nan), medians.copy(), numpy.zeros(shape[1], bool)
    for night in range(1, len(medians)):
        past = slice(max(0, night - rule.nights), night)
        screening = screen(accepted[past].T, medians[night])
        spread = noise_of(deviations[max(0, night + 1 - rule.nights) : night + 1])
        noisy, smallest[night] = in_force(screening, spread, rule)
        suspects = is_suspect(screening, noisy, rule) & ~numpy.isnan(medians[night]) & (screening.nights > 0) & ~decided
        slower[night], faster[night], pairs[night] = _confirmed(series, night, suspects, noisy, shift[night], rule)
        accepted[night, slower[night] | faster[night]] = numpy.nan
        if shift[night]:
            decided |= pairs[night] == numpy.where(noisy, rule.noisy_pairs, rule.pairs)
    judged = ~numpy.isnan(medians)
    judged[0] = False
    return Decided(is_slower=slower, is_faster=faster, was_judged=judged, pairs=pairs, detectable=smallest)


def _confirmed(
    series: Series, night: int, suspects: Flags, noisy: Flags, shift: float, rule: Rule
) -> tuple[Flags, Flags, NDArray[numpy.intp]]:
    """Take pairs of the suspects; tell which are slower, which are faster and how many were taken, (C,) each."""
    import numpy

    slower, faster = numpy.zeros(len(suspects), bool), numpy.zeros(len(suspects), bool)
    taken = numpy.zeros(len(suspects), int)
    for is_noisy in (False, True):
        which = numpy.flatnonzero(suspects & (noisy == is_noisy))
        if len(which):
            pairs, p = rule.confirmation(is_noisy=is_noisy)
            before, now = series.arms(night, which, pairs)
            effect, taken[which] = compare_pairs(before, now + shift), pairs
            is_open = numpy.ones(len(which), bool)
            each = rule.looks(is_noisy=is_noisy)
            for look in range(each, pairs, each):
                taken[which[is_open]] = look
                is_open &= compare_pairs(before[:, :look], now[:, :look] + shift).is_open(rule)
            taken[which[is_open]] = pairs
            slower[which] = effect.is_slower(p, rule.effect) & is_open
            faster[which] = effect.is_faster(p, rule.effect) & is_open
    return slower, faster, taken


def noise_of(deviations: Floats) -> Floats:
    """Return the deviation between processes, (C,), of recent nights', (nights, C, processes)."""
    from edgebench.nightly.suspect import noise as spread

    return spread(deviations.transpose(1, 0, 2).reshape(deviations.shape[1], -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How often something happened, with a 95 % interval, shares of 1.

    The interval is Wilson's of as many configuration-nights as would tell as much, were nights alike: what a night does
    to one configuration it does to others (Rao and Scott, Biometrics 48, 1992).
    """

    events: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; 0 of nothing."""
        return self.events / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What the rule does on a history.

    Attributes:
        inject: how many times as long everything takes from some night on, for the power.
        alarms: configuration-nights of the unchanged history that were called a regression; `gains` an improvement.
        paired: those that took pairs; `pairs` how many of them a configuration-night took in the mean.
        power: slowdowns that were found by the first, second, ... night.
        detectable: the median minimum detectable effect, a share; None where no night has one.
    """

    source: str
    nights: int
    configurations: int
    inject: float
    alarms: Share
    gains: Share
    paired: Share
    pairs: float
    power: tuple[Share, ...]
    detectable: float | None


def share(events: Sequence[int], of: Sequence[int]) -> Share:
    """Count events, night by night."""
    happened, total = sum(events), sum(of)
    less = _design_effect(events, of)
    low, high = wilson(round(happened / less), round(total / less))
    return Share(events=happened, of=total, low=low, high=high)


def _design_effect(events: Sequence[int], of: Sequence[int]) -> float:
    """Return how many times as much shares of nights vary as chance alone would have it; at least 1."""
    share_of_all, nights = sum(events) / max(1, sum(of)), sum(map(bool, of))
    by_chance = share_of_all * (1 - share_of_all) / max(1, sum(of))
    if nights < 2 or not by_chance:
        return 1.0
    residuals = (one - share_of_all * count for one, count in zip(events, of, strict=True))
    found = nights / (nights - 1) * sum(one**2 for one in residuals) / sum(of) ** 2
    return max(1.0, found / by_chance)


def replay(source: str, series: Series, inject: float, rule: Rule = RULE) -> Replay:
    """Decide a history as it is, and with slowdowns that begin at several of its nights.

    Raises:
        RequestError: it is too short.
    """
    import numpy

    nights, configurations, _ = series.times.shape
    if nights < rule.enough + 2:
        raise RequestError(f"wanted a history of at least {rule.enough + 2} nights to replay, found {nights}")
    plain = decide(series, rule=rule)
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
        detectable=float(numpy.median(known)) if len(known) else None,
    )


def _by_night(flags: Flags) -> list[int]:
    return [int(count) for count in flags.sum(axis=1)]


def _power(series: Series, inject: float, rule: Rule) -> tuple[Share, ...]:
    """Count the slowdowns found by each delay, over several nights at which they begin."""
    import numpy

    nights = len(series.times)
    first, last = min(rule.nights, nights // 2) + 1, max(nights - DELAYS, nights // 2 + 1)
    starts = sorted(set(numpy.linspace(min(first, last), last, STARTS).astype(int).tolist()))
    found = [_found(series, since, min(since + DELAYS, nights), inject, rule) for since in starts]
    reached = range(max(len(counts) for counts, _ in found))
    kept = [[(counts[delay], of) for counts, of in found if delay < len(counts)] for delay in reached]
    return tuple(share([events for events, _ in one], [of for _, of in one]) for one in kept)


def _found(series: Series, since: int, until: int, inject: float, rule: Rule) -> tuple[list[int], int]:
    """Count the slowdowns that begin on one night and are found by each later one, and how many could be."""
    import numpy

    start = max(0, since - rule.nights)
    decided = decide(_cut(series, start, until), inject, since - start, rule)
    judged = decided.was_judged[since - start]  # a configuration that is missing on the night itself does not count
    seen = numpy.logical_or.accumulate(decided.is_slower[since - start :] & judged, axis=0)
    return _by_night(seen), int(judged.sum())


def _cut(series: Series, start: int, until: int) -> Series:
    def arms(night: int, which: NDArray[numpy.intp], pairs: int) -> tuple[Floats, Floats]:
        return series.arms(night + start, which, pairs)

    return Series(times=series.times[start:until], ratios=series.ratios[start:until], arms=arms)


def processes(history: History) -> tuple[Floats, Floats]:
    """Lay a history out as log times and ratios, (nights, C, processes), in terms of its last night's environment.

    What ran on another host than the last night's, or was a change that nobody accepted, is a gap.
    """
    import numpy

    last = pasts(history, history.nights[-1]) if history.nights else ()
    found = [one for one in last if one.tonight[1].verdict not in UNSEEN]
    places = {night.id: place for place, night in enumerate(history.nights)}
    most = max((len(entry.figures.ratios) for night in history.nights for entry in night.entries), default=0)
    times, ratios = (numpy.full((len(places), len(found), max(most, 1)), numpy.nan) for _ in range(2))
    for column, past in enumerate(found):
        tonight, _ = past.tonight
        levels = dict(past.levels) | ({tonight.id: past.level} if past.level is not None else {})
        for night, one in (*past.paced, past.tonight):
            if (level := levels.get(night.id)) is None or (own := past.level_of(one)) is None:
                continue
            values, compared, row = numpy.array(past.ratios_of(one)), past.compared(one), places[night.id]
            ratios[row, column, : len(values)] = values - own + level
            times[row, column, : len(compared)][:most] = compared[:most]
    return times, ratios
