"""Probabilities of classes -> how far a classifier's confidence is from the share that it has right.

Guo et al., On Calibration of Modern Neural Networks (ICML 2017): expected calibration error over 15 bins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.schema.metric import BINS, Reliability

if TYPE_CHECKING:
    from numpy import bool_, float32, float64, int64
    from numpy.typing import NDArray

RESAMPLES, SEED = 1000, 0  # of the bootstrap over images
SUMS_TO_ONE = 0.1  # how far rows of probabilities may be from a sum of 1, on average: those of int8 are rounded


def confidences(outputs: NDArray[float32]) -> NDArray[float64]:
    """Return the probability of each image's class, (N,), from logits or probabilities (N, classes)."""
    import numpy

    rows = outputs.astype("f8")
    if rows.min() >= 0 and abs(rows.sum(1) - 1).mean() < SUMS_TO_ONE:
        largest: NDArray[float64] = numpy.minimum(rows.max(1), 1.0)
        return largest
    likeliest: NDArray[float64] = 1 / numpy.exp(rows - rows.max(1, keepdims=True)).sum(1)
    return likeliest


def reliability(confidences: NDArray[float64], is_correct: NDArray[bool_]) -> Reliability:
    """Sort images into bins of confidence, and bootstrap the calibration error over them.

    An error of absolute values is too large on average, and a resample's is larger still. So the upper end is the basic
    bootstrap's (Davison and Hinkley 1997, 5.2), and the lower end lies as far below the error as the bins' noise can
    account for: their absolute deviations from these bins, added up.
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
    """Return each bin's part of the signed error, (BINS,): confidence less right answers, over all images."""
    import numpy

    return numpy.bincount(places, gaps, BINS) / len(gaps)


def _counts(places: NDArray[int64]) -> tuple[int, ...]:
    import numpy

    return tuple(map(int, numpy.bincount(places, minlength=BINS)))
