"""A recorded or simulated history -> log times per night and process, and pairs drawn with the history's noise.

This module does no I/O. Random draws depend only on the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.nightly.replay import noise
from edgebench.nightly.rule.past import pasts
from edgebench.nightly.rule.screen import row_medians
from edgebench.nightly.rule.thresholds import RULE

if TYPE_CHECKING:
    import numpy
    from numpy.random import Generator
    from numpy.typing import NDArray

    from edgebench.nightly.night import History

    Floats = NDArray[numpy.float64]

CONFIGURATIONS, NIGHTS, PROCESSES = 300, 400, 6  # the size of a simulated history

DrawPairs = Callable[[int, "NDArray[numpy.intp]", int], "tuple[Floats, Floats]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The values of a history that a replay needs, for C configurations, of which K are compared in pairs.

    Attributes:
        times: the log times that pairs would compare, an array (nights, C, processes); NaN for a missing process.
        ratios: log times minus the log times of the reference workload, an array of the same shape as `times`.
        aa_pairs: function that takes a night, K configurations and a number of pairs, and draws the log times of two
            equal installations as two arrays (K, pairs).
    """

    times: Floats
    ratios: Floats
    aa_pairs: DrawPairs


def simulated(
    profile: noise.NoiseProfile, seed: int, nights: int = NIGHTS, configurations: int = CONFIGURATIONS
) -> Series:
    """Draw a simulated history in which nothing changes."""
    import numpy

    draw = numpy.random.default_rng(seed)
    measured = [noise.measured(profile, draw, configurations, PROCESSES) for _ in range(nights)]
    times, references = (numpy.array(part) for part in zip(*measured, strict=True))

    def aa_pairs(night: int, which: NDArray[numpy.intp], pairs: int) -> tuple[Floats, Floats]:
        return noise.aa_pairs(profile, numpy.random.default_rng((seed, night, pairs)), len(which), pairs)

    return Series(times=times, ratios=times - references, aa_pairs=aa_pairs)


def recorded(times: Floats, ratios: Floats, seed: int) -> Series:
    """Return a series of recorded processes, given as arrays (nights, C, processes).

    Its pairs are drawn from the deviations of recent processes from their night's median. So the pairs contain the
    noise between processes of this machine, but not the noise between two installations.
    """
    import numpy

    deviations = deviation(times)

    def aa_pairs(night: int, which: NDArray[numpy.intp], pairs: int) -> tuple[Floats, Floats]:
        draw = numpy.random.default_rng((seed, night, pairs))
        recent = deviations[max(0, night + 1 - RULE.nights) : night + 1, which]
        return _drawn(recent, draw, pairs), _drawn(recent, draw, pairs)

    return Series(times=times, ratios=ratios, aa_pairs=aa_pairs)


def _drawn(deviations: Floats, draw: Generator, pairs: int) -> Floats:
    """Return an array (K, pairs), drawn with replacement from the deviations of each configuration."""
    import numpy

    pools = (column[~numpy.isnan(column)] for column in deviations.transpose(1, 0, 2).reshape(deviations.shape[1], -1))
    return numpy.array([draw.choice(pool if len(pool) else numpy.zeros(1), pairs) for pool in pools])


def deviation(times: Floats) -> Floats:
    """Return the deviation of each process from the median of its night, scaled by sqrt(n / (n - 1))."""
    import numpy

    counts = numpy.sum(~numpy.isnan(times), axis=2, keepdims=True)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        widened = numpy.where(counts > 1, numpy.sqrt(counts / (counts - 1)), numpy.nan)
    return numpy.asarray((times - row_medians(times)[:, :, None]) * widened)


def cut(series: Series, start: int, until: int) -> Series:
    """Return the part of a series from night `start` to the night before `until`."""

    def aa_pairs(night: int, which: NDArray[numpy.intp], pairs: int) -> tuple[Floats, Floats]:
        return series.aa_pairs(night + start, which, pairs)

    return Series(times=series.times[start:until], ratios=series.ratios[start:until], aa_pairs=aa_pairs)


def processes(history: History) -> tuple[Floats, Floats]:
    """Return log times and ratios, (nights, C, processes), as they would be in the environment of the last night.

    Nights on a different host than the last night, and nights with a change that was not accepted, are NaN.
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
            if (level := levels.get(night.id)) is None or (measured_level := past.level_of(entry)) is None:
                continue
            values, compared, row = numpy.array(past.ratios_of(entry)), past.compared(entry), places[night.id]
            ratios[row, column, : len(values)] = values - measured_level + level
            times[row, column, : len(compared)][:most] = compared[:most]
    return times, ratios
