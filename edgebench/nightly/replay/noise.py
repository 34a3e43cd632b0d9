"""A profile of a machine's noise and a seed -> what configurations would take there, night by night.

Pure; natural logarithms throughout. The profiles are this project's own, set from the variation that trials saw before
any rule was tried on them: between processes 0.4 % on a quiet machine, 1 % on a board, 5 % on a shared virtual one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[numpy.float64]

TUNING_SEED, FINAL_SEED = 20261123, 7041776  # both fixed before tuning; the second only for figures that are quoted
BURST_ROUNDS = 4  # that a burst lasts
UNSHARED = 0.1  # of a machine's drift that a configuration has and the reference workload has not
SLOW_SHARE = 0.05  # of processes that draw from three times the usual deviation: tails are heavier than normal ones


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseProfile:
    """Standard deviations of log times.

    Attributes:
        process: between processes of one night; `reference` between those of the reference workload.
        night: of a configuration's own level from night to night, such as where its memory lies.
        machine: of the whole machine's level from night to night; `drift` of it from round to round.
        arm: between two installations of the same thing, a night.
        burst: by how much somebody else slows everything; `burst_share` of rounds in which one begins.
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
    """Draw a night: log times of every process and of the reference workload in its round, (C, processes) each."""
    import numpy

    drift, burst = _rounds(profile, draw, processes)
    machine = draw.normal(0, profile.machine) + drift
    own = draw.normal(0, profile.night, (configurations, 1)) + UNSHARED * draw.normal(
        0, profile.machine, (configurations, 1)
    )
    shape = (configurations, processes)
    # A burst comes and goes within a round: it need not meet the reference as well.
    met, reference_met = draw.random(shape) < 0.5, draw.random(shape) < 0.5
    times = machine + own + burst * met + _processes(profile.process, draw, shape)
    reference = machine + burst * reference_met + _processes(profile.reference, draw, shape)
    return numpy.asarray(times), numpy.asarray(reference)


def aa_pairs(profile: NoiseProfile, draw: Generator, configurations: int, pairs: int) -> tuple[Floats, Floats]:
    """Draw pairs of two arms that differ in nothing but where they are installed, (C, pairs) each."""
    drift, burst = _rounds(profile, draw, 2 * pairs)
    shape = (configurations, pairs)
    arms = []
    for part in (0, 1):
        arm = draw.normal(0, profile.arm, (configurations, 1))
        met = draw.random(shape) < 0.5
        # Interleaved: the two of a pair have neighbouring moments, in an order that is drawn.
        arms.append(arm + drift[part::2] + burst[part::2] * met + _processes(profile.process, draw, shape))
    return arms[0], arms[1]


def _rounds(profile: NoiseProfile, draw: Generator, rounds: int) -> tuple[Floats, Floats]:
    """Draw how the machine drifts over the rounds of a night, and when it is busy with others, (rounds,) each."""
    import numpy

    drift = numpy.cumsum(draw.normal(0, profile.drift, rounds))
    begins = draw.random(rounds) < profile.burst_share
    busy = numpy.convolve(begins, numpy.ones(BURST_ROUNDS))[:rounds] > 0
    return drift, numpy.where(busy, profile.burst, 0.0)


def _processes(deviation: float, draw: Generator, shape: tuple[int, int]) -> Floats:
    import numpy

    scale = numpy.where(draw.random(shape) < SLOW_SHARE, 3.0, 1.0)
    return numpy.asarray(draw.normal(0, deviation, shape) * scale)
