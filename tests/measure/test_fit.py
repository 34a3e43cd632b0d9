"""What a few measured cells say of the others: exactly where nothing scatters, as surely as it claims elsewhere."""

import random
from itertools import product
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.measure.budget.fit import (
    ENOUGH,
    Prediction,
    Work,
    _information,
    _rows,
    contenders,
    fit,
    informative,
    surprises,
)


def network(width: float, resolution: int) -> Work:
    """About what a MobileNetV1 computes."""
    pixels = resolution**2
    return Work(
        macs=11_000 * width**2 * pixels + 1e6 * width,
        activations=100 * width * pixels + 3 * pixels,
        params=3.2e6 * width**2 + 1e6 * width,
    )


GRID = [network(width, side) for width, side in product((0.25, 0.5, 0.75, 1.0), (128, 160, 192, 224))]
TRUTH = (0.5, 1e-7, 5e-7, 4e-7)  # ms: a constant, a multiply-add, an activation, a weight


def time_ms(work: Work, costs: tuple[float, ...] = TRUTH) -> float:
    constant, mac, activation, weight = costs
    return constant + mac * work.macs + activation * work.activations + weight * work.params


@pytest.mark.parametrize("costs", [TRUTH, (0.5, 1e-7, 5e-7, 0.0), (0.0, 1e-7, 0.0, 0.0), (2.0, 0.0, 0.0, 0.0)])
def test_cells_without_scatter_give_back_every_other_cell(costs: tuple[float, ...]) -> None:
    chosen = informative(GRID, ENOUGH)
    found = fit([GRID[index] for index in chosen], [time_ms(GRID[index], costs) for index in chosen])
    for work in GRID:
        assert found.predict(work).value == pytest.approx(time_ms(work, costs), rel=1e-6)


def test_weights_cost_nothing_where_cells_without_them_are_predicted_as_well() -> None:
    chosen = [GRID[index] for index in informative(GRID, ENOUGH)]
    assert fit(chosen, [time_ms(work, (0.5, 1e-7, 5e-7, 0.0)) for work in chosen]).costs[3] == 0
    assert fit(chosen, [time_ms(work) for work in chosen]).costs[3] == pytest.approx(TRUTH[3], rel=1e-6)


@pytest.mark.lengthy
@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.1, 100), min_size=ENOUGH, max_size=ENOUGH))
def test_no_cost_is_negative_and_a_prediction_lies_in_its_interval(values: list[float]) -> None:
    found = fit([GRID[index] for index in informative(GRID, ENOUGH)], values)
    assert min(found.costs) >= 0
    assert all(one.low < one.value < one.high for one in map(found.predict, GRID))


@pytest.mark.lengthy
def test_nine_of_ten_intervals_hold_where_the_scatter_is_the_usual_one() -> None:
    draw, held = random.Random(3), list[bool]()
    chosen = informative(GRID, ENOUGH)
    for _ in range(60):
        values = [time_ms(work) * exp(draw.gauss(0, 0.03)) for work in GRID]
        found = fit([GRID[index] for index in chosen], [values[index] for index in chosen])
        for index in set(range(len(GRID))) - set(chosen):
            predicted = found.predict(GRID[index])
            held.append(predicted.low <= values[index] <= predicted.high)
    assert 0.85 <= sum(held) / len(held) <= 0.97


def test_the_interval_widens_with_the_scatter_and_with_the_distance_from_what_was_measured() -> None:
    small = [network(width, side) for width, side in product((0.25, 0.5), (96, 128, 160))]
    quiet = fit(small, [time_ms(work) for work in small])
    loud = fit(small, [time_ms(work) * (1.2 if place % 2 else 0.8) for place, work in enumerate(small)])

    def width(one: Prediction) -> float:
        return one.high / one.low

    assert width(loud.predict(small[0])) > width(quiet.predict(small[0]))
    assert width(quiet.predict(network(1.0, 224))) > width(quiet.predict(small[3]))


def test_no_exchange_of_one_cell_makes_the_design_more_informative() -> None:
    rows = _rows(GRID)
    rows = rows / rows.mean(axis=0)
    rows = (rows / rows.sum(axis=1, keepdims=True))[:, None, :]
    chosen = list(informative(GRID, ENOUGH))
    best = _information(rows[chosen])
    for place, other in product(range(ENOUGH), range(len(GRID))):
        if other not in chosen:
            assert _information(rows[[*chosen[:place], other, *chosen[place + 1 :]]]) <= best + 1e-6


@pytest.mark.lengthy
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, len(GRID) - 1), max_size=ENOUGH, unique=True))
def test_what_is_measured_already_counts_among_the_informative_cells(measured: list[int]) -> None:
    chosen = informative(GRID, ENOUGH, measured)
    assert set(measured) <= set(chosen)
    assert len(set(chosen)) == ENOUGH
    assert chosen == informative(GRID, ENOUGH, measured)


def test_a_grid_of_fewer_cells_than_enough_is_measured_whole() -> None:
    assert informative(GRID[:4], ENOUGH) == (0, 1, 2, 3)


@pytest.mark.lengthy
def test_a_cell_that_the_others_would_not_have_predicted_is_a_surprise() -> None:
    values = [time_ms(work) for work in GRID]
    assert surprises(GRID, values) == ()
    values[5] *= 1.6
    assert 5 in surprises(GRID, values)
    assert surprises(GRID[:ENOUGH], values[:ENOUGH]) == ()  # too few others to say


def test_a_cell_is_near_the_front_unless_one_at_least_as_good_is_surely_faster() -> None:
    times = [Prediction(value=value, low=0.9 * value, high=1.1 * value) for value in (1.0, 1.1, 2.0, 3.0)]
    assert contenders(times, (70, 70, 71, 70.5)) == (0, 1, 2)
    assert contenders(times, (72, 72, 71, 70.5)) == (0, 1)
