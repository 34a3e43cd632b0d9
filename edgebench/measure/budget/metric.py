"""The metric of a few networks of a family, with their sizes -> its surface over α and ρ, and predictions for others.

Pure functions without I/O. Metrics are shares, such as top-1 or mAP.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Any

from edgebench.measure.budget.fit import CONFIDENCE, Prediction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Size = tuple[float, int]  # width multiplier, and resolution in pixels
NATIVE = 224  # pixels, the unit of resolutions
# Prior of a cell's distance from the surface: scatter of the logit, and its degrees of freedom. These are the maximum
# likelihood values on the grids that MLPerf's submitters measured; `tests.benchmarks.prediction` computes them again.
PRIOR = (0.015, 4)
LEAST = 1e-6  # share: closer to 0 or 1 a logit says nothing
UNKNOWN = 1e-6  # of a cell's terms: a larger part that no measured cell has makes it unpredictable


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A measured metric with its 95 % interval, from 0 to 1; without an interval all three are equal."""

    value: float
    low: float
    high: float

    @property
    def logit(self) -> float:
        """The log odds; a share of 0 or 1 stands half-way to the other end of its interval."""
        value = self.value
        if value <= 0 or value >= 1:
            value = (self.low + self.high) / 2
        return logit(value)

    @property
    def noise(self) -> float:
        """The variance of the log odds that comes from the number of images."""
        return ((logit(self.high) - logit(self.low)) / (2 * _NORMAL_97_5)) ** 2


_NORMAL_97_5 = 1.959964  # the quantile of the 95 % interval of a share


def logit(share: float) -> float:
    """Return the log odds of a share; of one near 0 or 1, those of the nearest that has any."""
    bounded = min(max(share, LEAST), 1 - LEAST)
    return log(bounded / (1 - bounded))


def terms(sizes: Sequence[Size]) -> Any:
    """Return one row per size, (N, 4): 1, ln α, (ln α)², 224/ρ; the logit of a metric is about linear in these."""
    import numpy

    widths, sides = numpy.array(sizes, float).reshape(-1, 2).T
    return numpy.stack([numpy.ones_like(widths), numpy.log(widths), numpy.log(widths) ** 2, NATIVE / sides], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """The fitted logit of a metric over α and ρ: it never falls where either grows.

    Attributes:
        heights: a constant, and the costs or gains of the other terms of `_rising`; none is negative.
        span: least and largest ln α of the grid.
        cells: number of measured cells.
        scatter: standard deviation of the measured logits about the surface, combined with the prior and the noise of
            the images.
        freedom: degrees of freedom of `scatter`.
        spread: covariance matrix of the heights, in units of `scatter` squared.
        reach: matrix that projects a cell's terms on those that the measured cells tell about.
    """

    heights: tuple[float, ...]
    span: tuple[float, float]
    cells: int
    scatter: float
    freedom: int
    spread: Any
    reach: Any

    def predict(self, size: Size) -> Prediction | None:
        """Predict a cell's metric with its interval; None if no measured cell tells how its α or ρ matters."""
        from scipy.stats import t

        row = _rising([size], self.span)[0]
        if abs(row - self.reach @ row).max() > UNKNOWN * abs(row).max():
            return None
        middle, reach = float(row @ self.heights), float(t.ppf(0.5 + CONFIDENCE / 2, self.freedom))
        distance = reach * self.deviation(size)
        return Prediction(value=_share(middle), low=_share(middle - distance), high=_share(middle + distance))

    def deviation(self, size: Size) -> float:
        """Return the standard deviation of a cell's logit about its prediction."""
        row = _rising([size], self.span)[0]
        return self.scatter * sqrt(1 + max(float(row @ self.spread @ row), 0.0))


def _share(logit: float) -> float:
    return 1 / (1 + exp(-logit))


def _rising(sizes: Sequence[Size], span: tuple[float, float]) -> Any:
    """Return other terms of the same surfaces, of which each rises with α and ρ within the span.

    A parabola in ln α rises between two ends exactly if it is a sum, not a difference, of the one with its lowest point
    at the first end and the one with its highest at the second.
    """
    import numpy

    ones, logs, _, coarseness = terms(sizes).T
    return numpy.stack([ones, (logs - span[0]) ** 2, -((span[1] - logs) ** 2), -coarseness], axis=1)


def fit(
    sizes: Sequence[Size], shares: Sequence[Share], others: Iterable[Size] = (), prior: tuple[float, int] = PRIOR
) -> Surface:
    """Fit a surface by least squares of logits; it rises with α and ρ over the sizes and `others`, not yet measured."""
    import numpy
    from scipy.optimize import lsq_linear

    logs = [log(width) for width, _ in (*sizes, *others)]
    span = min(logs), max(logs)
    rows, logits = _rising(sizes, span), numpy.array([share.logit for share in shares])
    heights = lsq_linear(rows, logits, bounds=([-numpy.inf, 0, 0, 0], numpy.inf)).x
    errors = rows @ heights - logits
    freedom = max(len(rows) - int(numpy.linalg.matrix_rank(rows)), 0)
    expected = prior[0] ** 2 + sum(share.noise for share in shares) / len(shares)
    squares = prior[1] * expected + (float(errors @ errors) if freedom else 0.0)
    return Surface(
        heights=tuple(map(float, heights)),
        span=span,
        cells=len(rows),
        scatter=sqrt(squares / (prior[1] + freedom)),
        freedom=prior[1] + freedom,
        spread=numpy.linalg.pinv(rows.T @ rows, hermitian=True),
        reach=numpy.linalg.pinv(rows) @ rows,
    )
