"""The values that a tensor takes -> the range that its int8 form covers."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from edgebench.errors import CaseError

if TYPE_CHECKING:
    from numpy import float32, float64, int64
    from numpy.typing import NDArray

    Range = tuple[float, float]
    Histogram = tuple[NDArray[int64], NDArray[float64]]  # counts, and the edges of their bins

OUTSIDE = 1e-5  # of the values: a percentile of 99.999, onnxruntime's own
SLACK = 512  # outermost values that are kept before the least of them are dropped
BINS = 2048  # of a histogram, half of them on each side of zero
LEVELS = 128  # that the entropy method compares with, TensorRT's and onnxruntime's own
ENTROPY_BINS = 512  # that it compares: more take seconds a tensor
SMOOTHING = 1e-4  # counts that an empty bin gets, onnxruntime's own
MSE_CLIPS = 50  # how many shares of the range the least squared error is sought among


def finite(tensor: str, low: float, high: float) -> Range:
    """Return the range, of plain numbers.

    Raises:
        CaseError: it is infinite, or something in it is no number.
    """
    if not isfinite(low) or not isfinite(high):
        raise CaseError(f"activation {tensor} is not finite ({low} to {high}): look at the weights and the images")
    return float(low), float(high)


class Outermost:
    """The smallest and the largest of all values that it is given, `most` of each and at times some more."""

    def __init__(self, tensor: str, most: int) -> None:
        import numpy

        self._tensor, self._most, self._count = tensor, most, 0
        self._low = self._high = numpy.empty(0, numpy.float32)
        self._low_bound, self._high_bound = numpy.inf, -numpy.inf

    def add(self, values: NDArray[float32]) -> None:
        """Look at more values: those within the bounds cost two comparisons."""
        import numpy

        self._count += values.size
        low = values[numpy.flatnonzero(~(values >= self._low_bound))]  # what is no number is not within them either
        high = values[numpy.flatnonzero(values > self._high_bound)]
        for beyond in (low, high):
            if len(beyond):
                finite(self._tensor, beyond.min(), beyond.max())
        self._low, self._high = numpy.concatenate([self._low, low]), numpy.concatenate([self._high, high])
        if len(self._low) > 2 * self._most + SLACK:
            self._low = numpy.partition(self._low, self._most)[: self._most]
            self._low_bound = self._low.max()
        if len(self._high) > 2 * self._most + SLACK:
            self._high = numpy.partition(self._high, -self._most)[-self._most :]
            self._high_bound = self._high.min()

    def range(self) -> Range:
        """Return the range once `OUTSIDE` of all values are left out, those of the largest magnitude first."""
        import numpy

        magnitudes = numpy.sort(numpy.abs(numpy.concatenate([self._low, self._high])))
        edge = magnitudes[-1 - int(self._count * OUTSIDE)]
        return finite(self._tensor, max(-edge, self._low.min()), min(edge, self._high.max()))


def count(values: NDArray[float32], side: float) -> NDArray[int64]:
    """Count values in `BINS` bins between -side and side: a third of the time of numpy's own histogram."""
    import numpy

    places = values.ravel() * numpy.float32(BINS / 2 / side)
    places += numpy.float32(BINS / 2)
    counts = numpy.bincount(places.astype(numpy.int32), minlength=BINS + 1)
    counts[BINS - 1] += counts[BINS]  # the largest value itself lies on the last edge
    return counts[:BINS]


def entropy(counts: NDArray[int64], edges: NDArray[float64]) -> Range:
    """Return the range about zero whose 128 levels lose the least information (Migacz, TensorRT, 2017).

    Every choice is onnxruntime's, whole counts and the range of bins included, so that its thresholds are the same.
    """
    import numpy

    counts, edges = counts.reshape(ENTROPY_BINS, -1).sum(1), edges[:: len(edges) // ENTROPY_BINS]
    middle = len(counts) // 2
    halves = range(LEVELS // 2, middle + 1)
    losses = [_divergence(counts, middle - half, min(middle + half + 1, len(counts))) for half in halves]
    half = halves[int(numpy.argmin(losses))]
    return float(edges[middle - half]), float(edges[min(middle + half + 1, len(counts))])


def _divergence(counts: NDArray[int64], first: int, end: int) -> float:
    """Return the Kullback-Leibler divergence of the bins, those outside moved to the ends, from their 128 levels."""
    import numpy

    inside = counts[first:end]
    whole = inside.copy()
    whole[0] += counts[:first].sum()
    whole[-1] += counts[end:].sum()
    width = len(inside) // LEVELS
    levels = inside[: width * LEVELS].reshape(LEVELS, width).sum(1)
    levels[-1] += inside[width * LEVELS :].sum()
    filled = (whole[: width * LEVELS] != 0).reshape(LEVELS, width).sum(1)
    spread = numpy.zeros_like(whole)
    spread[: width * LEVELS] = numpy.repeat(levels // numpy.maximum(filled, 1) * (filled > 0), width)
    smooth, coarse = _smoothed(whole), _smoothed(spread)
    if smooth is None or coarse is None:
        return numpy.inf
    smooth, coarse = smooth / smooth.sum(), coarse / coarse.sum()
    return float((smooth * numpy.log(smooth / coarse)).sum())


def _smoothed(counts: NDArray[int64]) -> NDArray[float64] | None:
    """Move a little of the filled bins to the empty ones, which have no logarithm."""
    import numpy

    empty = counts == 0
    filled = int((~empty).sum())
    taken = SMOOTHING * float(empty.sum()) / filled if filled else 1.0
    if taken >= 1:
        return None
    smooth: NDArray[float64] = counts.astype(numpy.float32) + SMOOTHING * empty - taken * ~empty
    return smooth if (smooth > 0).all() else None


def mean_squared_error(counts: NDArray[int64], edges: NDArray[float64]) -> Range:
    """Return the share of the range whose 256 levels are nearest to the values, by squared error."""
    import numpy

    values = (edges[:-1] + edges[1:]) / 2
    filled = numpy.flatnonzero(counts)
    low, high = min(edges[filled[0]], 0.0), max(edges[filled[-1] + 1], 0.0)
    shares = numpy.linspace(1, 0, MSE_CLIPS, endpoint=False)[:, None]
    lows, highs = low * shares, high * shares
    steps = (highs - lows) / 255
    nearest = numpy.round(numpy.clip(values, lows, highs) / steps) * steps
    share = float(shares[((values - nearest) ** 2 @ counts).argmin(), 0])
    return low * share, high * share


CHOOSERS = {"entropy": entropy, "mse": mean_squared_error}
