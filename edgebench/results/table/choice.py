"""Candidates and limits -> the one to take, the runner-up, what ties with it, and what each limit costs.

Pure: nothing is read, measured or printed here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf


class Quantity(StrEnum):
    """What a configuration has of a kind: latencies in ms, memory in MiB, counts of work in millions, shares in %."""

    LATENCY = "latency"
    P90 = "p90"
    PEAK = "peak"
    FILE = "file"
    MACS = "macs"
    INSTRUCTIONS = "instructions"
    TOP1 = "top1"
    TOP5 = "top5"
    AGREEMENT = "agreement"

    @property
    def is_share(self) -> bool:
        """Tell whether more of it is better: accuracies and agreement, per cent."""
        return self in (Quantity.TOP1, Quantity.TOP5, Quantity.AGREEMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its 95 % interval; low and high are the number itself where it has none."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> "Figure":
        """Return a number without an interval."""
        return cls(value=value, low=value, high=value)

    def overlaps(self, other: "Figure") -> bool:
        """Tell whether the two cannot be told apart by their intervals."""
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A configuration, by a name of its own, and what it has; a quantity that was not measured is not in `figures`."""

    name: str
    figures: Mapping[Quantity, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most of a quantity, or the least of a share, that will do."""

    quantity: Quantity
    bound: float

    def excess(self, candidate: Candidate) -> float:
        """Return by how much a candidate misses the limit; zero or less where it keeps it."""
        value = candidate.figures[self.quantity].value
        return self.bound - value if self.quantity.is_share else value - self.bound

    def is_within_noise(self, candidate: Candidate) -> bool:
        """Tell whether the limit lies inside the candidate's interval."""
        figure = candidate.figures[self.quantity]
        return figure.low < self.bound < figure.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What the nearest better candidate outside one limit would cost and bring, all other limits kept.

    Attributes:
        more: beyond the limit, in its unit; `gain` in the objective's, positive where it is better.
        is_tie: the gain lies within the two intervals.
    """

    limit: Limit
    candidate: Candidate
    more: float
    gain: float
    is_tie: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A candidate that keeps no full set of limits, and by how much it misses those it misses."""

    candidate: Candidate
    excesses: tuple[tuple[Limit, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The answer.

    Attributes:
        chosen: None where nothing keeps the limits; then `misses` holds the nearest, best first.
        ties: feasible candidates whose objective cannot be told from the chosen one's, in order of preference.
        front: feasible candidates that none of them dominates, the chosen one first.
        prices: of the limits that bind, those first that cost the smallest share of themselves.
        withheld: candidates left out because a limit or the objective asks for what they do not have, and for what.
    """

    chosen: Candidate | None
    runner_up: Candidate | None
    ties: tuple[Candidate, ...]
    front: tuple[Candidate, ...]
    feasible: int
    prices: tuple[Price, ...]
    misses: tuple[Miss, ...]
    withheld: tuple[tuple[Candidate, tuple[Quantity, ...]], ...]


def dominates(one: Candidate, other: Candidate) -> bool:
    """Tell whether `one` is nowhere worse than `other`, and somewhere better beyond both intervals.

    What a candidate lacks counts as the worst there is. Better by less than the intervals is a tie, so two candidates
    never dominate each other.
    """
    if any(_badness(one, quantity) > _badness(other, quantity) for quantity in Quantity):
        return False
    shared = one.figures.keys() & other.figures.keys()
    return any(not one.figures[quantity].overlaps(other.figures[quantity]) for quantity in shared)


def front(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Keep the candidates that none dominates, in their order: the Pareto front, ties included."""
    return tuple(one for one in candidates if not any(dominates(other, one) for other in candidates))


def choose(candidates: Sequence[Candidate], limits: Sequence[Limit], objective: Quantity) -> Choice:
    """Take the best by the objective among those that keep every limit; of equals the fastest, then the smallest.

    The order goes by the numbers themselves, so that it is one; `ties` says which of them mean nothing.
    """
    asked = (*dict.fromkeys((*(limit.quantity for limit in limits), objective)),)
    withheld = [(one, lacking) for one in candidates if (lacking := tuple(q for q in asked if q not in one.figures))]
    complete = sorted((one for one in candidates if _has(one, asked)), key=lambda one: _order(one, objective))
    feasible = [one for one in complete if _keeps(one, limits)]
    chosen = feasible[0] if feasible else None
    return Choice(
        chosen=chosen,
        runner_up=feasible[1] if len(feasible) > 1 else None,
        ties=tuple(one for one in feasible[1:] if _figure(one, objective).overlaps(_figure(feasible[0], objective))),
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


def _badness(candidate: Candidate, quantity: Quantity) -> float:
    """Return what is the less the better; infinite where the candidate lacks it."""
    figure = candidate.figures.get(quantity)
    if figure is None:
        return inf
    return -figure.value if quantity.is_share else figure.value


def _order(candidate: Candidate, objective: Quantity) -> tuple[tuple[float, ...], str]:
    return tuple(_badness(candidate, quantity) for quantity in (objective, *Quantity)), candidate.name


def _prices(
    chosen: Candidate, complete: Sequence[Candidate], limits: Sequence[Limit], objective: Quantity
) -> Iterator[Price]:
    """Find, limit by limit, the nearest candidate that is better than the chosen one and misses that limit alone.

    One that is better beyond both intervals goes before a tie, however near.
    """
    found = []
    for limit in limits:
        others = [other for other in limits if other != limit]
        reach = [one for one in complete if limit.excess(one) > 0 and _keeps(one, others)]
        better = [one for one in reach if _gain(chosen, one, objective) > 0]
        beyond = [one for one in better if not _figure(one, objective).overlaps(_figure(chosen, objective))]
        if better:
            found.append(_price(chosen, min(beyond or better, key=limit.excess), limit, objective))
    yield from sorted(found, key=lambda price: price.more / price.limit.bound)


def _price(chosen: Candidate, better: Candidate, limit: Limit, objective: Quantity) -> Price:
    return Price(
        limit=limit,
        candidate=better,
        more=limit.excess(better),
        gain=_gain(chosen, better, objective),
        is_tie=_figure(chosen, objective).overlaps(_figure(better, objective)),
    )


def _gain(chosen: Candidate, other: Candidate, objective: Quantity) -> float:
    return _badness(chosen, objective) - _badness(other, objective)


def nearest_misses(complete: Sequence[Candidate], limits: Sequence[Limit]) -> Iterator[Miss]:
    """Order candidates by the worst miss as a share of its limit, nearest first."""
    misses = [
        Miss(candidate=one, excesses=tuple((limit, excess) for limit in limits if (excess := limit.excess(one)) > 0))
        for one in complete
    ]
    yield from sorted(misses, key=lambda miss: max((over / limit.bound for limit, over in miss.excesses), default=0.0))
