"""Candidate configurations and limits -> the best candidate, the runner-up, ties, and the cost of each limit.

This module does no I/O.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from math import inf
from operator import itemgetter, le


class Quantity(StrEnum):
    """A measured quantity: latencies in ms, memory in MiB, operation counts in millions, shares in %.

    A drop is the number of percentage points by which the accuracy is below the float parent's.
    """

    LATENCY = "latency"
    P90 = "p90"
    TOTAL = "total"
    PEAK = "peak"
    FILE = "file"
    MACS = "macs"
    INSTRUCTIONS = "instructions"
    TOP1 = "top1"
    TOP5 = "top5"
    MAP = "map"
    MIOU = "miou"
    IOU = "iou"
    AGREEMENT = "agreement"
    DROP = "drop"

    @property
    def is_share(self) -> bool:
        """Whether the quantity is a share in % for which higher is better: a task's metric, or the agreement."""
        return self in (*METRICS, Quantity.AGREEMENT)


METRICS = (Quantity.TOP1, Quantity.TOP5, Quantity.MAP, Quantity.MIOU, Quantity.IOU)  # need labelled images


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its 95 % interval; without an interval, `low` and `high` equal `value`.

    Attributes:
        is_predicted: whether the number is a prediction. A prediction has a 90 % interval, and limits apply to the
            worse end of that interval.
    """

    value: float
    low: float
    high: float
    is_predicted: bool = False

    @classmethod
    def exact(cls, value: float) -> "Figure":
        """Return a figure whose number has no interval."""
        return cls(value=value, low=value, high=value)

    def overlaps(self, other: "Figure") -> bool:
        """Return whether the intervals overlap, so that the figures tie."""
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A configuration with a unique name and its figures; quantities that were not measured are absent."""

    name: str
    figures: Mapping[Quantity, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit on a quantity: an upper limit or, for a share (see `Quantity.is_share`), a lower limit.

    A drop in accuracy meets its limit only if the worse end of the drop's interval meets it, because most drops are
    within the noise.
    """

    quantity: Quantity
    bound: float

    def excess(self, candidate: Candidate) -> float:
        """Return by how much a candidate misses the limit; zero or less if the candidate meets the limit."""
        figure = candidate.figures[self.quantity]
        worse = figure.low if self.quantity.is_share else figure.high
        value = worse if figure.is_predicted or self.quantity == Quantity.DROP else figure.value
        return self.bound - value if self.quantity.is_share else value - self.bound

    def is_within_noise(self, candidate: Candidate) -> bool:
        """Return whether the limit lies inside the candidate's interval."""
        figure = candidate.figures[self.quantity]
        return figure.low < self.bound < figure.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a limit costs, shown by one better candidate that misses only this limit.

    Attributes:
        more: by how much that candidate misses the limit, in the limit's unit.
        gain: by how much that candidate improves the objective, in the objective's unit; positive is better.
        is_tie: whether that candidate's interval of the objective overlaps the chosen candidate's interval.
    """

    limit: Limit
    candidate: Candidate
    more: float
    gain: float
    is_tie: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A candidate that misses limits, and by how much it misses each of them."""

    candidate: Candidate
    excesses: tuple[tuple[Limit, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen candidate and its alternatives.

    Attributes:
        chosen: the best candidate; None if no candidate meets all limits. If `chosen` is None, `misses` lists the
            candidates, the one that comes nearest to the limits first.
        ties: feasible candidates that tie with the chosen candidate in the objective, the best first.
        front: Pareto front of the feasible candidates, the chosen candidate first.
        feasible: number of candidates that meet all limits.
        prices: the cost of each limit that excludes a better candidate. The limit that is missed by the smallest part
            of its value comes first.
        withheld: the candidates that are excluded because they lack required quantities, each with the quantities that
            it lacks.
    """

    chosen: Candidate | None
    runner_up: Candidate | None
    ties: tuple[Candidate, ...]
    front: tuple[Candidate, ...]
    feasible: int
    prices: tuple[Price, ...]
    misses: tuple[Miss, ...]
    withheld: tuple[tuple[Candidate, tuple[Quantity, ...]], ...]


def dominates(candidate: Candidate, other: Candidate) -> bool:
    """Return whether a candidate is worse than `other` in no quantity, and better in at least one quantity.

    A worse value always makes the candidate worse in a quantity. A better value makes it better only if the two
    intervals do not overlap. A missing quantity is treated as the worst value.
    """
    return all(map(le, _losses(candidate), _losses(other))) and _is_beyond(candidate, other)


def front(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates that no other candidate dominates (the Pareto front with ties), in the given order.

    Candidates are sorted first, so that every candidate comes after the candidates that can dominate it.
    """
    ranked = sorted(((_losses(candidate), candidate) for candidate in candidates), key=itemgetter(0))
    return tuple(candidate for candidate in candidates if not _is_dominated(candidate, ranked))


def _is_dominated(candidate: Candidate, ranked: Iterable[tuple[tuple[float, ...], Candidate]]) -> bool:
    losses = _losses(candidate)
    nowhere_worse = takewhile(lambda rank: rank[0] <= losses, ranked)
    return any(all(map(le, others, losses)) and _is_beyond(other, candidate) for others, other in nowhere_worse)


def _is_beyond(candidate: Candidate, other: Candidate) -> bool:
    shared = candidate.figures.keys() & other.figures.keys()
    return any(not candidate.figures[quantity].overlaps(other.figures[quantity]) for quantity in shared)


def choose(candidates: Sequence[Candidate], limits: Sequence[Limit], objective: Quantity) -> Choice:
    """Choose, among the candidates that meet all limits, the best one by the objective.

    Candidates are ordered by the objective's value, without regard to intervals. Equal candidates are ordered by
    latency, then by the other quantities in the order of `Quantity`. `ties` lists the candidates whose difference to
    the chosen candidate is not significant.
    """
    required = (*dict.fromkeys((*(limit.quantity for limit in limits), objective)),)
    withheld = [
        (candidate, lacking)
        for candidate in candidates
        if (lacking := tuple(q for q in required if q not in candidate.figures))
    ]
    complete = sorted(
        (candidate for candidate in candidates if _has(candidate, required)),
        key=lambda candidate: _order(candidate, objective),
    )
    feasible = [candidate for candidate in complete if _keeps(candidate, limits)]
    chosen = feasible[0] if feasible else None
    return Choice(
        chosen=chosen,
        runner_up=feasible[1] if len(feasible) > 1 else None,
        ties=tuple(
            candidate
            for candidate in feasible[1:]
            if _figure(candidate, objective).overlaps(_figure(feasible[0], objective))
        ),
        front=front(feasible),
        feasible=len(feasible),
        prices=tuple(_prices(chosen, complete, limits, objective)) if chosen else (),
        misses=() if chosen else tuple(nearest_misses(complete, limits)),
        withheld=tuple(withheld),
    )


def _has(candidate: Candidate, quantities: Iterable[Quantity]) -> bool:
    return all(quantity in candidate.figures for quantity in quantities)


def _keeps(candidate: Candidate, limits: Iterable[Limit]) -> bool:
    return all(limit.excess(candidate) <= 0 for limit in limits)


def _figure(candidate: Candidate, quantity: Quantity) -> Figure:
    return candidate.figures[quantity]


def _loss(candidate: Candidate, quantity: Quantity) -> float:
    """Return the quantity as a number for which lower is better; infinity if the candidate lacks the quantity."""
    figure = candidate.figures.get(quantity)
    if figure is None:
        return inf
    return -figure.value if quantity.is_share else figure.value


def _losses(candidate: Candidate) -> tuple[float, ...]:
    return tuple(_loss(candidate, quantity) for quantity in Quantity)


def _order(candidate: Candidate, objective: Quantity) -> tuple[tuple[float, ...], str]:
    return (_loss(candidate, objective), *_losses(candidate)), candidate.name


def _prices(
    chosen: Candidate, complete: Sequence[Candidate], limits: Sequence[Limit], objective: Quantity
) -> Iterator[Price]:
    """Find, for each limit, the nearest candidate that misses only this limit and is better than the chosen candidate.

    A candidate that ties with the chosen candidate (their intervals overlap) is returned only if no other is better.
    """
    prices = []
    for limit in limits:
        others = [other for other in limits if other != limit]
        reach = [candidate for candidate in complete if limit.excess(candidate) > 0 and _keeps(candidate, others)]
        better = [candidate for candidate in reach if _gain(chosen, candidate, objective) > 0]
        beyond = [
            candidate for candidate in better if not _figure(candidate, objective).overlaps(_figure(chosen, objective))
        ]
        if better:
            prices.append(_price(chosen, min(beyond or better, key=limit.excess), limit, objective))
    yield from sorted(prices, key=lambda price: price.more / price.limit.bound)


def _price(chosen: Candidate, better: Candidate, limit: Limit, objective: Quantity) -> Price:
    return Price(
        limit=limit,
        candidate=better,
        more=limit.excess(better),
        gain=_gain(chosen, better, objective),
        is_tie=_figure(chosen, objective).overlaps(_figure(better, objective)),
    )


def _gain(chosen: Candidate, other: Candidate, objective: Quantity) -> float:
    return _loss(chosen, objective) - _loss(other, objective)


def nearest_misses(complete: Sequence[Candidate], limits: Sequence[Limit]) -> Iterator[Miss]:
    """Yield candidates with the limits that they miss, sorted by the largest miss as a share of the missed limit."""
    misses = [
        Miss(
            candidate=candidate,
            excesses=tuple((limit, excess) for limit in limits if (excess := limit.excess(candidate)) > 0),
        )
        for candidate in complete
    ]
    yield from sorted(misses, key=lambda miss: max((over / limit.bound for limit, over in miss.excesses), default=0.0))
