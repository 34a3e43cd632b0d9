"""Beats between samples: what slows the core slows both, and their ratio stays."""

from math import exp, isclose, log

import pytest

from edgebench.agent import timing
from edgebench.results.measurement import beats as pace
from edgebench.schema.record import Beats
from tests.conftest import run


def beats(*took_s: float, every: int = 2, workload: str = "b") -> Beats:
    return Beats(workload=workload, every=every, took_s=took_s)


def test_a_neighbour_that_slows_the_core_half_way_changes_no_level() -> None:
    alone = run(samples_s=(1e-3,) * 6, beats=beats(*(1e-4,) * 4))
    shared = run(samples_s=(1e-3, 1e-3, 1.5e-3, 1.5e-3, 1.5e-3, 1.5e-3), beats=beats(1e-4, 1e-4, 1.5e-4, 1.5e-4))
    assert isclose(exp(pace.level(alone) or 0), 10)
    # Where it came between two beats the mean of both stands for the group; the median of groups passes over it.
    assert isclose(pace.level(shared) or 0, log(10))


def test_a_slower_network_beside_equal_beats_has_a_level_that_is_higher_by_as_much() -> None:
    before, after = (run(samples_s=(time_s,) * 5, beats=beats(*(1e-4,) * 4)) for time_s in (1e-3, 1.05e-3))
    assert isclose((pace.level(after) or 0) - (pace.level(before) or 0), log(1.05))


def test_without_beats_there_is_no_level() -> None:
    assert pace.level(run()) is None
    assert pace.levels([run(), run(samples_s=(1e-3,), beats=beats(1e-4, 1e-4))]) == (log(10),)


@pytest.mark.parametrize(
    ("others", "name"),
    [((beats(1e-4, 1e-4),), "b"), ((beats(1e-4, 1e-4, workload="another"),), ""), ((None,), "")],
)
def test_levels_compare_only_over_the_same_workload(others: tuple[Beats | None, ...], name: str) -> None:
    runs = [run(beats=beats(1e-4, 1e-4)), *(run(beats=one) for one in others)]
    assert pace.beat(runs) == name
    assert pace.beat([]) == ""


@pytest.mark.parametrize(("count", "every", "wanted"), [(7, 3, 4), (6, 3, 3), (1, 5, 2), (3, 1, 4)])
def test_a_beat_is_taken_before_the_first_sample_after_every_group_and_after_the_last(
    count: int, every: int, wanted: int
) -> None:
    order = list[str]()
    run, beat = (lambda: order.append("s")), (lambda: order.append("b"))
    samples, taken, _ = timing.sample_between(run, count, beat, every=every, untimed=0)
    assert (len(samples), len(taken)) == (count, wanted)
    assert "".join(order) == "b" + "".join("s" * min(every, count - start) + "b" for start in range(0, count, every))


@pytest.mark.parametrize(
    ("count", "iteration_s", "wanted"),
    [(200, 2e-4, (5, 20)), (200, 1e-3, (5, 0)), (70, 1e-2, (1, 0)), (7, 1.0, (1, 0)), (200, 0.0, (5, 4_999_995))],
)
def test_samples_of_a_fast_network_are_spread_over_as_long_as_those_of_a_slow_one(
    count: int, iteration_s: float, wanted: tuple[int, int]
) -> None:
    assert timing.groups(count, iteration_s, apart_s=5e-3, least=40) == wanted


def test_calls_before_a_group_are_not_timed() -> None:
    order = list[str]()
    run, beat = (lambda: order.append("s")), (lambda: order.append("b"))
    samples, beats, _ = timing.sample_between(run, 4, beat, every=2, untimed=3)
    assert (len(samples), len(beats), "".join(order)) == (4, 3, "bsssssbsssssb")
