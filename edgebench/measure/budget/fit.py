"""Choose which networks to measure; from their latencies, predict the latencies of the other networks.

The functions here are pure and do no I/O. Predicted latencies have the same unit as measured latencies. A cell is one
network at one width and resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Any

CONFIDENCE = 0.90
ENOUGH = 6  # least number of measured cells for a fit; the intervals were calibrated with this number
# Prior for how far cells lie from the fit: a standard deviation of log latency, and degrees of freedom.
# Both numbers are maximum likelihood estimates from the published ArmNN grids of the Raspberry Pi 4.
# `tests.benchmarks.prediction` computes them again.
# It also counts how often the intervals contain the measured value in the TFLite grids, which the prior did not use.
PRIOR = (0.03, 3)
LEAST_GAIN = 1e-9  # least increase of the log determinant; smaller increases are rounding errors
METRIC_WEIGHT = 0.5  # weight of information about the metric, relative to information about the latency
RIDGE = 1e-9  # added to the diagonal of normal matrices, so that designs with fewer cells than terms can be compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How much a network computes per image: multiply-adds, activations (output values of all layers) and weights."""

    macs: float
    activations: float
    params: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A predicted value with its 90 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The fitted costs of one runtime, precision and network family.

    Attributes:
        costs: a constant, and the costs per multiply-add, per activation and per weight; all are at least 0.
        cells: number of measured cells.
        scatter: standard deviation of log latency about the fit, estimated from the fit's errors and from the prior.
        freedom: degrees of freedom of `scatter`.
        spread: covariance matrix of the non-zero costs, in units of `scatter` squared.
    """

    costs: tuple[float, ...]
    cells: int
    scatter: float
    freedom: int
    spread: tuple[tuple[float, ...], ...]

    def predict(self, work: Work) -> Prediction:
        """Predict the latency of a network with this work; the interval comes from Student's t distribution."""
        from scipy.stats import t

        value = _dot(_terms(work), self.costs)
        reach = float(t.ppf(0.5 + CONFIDENCE / 2, self.freedom)) * self.deviation(work)
        return Prediction(value=value, low=value * exp(-reach), high=value * exp(reach))

    def deviation(self, work: Work) -> float:
        """Return the standard deviation of log latency about the prediction, due to scatter and errors of the costs."""
        value = _dot(_terms(work), self.costs)
        shares = [term / value for term, cost in zip(_terms(work), self.costs, strict=True) if cost]
        leverage = _dot(shares, [_dot(row, shares) for row in self.spread])
        return self.scatter * sqrt(1 + max(leverage, 0.0))


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def _terms(work: Work) -> tuple[float, ...]:
    return 1.0, work.macs, work.activations, work.params


def _rows(works: Sequence[Work]) -> Any:
    import numpy

    return numpy.array([_terms(work) for work in works], float)


def _scale(rows: Any) -> Any:
    """Return a divisor for each column: the column's mean, or 1 for a column of zeros."""
    import numpy

    mean = rows.mean(axis=0)
    return numpy.where(mean > 0, mean, 1.0)


def informative(
    works: Sequence[Work], count: int, measured: Sequence[int] = (), metric_terms: Any = None
) -> tuple[int, ...]:
    """Choose `count` cells, including all measured cells, that determine the costs best: a D-optimal design.

    Cells are chosen greedily and then exchanged (Fedorov 1972); the result is deterministic. The fit minimizes relative
    errors, so a row's weight depends on the cell's latency. Because latencies are not known yet, the rows' weights
    assume that every term has an equal share in the latency of an average cell. With `metric_terms`, of shape (N,
    terms), the design serves the fit of a metric as well.
    """
    import numpy

    rows = _rows(works)
    rows = rows / _scale(rows)
    rows = rows / rows.sum(axis=1, keepdims=True)
    # The rows of both fits, latency and metric, side by side in shape (N, fits, terms).
    rows = numpy.stack([rows] if metric_terms is None else [rows, metric_terms / abs(metric_terms).max()], axis=1)
    chosen = list(measured)
    while len(chosen) < min(count, len(works)):
        chosen.append(max(_others(chosen, works), key=lambda index: _information(rows[[*chosen, index]])))
    return tuple(sorted(_exchanged(rows, chosen, len(measured), works)))


def _others(chosen: Sequence[int], works: Sequence[Work]) -> list[int]:
    return [index for index in range(len(works)) if index not in chosen]


def _information(rows: Any) -> float:
    """Return the weighted sum of log determinants of the fits' normal matrices; `rows` has shape (N, fits, terms)."""
    import numpy

    normal = numpy.einsum("nft,nfu->ftu", rows, rows) + RIDGE * numpy.eye(rows.shape[2])
    return float(numpy.linalg.slogdet(normal)[1] @ (1.0, METRIC_WEIGHT)[: rows.shape[1]])


def _exchanged(rows: Any, chosen: list[int], fixed: int, works: Sequence[Work]) -> list[int]:
    """Exchange chosen cells for other cells as long as this increases the information; keep the first `fixed` cells."""
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
    """Fit non-negative costs by least squares of relative errors.

    A cost per weight is included only if leave-one-out predictions are better with it.
    """
    import numpy

    rows, measured = _rows(works), numpy.array(values, float)
    with_params = _left_out(rows, measured) < _left_out(rows[:, :-1], measured)
    costs = _solved(rows if with_params else rows[:, :-1], measured)
    costs = numpy.append(costs, [0.0] * (rows.shape[1] - len(costs)))
    used = costs > 0
    errors = numpy.log(rows @ costs / measured)
    freedom = max(len(measured) - int(used.sum()), 0)
    squares = prior[1] * prior[0] ** 2 + (float(errors @ errors) if freedom else 0.0)
    return Fit(
        costs=tuple(float(cost) for cost in costs),
        cells=len(measured),
        scatter=sqrt(squares / (prior[1] + freedom)),
        freedom=prior[1] + freedom,
        spread=_spread(rows[:, used] / measured[:, None]),
    )


def _spread(shares: Any) -> tuple[tuple[float, ...], ...]:
    """Return the inverse of the normal matrix; terms are scaled first, because their values range from 1 to 10^8."""
    import numpy

    scale = _scale(shares)
    scaled = shares / scale
    inverse = numpy.linalg.pinv(scaled.T @ scaled, hermitian=True) / numpy.outer(scale, scale)
    return tuple(tuple(float(value) for value in row) for row in inverse)


def _solved(rows: Any, values: Any) -> Any:
    """Return the non-negative costs with the least squared relative errors (Lawson and Hanson 1974)."""
    import numpy
    from scipy.optimize import nnls

    scale = _scale(rows)
    return nnls(rows / scale / values[:, None], numpy.ones(len(values)))[0] / scale


def _left_out(rows: Any, values: Any) -> float:
    """Return the sum of squared relative errors of leave-one-out predictions."""
    import numpy

    total = 0.0
    for index in range(len(values)):
        others = numpy.arange(len(values)) != index
        total += float(rows[index] @ _solved(rows[others], values[others]) / values[index] - 1) ** 2
    return total


def surprises(works: Sequence[Work], values: Sequence[float]) -> tuple[int, ...]:
    """Return the indices of outliers: cells whose latency is outside the interval predicted from the other cells."""
    outliers = []
    for index, value in enumerate(values):
        others = [other for other in range(len(values)) if other != index]
        if len(others) >= ENOUGH:
            expected = fit([works[other] for other in others], [values[other] for other in others]).predict(
                works[index]
            )
            outliers += [] if expected.low <= value <= expected.high else [index]
    return tuple(outliers)


def contenders(times: Sequence[Prediction], merits: Sequence[float]) -> tuple[int, ...]:
    """Return the indices of cells that are possibly on the Pareto front of time and merit (accuracy, or a substitute).

    A cell is excluded if another cell has at least the same merit and is surely faster: the intervals of their times do
    not overlap.
    """
    cells = list(zip(times, merits, strict=True))
    return tuple(
        index
        for index, (time, merit) in enumerate(cells)
        if not any(rival.high < time.low and rival_merit >= merit for rival, rival_merit in cells)
    )
