"""What a few evaluated cells say of the others' metric: it rises with α and ρ, and its intervals hold."""

import random
from itertools import pairwise, product
from math import exp, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.foundation import stats
from edgebench.measure.budget import metric
from edgebench.measure.budget.fit import ENOUGH, informative
from edgebench.measure.budget.metric import Share, Size
from tests.measure.test_fit import GRID as WORKS

GRID: list[Size] = list(product((0.25, 0.5, 0.75, 1.0), (128, 160, 192, 224)))
CHOSEN = informative(WORKS, ENOUGH, metric_terms=metric.terms(GRID))


def truth(size: Size, shift: float = 0.0) -> float:
    width, side = size
    logit = 1.9 + 0.6 * log(width) - 0.1 * log(width) ** 2 - 0.9 * 224 / side + shift
    return 1 / (1 + exp(-logit))


def exact(share: float) -> Share:
    return Share(value=share, low=share, high=share)


def counted(right: int, images: int) -> Share:
    low, high = stats.wilson(right, images)
    return Share(value=right / images, low=low, high=high)


def test_six_cells_that_lie_on_a_surface_give_every_other_cell() -> None:
    surface = metric.fit([GRID[index] for index in CHOSEN], [exact(truth(GRID[index])) for index in CHOSEN], GRID)
    for size in GRID:
        predicted = surface.predict(size)
        assert predicted and predicted.value == pytest.approx(truth(size), abs=1e-4)
        assert predicted.low < truth(size) < predicted.high


@pytest.mark.lengthy
def test_nine_of_ten_intervals_hold_where_cells_scatter_as_published_ones_do() -> None:
    draw, held = random.Random(5), list[bool]()
    for _ in range(60):
        shares = [truth(size, draw.gauss(0, 0.015)) for size in GRID]
        surface = metric.fit([GRID[index] for index in CHOSEN], [exact(shares[index]) for index in CHOSEN], GRID)
        for index in set(range(len(GRID))) - set(CHOSEN):
            predicted = surface.predict(GRID[index])
            assert predicted
            held.append(predicted.low <= shares[index] <= predicted.high)
    assert 0.85 <= sum(held) / len(held) <= 0.97


@pytest.mark.lengthy
def test_few_images_widen_the_interval_so_that_it_holds() -> None:
    draw, held = random.Random(7), list[bool]()
    for _ in range(40):
        shares = [counted(sum(draw.random() < truth(size) for _ in range(200)), 200) for size in GRID]
        surface = metric.fit([GRID[index] for index in CHOSEN], [shares[index] for index in CHOSEN], GRID)
        for index in set(range(len(GRID))) - set(CHOSEN):
            predicted = surface.predict(GRID[index])
            assert predicted
            held.append(predicted.low <= shares[index].value <= predicted.high)
    assert 0.85 <= sum(held) / len(held) <= 0.99


@pytest.mark.lengthy
@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=ENOUGH, max_size=ENOUGH))
def test_a_prediction_never_falls_as_width_or_resolution_grows_whatever_was_measured(values: list[float]) -> None:
    shares = [counted(round(value * 500), 500) for value in values]
    others = list(product((0.1, 0.25, 0.35, 0.5, 0.75, 1.0, 1.4), (32, 64, 96, 128, 224, 512)))
    surface = metric.fit([GRID[index] for index in CHOSEN], shares, others)
    found = {size: surface.predict(size) for size in others}
    values_at = {size: cell.value for size, cell in found.items() if cell}
    assert len(values_at) == len(others)
    widths, sides = sorted({width for width, _ in others}), sorted({side for _, side in others})
    for narrow, wide in pairwise(widths):
        assert all(values_at[wide, side] >= values_at[narrow, side] - 1e-9 for side in sides)
    for small, large in pairwise(sides):
        assert all(values_at[width, large] >= values_at[width, small] - 1e-9 for width in widths)
    assert all(0 <= cell.low <= cell.value <= cell.high <= 1 for cell in found.values() if cell)


def test_a_width_is_not_predicted_from_cells_of_one_width() -> None:
    sides = (64, 96, 128, 160, 192, 224)
    surface = metric.fit([(0.5, side) for side in sides], [exact(truth((0.5, side))) for side in sides], [(1.0, 96)])
    assert surface.predict((1.0, 96)) is None
    inside = surface.predict((0.5, 144))
    assert inside and inside.value == pytest.approx(truth((0.5, 144)), abs=1e-3)


@pytest.mark.parametrize("right", [0, 100])
def test_a_share_of_nothing_or_all_has_log_odds_by_its_interval(right: int) -> None:
    share = counted(right, 100)
    assert share.low < 1 / (1 + exp(-share.logit)) < share.high
    assert share.noise > 0
