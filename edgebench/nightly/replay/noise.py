"""The noise profile of a machine and a random generator -> simulated log times of one night.

This module does no I/O. All logarithms are natural. The profiles were set from trial measurements before any rule was
tuned on them. The standard deviation between processes was 0.4 % on a quiet machine, 1 % on a board and 5 % on a shared
virtual machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[numpy.float64]

TUNING_SEED, FINAL_SEED = 20261123, 7041776  # seeds, fixed before tuning; the second is only for published figures
BURST_ROUNDS = 4  # number of rounds that a burst of other load lasts
UNSHARED = 0.1  # share of the machine's drift that affects a configuration but not the reference workload
SLOW_SHARE = 0.05  # share of processes with three times the usual deviation, for heavy tails


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseProfile:
    """The noise of a machine, as standard deviations of log times.

    Attributes:
        process: deviation between processes of one night.
        reference: deviation between processes of the reference workload.
        night: deviation of one configuration's median between nights, for example because of its memory layout.
        machine: deviation of the whole machine's speed between nights.
        drift: deviation of the whole machine's speed between the rounds of a night.
        arm: deviation between two installations of the same environment, in one night.
        burst: not a deviation, but by how much a burst of other load slows all processes, as a log ratio.
        burst_share: share of the rounds in which a burst starts.
    """

    process: float
    reference: float
    night: float
    machine: float
    drift: float
    arm: float
    burst: float
    burst_share: float


PROFILES = {
    "quiet": NoiseProfile(
        process=0.004, reference=0.003, night=0.003, machine=0.005, drift=0.0005, arm=0.001, burst=0.03,
        burst_share=0.005,
    ),
    "pi": NoiseProfile(
        process=0.010, reference=0.006, night=0.006, machine=0.02, drift=0.002, arm=0.002, burst=0.08, burst_share=0.01
    ),
    "vm": NoiseProfile(
        process=0.050, reference=0.030, night=0.015, machine=0.10, drift=0.01, arm=0.004, burst=0.30, burst_share=0.03
    ),
}  # fmt: skip


def measured(profile: NoiseProfile, draw: Generator, configurations: int, processes: int) -> tuple[Floats, Floats]:
    """Draw one night: an array (C, processes) of log times, and one of the reference's log times in the same rounds."""
    import numpy

    drift, burst = _rounds(profile, draw, processes)
    machine = draw.normal(0, profile.machine) + drift
    level = draw.normal(0, profile.night, (configurations, 1)) + UNSHARED * draw.normal(
        0, profile.machine, (configurations, 1)
    )
    shape = (configurations, processes)
    # A burst can be shorter than a round, so it can slow a process but not the process's reference workload.
    is_hit, reference_is_hit = draw.random(shape) < 0.5, draw.random(shape) < 0.5
    times = machine + level + burst * is_hit + _processes(profile.process, draw, shape)
    reference = machine + burst * reference_is_hit + _processes(profile.reference, draw, shape)
    return numpy.asarray(times), numpy.asarray(reference)


def aa_pairs(profile: NoiseProfile, draw: Generator, configurations: int, pairs: int) -> tuple[Floats, Floats]:
    """Draw log times of two installations of the same environment, two arrays (C, pairs)."""
    drift, burst = _rounds(profile, draw, 2 * pairs)
    shape = (configurations, pairs)
    arms = []
    for part in (0, 1):
        arm = draw.normal(0, profile.arm, (configurations, 1))
        is_hit = draw.random(shape) < 0.5
        # The pairs are interleaved: the two processes of a pair run in neighbouring rounds.
        arms.append(arm + drift[part::2] + burst[part::2] * is_hit + _processes(profile.process, draw, shape))
    return arms[0], arms[1]


def _rounds(profile: NoiseProfile, draw: Generator, rounds: int) -> tuple[Floats, Floats]:
    """Draw the machine's drift and bursts of other load over the rounds of a night: two arrays (rounds,)."""
    import numpy

    drift = numpy.cumsum(draw.normal(0, profile.drift, rounds))
    begins = draw.random(rounds) < profile.burst_share
    busy = numpy.convolve(begins, numpy.ones(BURST_ROUNDS))[:rounds] > 0
    return drift, numpy.where(busy, profile.burst, 0.0)


def _processes(deviation: float, draw: Generator, shape: tuple[int, int]) -> Floats:
    import numpy

    scale = numpy.where(draw.random(shape) < SLOW_SHARE, 3.0, 1.0)
    return numpy.asarray(draw.normal(0, deviation, shape) * scale)
