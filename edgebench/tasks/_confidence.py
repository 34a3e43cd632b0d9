"""Predicted probabilities -> the calibration error: the gap between confidence and the share of right predictions.

The calibration error is the expected calibration error over 15 bins of confidence, as defined in Guo et al., On
Calibration of Modern Neural Networks (ICML 2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.schema.metric import BINS, Reliability

if TYPE_CHECKING:
    from numpy import bool_, float32, float64, int64
    from numpy.typing import NDArray

RESAMPLES, SEED = 1000, 0  # number of resamples of the bootstrap over images
SUMS_TO_ONE = 0.1  # an image's probabilities may miss the sum of 1 by this much on average, because int8 rounds them


def confidences(outputs: NDArray[float32]) -> NDArray[float64]:
    """Return the probability of each image's likeliest class, (N,), from logits or probabilities, (N, classes)."""
    import numpy

    rows = outputs.astype("f8")
    if rows.min() >= 0 and abs(rows.sum(1) - 1).mean() < SUMS_TO_ONE:
        largest: NDArray[float64] = numpy.minimum(rows.max(1), 1.0)
        return largest
    likeliest: NDArray[float64] = 1 / numpy.exp(rows - rows.max(1, keepdims=True)).sum(1)
    return likeliest


def reliability(confidences: NDArray[float64], is_correct: NDArray[bool_]) -> Reliability:
    """Sort images into bins of confidence, and compute the calibration error with a bootstrap interval.

    The error is a sum of absolute values, so noise makes it too large on average, and in a resample of the images the
    error is even larger. Therefore the upper end of the interval is the upper end of the basic bootstrap interval
    (Davison and Hinkley 1997, 5.2). The lower end is the error minus the noise of the bins. To find this noise, the
    absolute differences between a resample's bins and the bins of all images are added up; the noise is the 97.5 %
    quantile of these sums over all resamples.
    """
    import numpy

    places = numpy.clip(numpy.ceil(confidences * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = confidences - is_correct
    random = numpy.random.default_rng(SEED)
    draws = (random.integers(0, len(gaps), len(gaps)) for _ in range(RESAMPLES))
    means = _gaps(places, gaps)
    error = float(abs(means).sum())
    resampled = numpy.array([_gaps(places[draw], gaps[draw]) for draw in draws])
    least = numpy.percentile(abs(resampled).sum(1), 2.5)
    noise = numpy.percentile(abs(resampled - means).sum(1), 97.5)
    return Reliability(
        images=_counts(places),
        correct=_counts(places[is_correct]),
        confidence=tuple(map(float, numpy.bincount(places, confidences, BINS))),
        low=max(0.0, error - float(noise)),
        high=min(1.0, max(2 * error - float(least), error)),
    )


def _gaps(places: NDArray[int64], gaps: NDArray[float64]) -> NDArray[float64]:
    """Return each bin's part of the signed error, (BINS,).

    The part is the sum of the confidences in the bin minus the number of correct predictions in it, divided by the
    number of all images.
    """
    import numpy

    return numpy.bincount(places, gaps, BINS) / len(gaps)


def _counts(places: NDArray[int64]) -> tuple[int, ...]:
    import numpy

    return tuple(map(int, numpy.bincount(places, minlength=BINS)))
