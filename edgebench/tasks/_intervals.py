"""Results of single images -> intervals by a bootstrap over images. Two networks are compared on the same resamples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation import stats
from edgebench.schema.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy import float64
    from numpy.typing import NDArray

RESAMPLES, SEED = 1000, 0

Ends = tuple[float, float]


def weights(images: int, resamples: int = RESAMPLES) -> NDArray[float64]:
    """Return how often each of R resamples contains each image, (R, images).

    The resamples have a fixed seed, so that two networks evaluated on equally many images get the same ones.
    """
    import numpy

    random = numpy.random.default_rng(SEED)
    drawn: NDArray[float64] = random.multinomial(images, numpy.full(images, 1 / images), resamples).astype("f8")
    return drawn


def interval(values: NDArray[float64]) -> Ends:
    """Return a metric's 95 % interval: the bounds of the central 95 % of the metric's values in the resamples."""
    import numpy

    tail = (1 - stats.CONFIDENCE) / 2
    low, high = numpy.nanquantile(values, (tail, 1 - tail))
    return float(low), float(high)


def metric(name: str, value: float, ends: Ends | None = None) -> Metric:
    """Return a metric with its interval, if one is given."""
    return Metric(name=name, value=value, low=ends[0] if ends else None, high=ends[1] if ends else None)


def metrics(values: Mapping[str, float], ends: Mapping[str, Ends]) -> tuple[Metric, ...]:
    """Return the metrics with these names and values, each with its interval if `ends` has one."""
    return tuple(metric(name, value, ends.get(name)) for name, value in values.items())
