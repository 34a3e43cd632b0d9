"""Latencies of a few networks, and what each network computes -> which to measure, and the latencies of the others.

Pure: nothing is read, measured or printed here. Values keep the unit that they come in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Any

CONFIDENCE = 0.90
ENOUGH = 6  # measured cells: what the intervals were calibrated with
# How far a cell lies from its fit before any is measured: log scatter, and how many degrees of freedom that is worth.
# The likeliest on the published ArmNN grids of the Raspberry Pi 4; `tests.benchmarks.prediction` finds them again, and
# how often the intervals then hold on the TFLite grids, which had no part in them.
PRIOR = (0.03, 3)
LEAST_GAIN = 1e-9  # of a design's log determinant: less is rounding
RIDGE = 1e-9  # lets a design of fewer cells than terms be compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a network computes for one image: multiply-adds, output values of all layers, weights."""

    macs: float
    activations: float
    params: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A value that was not measured, with the ends of its 90 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What a multiply-add, an activation and a weight cost on one runtime, precision and family, beside a constant.

    Attributes:
        costs: constant, a multiply-add, an activation, a weight; none is negative.
        scatter: of the logarithms of the measured cells about the fit, the prior's included.
        freedom: degrees of freedom of `scatter`.
        spread: covariance of the costs that are not zero, in units of `scatter` squared, row by row.
    """

    costs: tuple[float, ...]
    cells: int
    scatter: float
    freedom: int
    spread: tuple[tuple[float, ...], ...]

    def predict(self, work: Work) -> Prediction:
        """Predict a cell with its interval, by Student's t."""
        from scipy.stats import t

        value = _dot(_terms(work), self.costs)
        reach = float(t.ppf(0.5 + CONFIDENCE / 2, self.freedom)) * self.deviation(work)
        return Prediction(value=value, low=value * exp(-reach), high=value * exp(reach))

    def deviation(self, work: Work) -> float:
        """Return how far a cell's logarithm may lie from its prediction: its own scatter, and that of the costs."""
        value = _dot(_terms(work), self.costs)
        shares = [term / value for term, cost in zip(_terms(work), self.costs, strict=True) if cost]
        leverage = _dot(shares, [_dot(row, shares) for row in self.spread])
        return self.scatter * sqrt(1 + max(leverage, 0.0))


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _terms(work: Work) -> tuple[float, ...]:
    return 1.0, work.macs, work.activations, work.params


def _rows(works: Sequence[Work]) -> Any:
    import numpy

    return numpy.array([_terms(work) for work in works], float)


def _scale(rows: Any) -> Any:
    """Return what brings each column to a mean of 1; a column of zeros stays."""
    import numpy

    mean = rows.mean(axis=0)
    return numpy.where(mean > 0, mean, 1.0)


def informative(works: Sequence[Work], count: int, measured: Sequence[int] = ()) -> tuple[int, ...]:
    """Choose cells, the measured ones among them, whose latencies tell most about the costs: a D-optimal design.

    Greedily, then by exchange (Fedorov 1972), always in the same way. Latencies being unknown, each row is weighed as
    if every term took an equal share of the mean cell, for errors are relative.
    """
    rows = _rows(works)
    rows = rows / _scale(rows)
    rows = rows / rows.sum(axis=1, keepdims=True)
    chosen = list(measured)
    while len(chosen) < min(count, len(works)):
        chosen.append(max(_others(chosen, works), key=lambda one: _information(rows[[*chosen, one]])))
    return tuple(sorted(_exchanged(rows, chosen, len(measured), works)))


def _others(chosen: Sequence[int], works: Sequence[Work]) -> list[int]:
    return [index for index in range(len(works)) if index not in chosen]


def _information(rows: Any) -> float:
    import numpy

    return float(numpy.linalg.slogdet(rows.T @ rows + RIDGE * numpy.eye(rows.shape[1]))[1])


def _exchanged(rows: Any, chosen: list[int], fixed: int, works: Sequence[Work]) -> list[int]:
    """Swap a chosen cell for another while that tells more; the first `fixed` ones stay."""
    known, place = _information(rows[chosen]), fixed
    while place < len(chosen):
        trials = [[*chosen[:place], other, *chosen[place + 1 :]] for other in _others(chosen, works)]
        best = max(trials, key=lambda trial: _information(rows[trial]), default=chosen)
        if _information(rows[best]) > known + LEAST_GAIN:
            chosen, known, place = best, _information(rows[best]), fixed
        else:
            place += 1
    return chosen


def fit(works: Sequence[Work], values: Sequence[float], prior: tuple[float, int] = PRIOR) -> Fit:
    """Fit non-negative costs to the least squares of relative errors, more than zero.

    Weights cost something where cells that were left out one by one are then predicted better.
    """
    import numpy

    rows, measured = _rows(works), numpy.array(values, float)
    with_params = _left_out(rows, measured) < _left_out(rows[:, :-1], measured)
    costs = _solved(rows if with_params else rows[:, :-1], measured)
    costs = numpy.append(costs, [0.0] * (rows.shape[1] - len(costs)))
    used = costs > 0
    errors = numpy.log(rows @ costs / measured)
    own = max(len(measured) - int(used.sum()), 0)
    squares = prior[1] * prior[0] ** 2 + (float(errors @ errors) if own else 0.0)
    return Fit(
        costs=tuple(float(cost) for cost in costs),
        cells=len(measured),
        scatter=sqrt(squares / (prior[1] + own)),
        freedom=prior[1] + own,
        spread=_spread(rows[:, used] / measured[:, None]),
    )


def _spread(shares: Any) -> tuple[tuple[float, ...], ...]:
    """Return the inverse of the normal matrix, of terms brought to one size first: they are 1 beside 10^8."""
    import numpy

    scale = _scale(shares)
    alike = shares / scale
    inverse = numpy.linalg.pinv(alike.T @ alike, hermitian=True) / numpy.outer(scale, scale)
    return tuple(tuple(float(value) for value in row) for row in inverse)


def _solved(rows: Any, values: Any) -> Any:
    """Return the non-negative costs with the least squared relative errors (Lawson and Hanson 1974)."""
    import numpy
    from scipy.optimize import nnls

    scale = _scale(rows)
    return nnls(rows / scale / values[:, None], numpy.ones(len(values)))[0] / scale


def _left_out(rows: Any, values: Any) -> float:
    """Return the sum of squared relative errors at each cell of a fit to the others."""
    import numpy

    total = 0.0
    for index in range(len(values)):
        others = numpy.arange(len(values)) != index
        total += float(rows[index] @ _solved(rows[others], values[others]) / values[index] - 1) ** 2
    return total


def surprises(works: Sequence[Work], values: Sequence[float]) -> tuple[int, ...]:
    """Return the measured cells that lie outside the interval which the others give them: measure these again."""
    found = []
    for index, value in enumerate(values):
        others = [other for other in range(len(values)) if other != index]
        if len(others) >= ENOUGH:
            expected = fit([works[one] for one in others], [values[one] for one in others]).predict(works[index])
            found += [] if expected.low <= value <= expected.high else [index]
    return tuple(found)


def contenders(times: Sequence[Prediction], merits: Sequence[float]) -> tuple[int, ...]:
    """Return the cells near the front: none of at least their merit is surely faster, by the intervals."""
    return tuple(
        index
        for index, (mine, merit) in enumerate(zip(times, merits, strict=True))
        if not any(other.high < mine.low and its >= merit for other, its in zip(times, merits, strict=True))
    )
