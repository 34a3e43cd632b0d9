"""How a network's times follow the beats, and what is left of them at one pace."""

from random import Random
from statistics import pstdev

import pytest

from edgebench.nightly.pace import at_one_pace, slope


def processes(feels: float, count: int, spread: float = 0.2, own: float = 0.02) -> tuple[list[float], list[float]]:
    """Ratios and beats of processes that feel a neighbour so many times as much as the beats do."""
    draw = Random(5)
    beats = [draw.gauss(-8.0, spread) for _ in range(count)]
    return [1.0 + (feels - 1) * beat + draw.gauss(0, own) for beat in beats], beats


@pytest.mark.parametrize("feels", [0.9, 1.0, 1.4])
def test_what_a_neighbour_does_beyond_the_beats_is_found_and_taken_out(feels: float) -> None:
    ratios, beats = processes(feels, 60)
    found = slope([(ratios, beats)])
    assert found == pytest.approx(feels, abs=0.03)
    assert pstdev(at_one_pace(ratios, beats, found)) == pytest.approx(0.02, rel=0.3)


def test_on_a_machine_of_one_pace_a_slope_is_not_guessed() -> None:
    assert slope([processes(1.4, 60, spread=0.002)]) == pytest.approx(1.0, abs=0.02)
    assert slope([]) == slope([([], [])]) == 1.0


def test_each_stack_has_a_middle_of_its_own() -> None:
    """A stack that is slower, measured while the machine was slower, does not look as if it felt more."""
    ratios, beats = processes(1.0, 30)
    slower = [ratio + 0.3 for ratio in ratios], [beat + 0.3 for beat in beats]
    assert slope([(ratios, beats), slower]) == pytest.approx(1.0, abs=0.03)
    together = slope([(ratios + slower[0], beats + slower[1])])
    assert together > 1.2
