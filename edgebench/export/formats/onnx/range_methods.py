"""The values that a tensor takes -> the range that its int8 form covers."""

from __future__ import annotations

from math import frexp, inf, isfinite
from typing import TYPE_CHECKING

from edgebench.foundation.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import bool_, float32, float64, int64
    from numpy.typing import NDArray

    Range = tuple[float, float]
    Histogram = tuple[NDArray[int64], NDArray[float64]]  # the counts of a histogram, and the edges of its bins

MASKED = -1e8  # lower values, such as -1e9 or the lowest float, stand for minus infinity in attention masks
OUTSIDE = 1e-5  # share of the values left outside the range: onnxruntime's default percentile is 99.999
SLACK = 512  # with this many surplus values allowed, they are dropped many at a time
BINS = 2048  # number of bins of a histogram, half of them on each side of zero
FINE_BINS = 4096  # number of bins while values are counted; at least `BINS` of them lie between the outermost values
NARROWEST = 2.0**-100  # smallest half width of a histogram: smaller values can be taken for 0
CHUNK = 2**16  # number of values that are counted at once, so that they stay in the processor's cache
LEVELS = 128  # levels of the entropy method, as in TensorRT and onnxruntime
ENTROPY_BINS = 512  # number of bins for the entropy method: with more, it takes seconds per tensor
SMOOTHING = 1e-4  # count given to an empty bin, as in onnxruntime
MSE_CLIPS = 50  # number of ranges that are tried, to find the range with the least squared error


def is_masked(low: float, high: float) -> bool:
    """Return whether a range includes values that mask entries for a softmax.

    No int8 scale covers both masking values and ordinary values.
    """
    return low <= MASKED and isfinite(high)


def finite(tensor: str, low: float, high: float) -> Range:
    """Return a range unchanged if it is finite or includes masked values.

    Raises:
        CaseError: the range is infinite but includes no masked values, or a bound is NaN.
    """
    if is_masked(low, high):
        return float(low), float(high)
    if not isfinite(low) or not isfinite(high):
        raise CaseError(f"activation {tensor} is not finite ({low} to {high}): check the weights and the images")
    return float(low), float(high)


class Outermost:
    """The `most` smallest and the `most` largest of all values that `add` has received, and sometimes a few more."""

    def __init__(self, tensor: str, most: int) -> None:
        import numpy

        self._tensor, self._most, self._count = tensor, most, 0
        self._low = self._high = numpy.empty(0, numpy.float32)
        self._low_bound, self._high_bound = numpy.inf, -numpy.inf

    def add(self, values: NDArray[float32]) -> None:
        """Receive values; a value that is not one of the outermost values costs only two comparisons."""
        import numpy

        self._count += values.size
        low = values[numpy.flatnonzero(~(values >= self._low_bound))]  # the negation also selects NaN
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
        """Return the range without the values of the largest magnitudes, which are a share `OUTSIDE` of all."""
        import numpy

        magnitudes = numpy.sort(numpy.abs(numpy.concatenate([self._low, self._high])))
        edge = magnitudes[-1 - int(self._count * OUTSIDE)]
        return finite(self._tensor, max(-edge, self._low.min()), min(edge, self._high.max()))


class BinCounts:
    """A histogram of a tensor's values, symmetric about zero; its bins double their width when a value lies outside."""

    def __init__(self, tensor: str, choose: Callable[[NDArray[int64], NDArray[float64]], Range], *, mirrored: bool):
        import numpy

        self._tensor, self._choose, self._mirrored = tensor, choose, mirrored
        self._counts, self._side = numpy.zeros(FINE_BINS, numpy.int64), NARROWEST
        self._low, self._high = inf, -inf

    def add(self, values: NDArray[float32]) -> None:
        """Receive values and count them in bins."""
        for start in range(0, len(values), CHUNK):
            chunk = values[start : start + CHUNK]
            low, high = finite(self._tensor, chunk.min(), chunk.max())
            self._low, self._high = min(self._low, low), max(self._high, high)
            if max(-low, high) >= self._side:
                self._widen(2.0 ** frexp(max(-low, high))[1])
            self._counts += count(chunk, self._side)

    def _widen(self, side: float) -> None:
        """Merge neighbouring bins until the histogram covers [-`side`, `side`]; `side` is always a power of two."""
        import numpy

        together = int(min(side / self._side, FINE_BINS / 2))
        fewer = self._counts.reshape(-1, together).sum(1)
        self._counts, self._side = numpy.pad(fewer, (FINE_BINS - len(fewer)) // 2), side

    def range(self) -> Range:
        """Return the chosen range, clipped to the counted values; if mirrored, each value x is counted as -x, too."""
        counts, edges = self._histogram()
        low, high = self._choose(counts + counts[::-1] if self._mirrored else counts, edges)
        return max(low, self._low), min(high, self._high)

    def _histogram(self) -> Histogram:
        """Return a histogram of `BINS` bins between minus and plus the largest magnitude."""
        import numpy

        side = max(-self._low, self._high) or 1.0
        edges = numpy.linspace(-side, side, BINS + 1)
        below = numpy.append(0, self._counts.cumsum())
        at_edges = numpy.interp(edges, numpy.linspace(-self._side, self._side, FINE_BINS + 1), below).round()
        at_edges[[0, -1]] = 0, below[-1]
        return numpy.diff(at_edges).astype(numpy.int64), edges


def count(values: NDArray[float32], side: float) -> NDArray[int64]:
    """Count values in `FINE_BINS` bins between -side and side, in a third of the time of numpy's histogram."""
    import numpy

    places = values * numpy.float32(FINE_BINS / 2 / side)
    places += numpy.float32(FINE_BINS / 2)
    # Vector instructions convert floats to 16-bit integers, but not to the 64-bit integers that bincount takes.
    counts = numpy.bincount(places.astype(numpy.uint16), minlength=FINE_BINS + 1)
    counts[FINE_BINS - 1] += counts[FINE_BINS]  # values that were rounded up to the last edge
    return counts[:FINE_BINS]


def entropy(counts: NDArray[int64], edges: NDArray[float64]) -> Range:
    """Return the range about zero whose 128 levels lose the least information (Migacz, TensorRT, 2017).

    Every detail follows onnxruntime, including integer counts and the range of bins, so that the result is the same.
    """
    import numpy

    counts, edges = counts.reshape(ENTROPY_BINS, -1).sum(1), edges[:: len(edges) // ENTROPY_BINS]
    middle = len(counts) // 2
    halves = numpy.arange(LEVELS // 2, middle + 1)
    firsts, ends = middle - halves, numpy.minimum(middle + halves + 1, len(counts))
    best = int(numpy.argmin(_divergences(counts, firsts[:, None], ends[:, None])))
    return float(edges[firsts[best]]), float(edges[ends[best]])


def _divergences(counts: NDArray[int64], firsts: NDArray[int64], ends: NDArray[int64]) -> NDArray[float64]:
    """Return, for each range, the Kullback-Leibler divergence of the clipped histogram from its form in 128 levels.

    Each row is one range, whose bins are numbered from `firsts` to `ends` - 1. Both `firsts` and `ends` have shape (N,
    1).
    """
    import numpy

    bins, below = numpy.arange(len(counts)), numpy.append(0, counts.cumsum())
    inside = (bins >= firsts) & (bins < ends)
    whole = counts * inside + (bins == firsts) * below[firsts] + (bins == ends - 1) * (below[-1] - below[ends])
    fine = _smoothed(whole, inside)
    coarse = _smoothed(_levelled(below, whole != 0, firsts, ends), inside)
    losses = (fine * numpy.log(fine / coarse)).sum(1, where=inside)
    return numpy.where(numpy.isnan(losses), numpy.inf, losses)


def _levelled(
    below: NDArray[int64], filled: NDArray[bool_], firsts: NDArray[int64], ends: NDArray[int64]
) -> NDArray[int64]:
    """Return the histogram in 128 levels: all filled bins of a level get the level's mean count.

    The few bins behind the last level get 0. `below` has the number of values below each edge.
    """
    import numpy

    bins, widths = numpy.arange(filled.shape[1]), (ends - firsts) // LEVELS
    edges = firsts + widths * numpy.arange(LEVELS + 1)
    filled_below = numpy.pad(filled.cumsum(1), ((0, 0), (1, 0)))
    share = numpy.diff(numpy.take_along_axis(filled_below, edges, 1))
    sums = numpy.diff(numpy.append(below[edges[:, :-1]], below[ends], 1))
    means = numpy.pad(sums // numpy.maximum(share, 1) * (share > 0), ((0, 0), (0, 1)))
    levels = (bins - firsts) // widths
    levels[(levels < 0) | (levels > LEVELS)] = LEVELS  # bins outside all levels get 0, which was appended to `means`
    spread: NDArray[int64] = numpy.take_along_axis(means, levels, 1)
    return spread


def _smoothed(counts: NDArray[int64], inside: NDArray[bool_]) -> NDArray[float64]:
    """Give empty bins a small count, because 0 has no logarithm; then divide each row by its sum.

    The small counts are taken from the filled bins; a row whose filled bins have too few counts becomes NaN. Bins
    outside the range become 1.
    """
    import numpy

    empty, filled = inside & (counts == 0), inside & (counts != 0)
    givers = filled.sum(1, keepdims=True)
    given = numpy.where(givers > 0, SMOOTHING * empty.sum(1, keepdims=True) / numpy.maximum(givers, 1), 1.0)
    smooth = counts.astype(numpy.float32) + SMOOTHING * empty - given * filled
    poor = (given >= 1) | (inside & (smooth <= 0)).any(1, keepdims=True)
    smooth = numpy.where(poor, numpy.nan, smooth)
    return numpy.where(inside, smooth / smooth.sum(1, keepdims=True), 1.0)


def mean_squared_error(counts: NDArray[int64], edges: NDArray[float64]) -> Range:
    """Shrink the observed range as far as this reduces the squared error of its 256 levels; return the range."""
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
