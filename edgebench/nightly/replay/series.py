"""A history, recorded or simulated -> log times of its processes, night by night, and pairs drawn from its noise.

Pure but for the seed's draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.nightly.replay import noise
from edgebench.nightly.rule.past import pasts
from edgebench.nightly.rule.thresholds import RULE

if TYPE_CHECKING:
    import numpy
    from numpy.random import Generator
    from numpy.typing import NDArray

    from edgebench.nightly.night import History

    Floats = NDArray[numpy.float64]

CONFIGURATIONS, NIGHTS, PROCESSES = 300, 400, 6  # of a simulated history: 120,000 configuration-nights

DrawPairs = Callable[[int, "NDArray[numpy.intp]", int], "tuple[Floats, Floats]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What a history holds for replaying.

    Attributes:
        times: log times of processes as pairs compare them, (nights, C, processes); NaN where there was none.
        ratios: log times over a reference workload's.
        aa_pairs: night, configurations and pairs -> log times of two equal arms, (K, pairs) each.
    """

    times: Floats
    ratios: Floats
    aa_pairs: DrawPairs


def simulated(
    profile: noise.NoiseProfile, seed: int, nights: int = NIGHTS, configurations: int = CONFIGURATIONS
) -> Series:
    """Draw a history in which nothing ever changes."""
    import numpy

    draw = numpy.random.default_rng(seed)
    measured = [noise.measured(profile, draw, configurations, PROCESSES) for _ in range(nights)]
    times, references = (numpy.array(part) for part in zip(*measured, strict=True))

    def aa_pairs(night: int, which: NDArray[numpy.intp], pairs: int) -> tuple[Floats, Floats]:
        return noise.aa_pairs(profile, numpy.random.default_rng((seed, night, pairs)), len(which), pairs)

    return Series(times=times, ratios=times - references, aa_pairs=aa_pairs)


def recorded(times: Floats, ratios: Floats, seed: int) -> Series:
    """Replay recorded processes, (nights, C, processes); arms are drawn from the recent deviations between processes.

    So a replay has the noise of its machine, but not what pairs of two installations would have had beyond it.
    """
    import numpy

    deviations = deviation(times)

    def aa_pairs(night: int, which: NDArray[numpy.intp], pairs: int) -> tuple[Floats, Floats]:
        draw = numpy.random.default_rng((seed, night, pairs))
        recent = deviations[max(0, night + 1 - RULE.nights) : night + 1, which]
        return _drawn(recent, draw, pairs), _drawn(recent, draw, pairs)

    return Series(times=times, ratios=ratios, aa_pairs=aa_pairs)


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
    return numpy.asarray((times - medians(times)[:, :, None]) * widened)


def medians(values: Floats) -> Floats:
    """Return the median over processes, (nights, C)."""
    import numpy

    middles = numpy.full(values.shape[:2], numpy.nan)
    known = ~numpy.isnan(values).all(axis=2)
    middles[known] = numpy.nanmedian(values[known], axis=1)
    return middles


def cut(series: Series, start: int, until: int) -> Series:
    """Return some of its nights."""

    def aa_pairs(night: int, which: NDArray[numpy.intp], pairs: int) -> tuple[Floats, Floats]:
        return series.aa_pairs(night + start, which, pairs)

    return Series(times=series.times[start:until], ratios=series.ratios[start:until], aa_pairs=aa_pairs)


def processes(history: History) -> tuple[Floats, Floats]:
    """Lay a history out as log times and ratios, (nights, C, processes), in terms of its last night's environment.

    What ran on another host than the last night's, or was a change that nobody accepted, is a gap.
    """
    import numpy

    last = pasts(history, history.nights[-1]) if history.nights else ()
    measured = [past for past in last if past.tonight.entry.is_measured]
    places = {night.id: place for place, night in enumerate(history.nights)}
    most = max((len(entry.figures.ratios) for night in history.nights for entry in night.entries), default=0)
    times, ratios = (numpy.full((len(places), len(measured), max(most, 1)), numpy.nan) for _ in range(2))
    for column, past in enumerate(measured):
        tonight, _ = past.tonight
        levels = dict(past.levels) | ({tonight.id: past.level} if past.level is not None else {})
        for night, entry in (*past.paced, past.tonight):
            if (level := levels.get(night.id)) is None or (own := past.level_of(entry)) is None:
                continue
            values, compared, row = numpy.array(past.ratios_of(entry)), past.compared(entry), places[night.id]
            ratios[row, column, : len(values)] = values - own + level
            times[row, column, : len(compared)][:most] = compared[:most]
    return times, ratios
