"""Fit a surface to the metrics of a few sizes of a network family; the surface predicts the metric at other sizes.

The surface gives the metric as a function of width α and resolution ρ. Metrics are shares from 0 to 1, such as top-1.
The functions here are pure and do no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Any

from edgebench.measure.budget.fit import CONFIDENCE, Prediction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Size = tuple[float, int]  # a size: width multiplier, and resolution in pixels
NATIVE = 224  # a resolution in pixels; one term of the fit is this number divided by the network's resolution
# Prior for how far cells lie from the surface: a standard deviation of the logit, and degrees of freedom.
# Both numbers are maximum likelihood estimates from the grids that MLPerf's submitters measured.
# `tests.benchmarks.prediction` computes them again.
PRIOR = (0.015, 4)
LEAST = 1e-6  # shares are limited to the range from this to 1 minus this, because the logits of 0 and 1 are infinite
UNKNOWN = 1e-6  # a size is not predicted if its terms are not a linear combination of measured terms, up to this error


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A measured metric from 0 to 1 with a 95 % interval; if the interval is unknown, both ends equal the value."""

    value: float
    low: float
    high: float

    @property
    def logit(self) -> float:
        """The log odds of the value; if the value is 0 or 1, the log odds of the middle of the interval."""
        value = self.value
        if value <= 0 or value >= 1:
            value = (self.low + self.high) / 2
        return logit(value)

    @property
    def noise(self) -> float:
        """The part of the variance of the log odds that is due to the limited number of test images."""
        return ((logit(self.high) - logit(self.low)) / (2 * _NORMAL_97_5)) ** 2


_NORMAL_97_5 = 1.959964  # quantile of the normal distribution for a 95 % interval


def logit(share: float) -> float:
    """Return the log odds of a share, which is first limited to the range from `LEAST` to 1 - `LEAST`."""
    bounded = min(max(share, LEAST), 1 - LEAST)
    return log(bounded / (1 - bounded))


def terms(sizes: Sequence[Size]) -> Any:
    """Return a row of terms for each size: 1, ln α, (ln α)², 224/ρ. A metric's logit is nearly linear in the terms."""
    import numpy

    widths, sides = numpy.array(sizes, float).reshape(-1, 2).T
    return numpy.stack([numpy.ones_like(widths), numpy.log(widths), numpy.log(widths) ** 2, NATIVE / sides], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A fitted function of width α and resolution ρ; it gives the logit of a metric, and never falls as α or ρ grows.

    Attributes:
        heights: the coefficients of the terms of `_rising`; only the coefficient of the constant term can be negative.
        span: the smallest and the largest ln α of all cells, measured or not.
        cells: number of measured cells.
        scatter: standard deviation of the measured logits about the surface, estimated from the errors of the fit, from
            the prior, and from the noise that is due to the number of test images.
        freedom: degrees of freedom of `scatter`.
        spread: covariance matrix of the heights, in units of `scatter` squared.
        reach: matrix that projects a cell's terms on the space of linear combinations of the measured cells' terms.
    """

    heights: tuple[float, ...]
    span: tuple[float, float]
    cells: int
    scatter: float
    freedom: int
    spread: Any
    reach: Any

    def predict(self, size: Size) -> Prediction | None:
        """Predict the metric at a size.

        Return None if the measured cells do not show how the metric depends on α and ρ.
        """
        from scipy.stats import t

        row = _rising([size], self.span)[0]
        if abs(row - self.reach @ row).max() > UNKNOWN * abs(row).max():
            return None
        middle, reach = float(row @ self.heights), float(t.ppf(0.5 + CONFIDENCE / 2, self.freedom))
        distance = reach * self.deviation(size)
        return Prediction(value=_share(middle), low=_share(middle - distance), high=_share(middle + distance))

    def deviation(self, size: Size) -> float:
        """Return the standard deviation of a cell's measured logit about the predicted logit."""
        row = _rising([size], self.span)[0]
        return self.scatter * sqrt(1 + max(float(row @ self.spread @ row), 0.0))


def _share(logit: float) -> float:
    return 1 / (1 + exp(-logit))


def _rising(sizes: Sequence[Size], span: tuple[float, float]) -> Any:
    """Return terms that span the same functions as `terms`, but never fall as α or ρ grows within the range `span`.

    Two of the terms are parabolas in ln α: one has its minimum at the lower end of the range, the other has its maximum
    at the upper end. The sums of these two parabolas with non-negative factors are exactly the parabolas that rise over
    the whole range.
    """
    import numpy

    ones, logs, _, coarseness = terms(sizes).T
    return numpy.stack([ones, (logs - span[0]) ** 2, -((span[1] - logs) ** 2), -coarseness], axis=1)


def fit(
    sizes: Sequence[Size], shares: Sequence[Share], others: Iterable[Size] = (), prior: tuple[float, int] = PRIOR
) -> Surface:
    """Fit a surface to measured metrics by least squares of logits.

    The surface never falls with α or ρ, neither at the measured `sizes` nor at the `others`, which are not measured
    yet.
    """
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
