"""The arithmetic of a choice, on tables that hypothesis draws and on small ones made by hand."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebench.results.table.choice import Candidate, Figure, Limit, Quantity, choose, dominates, front

Q = Quantity
CALM = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # time is no claim here
VALUES = st.integers(1, 9).map(float)  # few, so that equals and ties are common


@st.composite
def figures(draw: st.DrawFn) -> Figure:
    value = draw(VALUES)
    return Figure(value=value, low=value - draw(st.integers(0, 2)), high=value + draw(st.integers(0, 2)))


@st.composite
def tables(draw: st.DrawFn) -> list[Candidate]:
    rows = draw(st.lists(st.dictionaries(st.sampled_from(list(Q)), figures(), min_size=3), max_size=8))
    return [Candidate(name=f"row {number}", figures=row) for number, row in enumerate(rows)]


LIMITS = st.lists(
    st.builds(Limit, quantity=st.sampled_from(list(Q)), bound=VALUES),
    max_size=3,
    unique_by=lambda limit: limit.quantity,
)
OBJECTIVES = st.sampled_from(list(Q))


def candidate(name: str, **values: float | tuple[float, float, float]) -> Candidate:
    made = {
        Quantity(key): Figure(value=given[0], low=given[1], high=given[2])
        if isinstance(given, tuple)
        else Figure.exact(given)
        for key, given in values.items()
    }
    return Candidate(name=name, figures=made)


@pytest.mark.lengthy
@CALM
@given(tables(), LIMITS, OBJECTIVES)
def test_the_chosen_row_keeps_every_limit_and_no_feasible_row_dominates_it(
    table: list[Candidate], limits: list[Limit], objective: Q
) -> None:
    choice = choose(table, limits, objective)
    if choice.chosen is None:
        return
    assert all(limit.excess(choice.chosen) <= 0 for limit in limits)
    asked = {objective, *(limit.quantity for limit in limits)}
    feasible = [row for row in table if asked <= row.figures.keys() and all(one.excess(row) <= 0 for one in limits)]
    assert len(feasible) == choice.feasible
    assert not any(dominates(row, choice.chosen) for row in feasible)
    assert choice.chosen in choice.front


@pytest.mark.lengthy
@CALM
@given(tables(), LIMITS, OBJECTIVES)
def test_a_row_that_misses_a_limit_changes_nothing_but_prices(
    table: list[Candidate], limits: list[Limit], objective: Q
) -> None:
    outside = {quantity: Figure.exact(5.0) for quantity in Q}
    for limit in limits:
        outside[limit.quantity] = Figure.exact(limit.bound + (-0.5 if limit.quantity.is_share else 0.5))
    before = choose(table, limits, objective)
    after = choose([*table, Candidate(name="outside", figures=outside)], limits, objective)
    if limits:
        assert (after.chosen, after.runner_up, after.ties, after.front) == (
            before.chosen, before.runner_up, before.ties, before.front,
        )  # fmt: skip


@pytest.mark.lengthy
@CALM
@given(tables(), LIMITS, OBJECTIVES, st.randoms())
def test_the_order_of_the_rows_does_not_matter(
    table: list[Candidate], limits: list[Limit], objective: Q, random: Random
) -> None:
    shuffled = list(table)
    random.shuffle(shuffled)
    one, other = choose(table, limits, objective), choose(shuffled, limits, objective)
    assert (one.chosen, one.runner_up, {r.name for r in one.front}) == (
        other.chosen, other.runner_up, {r.name for r in other.front},
    )  # fmt: skip


@pytest.mark.lengthy
@CALM
@given(tables())
def test_dominance_is_one_way_and_never_of_a_row_over_itself(table: list[Candidate]) -> None:
    for one in table:
        assert not dominates(one, one)
        assert not any(dominates(one, other) and dominates(other, one) for other in table)


@pytest.mark.lengthy
@CALM
@given(tables())
def test_the_front_is_what_nothing_dominates_and_never_empty(table: list[Candidate]) -> None:
    kept = front(table)
    assert bool(kept) == bool(table)
    assert list(kept) == [row for row in table if not any(dominates(other, row) for other in table)]


@pytest.mark.lengthy
@CALM
@given(tables(), LIMITS, OBJECTIVES)
def test_a_price_names_a_row_that_misses_that_limit_alone_and_is_better(
    table: list[Candidate], limits: list[Limit], objective: Q
) -> None:
    choice = choose(table, limits, objective)
    for price in choice.prices:
        assert price.more == price.limit.excess(price.candidate) > 0
        assert price.gain > 0
        assert all(other.excess(price.candidate) <= 0 for other in limits if other != price.limit)


def test_better_by_less_than_the_intervals_is_a_tie_and_dominates_nobody() -> None:
    fast = candidate("fast", latency=(1.0, 0.8, 1.2), top1=70.0)
    slow = candidate("slow", latency=(1.1, 0.9, 1.3), top1=70.0)
    assert not dominates(fast, slow)
    assert dominates(fast, replace(slow, figures={**slow.figures, Q.LATENCY: Figure(value=1.5, low=1.3, high=1.7)}))


def test_the_answer_by_hand() -> None:
    table = [
        candidate("small", latency=10, p90=12, top1=(60, 59, 61), file=2),
        candidate("middle", latency=20, p90=24, top1=(66, 65, 67), file=4),
        candidate("near", latency=19, p90=23, top1=(65.5, 64.5, 66.5), file=4),
        candidate("large", latency=40, p90=48, top1=(71, 70, 72), file=8),
        candidate("huge", latency=60, p90=70, top1=(72, 71.5, 73), file=16),
        candidate("unknown", latency=1, top1=(99, 99, 99), file=1),
    ]
    limits = [Limit(quantity=Q.P90, bound=30), Limit(quantity=Q.FILE, bound=10)]
    choice = choose(table, limits, Q.TOP1)
    assert choice.chosen and choice.chosen.name == "middle"
    assert choice.runner_up and choice.runner_up.name == "near"
    assert [one.name for one in choice.ties] == ["near"]
    assert [(price.limit.quantity, price.candidate.name, price.more, price.gain) for price in choice.prices] == [
        (Q.P90, "large", 18, 5)
    ]
    assert [(one.name, lacking) for one, lacking in choice.withheld] == [("unknown", (Q.P90,))]


def test_nothing_feasible_gives_the_nearest_misses_by_their_share_of_the_limit() -> None:
    table = [candidate("far", p90=100, top1=70), candidate("near", p90=55, top1=64.9), candidate("low", p90=1, top1=1)]
    choice = choose(table, [Limit(quantity=Q.P90, bound=50), Limit(quantity=Q.TOP1, bound=65)], Q.TOP1)
    assert (choice.chosen, choice.feasible) == (None, 0)
    assert [miss.candidate.name for miss in choice.misses] == ["near", "low", "far"]
    assert [(limit.quantity, round(over, 6)) for limit, over in choice.misses[0].excesses] == [
        (Q.P90, 5),
        (Q.TOP1, 0.1),
    ]


@pytest.mark.parametrize(("objective", "name"), [(Q.LATENCY, "fast"), (Q.TOP1, "good"), (Q.FILE, "small")])
def test_every_objective_finds_its_own_best(objective: Q, name: str) -> None:
    table = [
        candidate("fast", latency=1, top1=60, file=9),
        candidate("good", latency=9, top1=70, file=8),
        candidate("small", latency=5, top1=65, file=1),
    ]
    chosen = choose(table, [], objective).chosen
    assert chosen and chosen.name == name


def test_no_rows_is_no_choice_and_no_miss() -> None:
    choice = choose([], [Limit(quantity=Q.P90, bound=1)], Q.TOP1)
    assert (choice.chosen, choice.misses, choice.withheld) == (None, (), ())
