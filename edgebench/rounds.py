"""One value a process, seconds -> what pytest-benchmark's JSON says of rounds.

Pure; the quartiles and outliers are pytest-benchmark's own.
"""

from collections.abc import Sequence
from statistics import mean, median, stdev
from typing import Any


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Summarise one value a process, seconds, as pytest-benchmark does its rounds."""
    ordered = sorted(values)
    q1, q3 = _quartiles(ordered)
    spread = stdev(ordered) if len(ordered) > 1 else 0.0
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    within = [value for value in ordered if low <= value <= high]
    outside, middle = len(ordered) - len(within), mean(ordered)
    far = sum(not middle - spread <= value <= middle + spread for value in ordered)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": middle,
        "stddev": spread,
        "rounds": len(ordered),
        "median": median(ordered),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": outside,
        "stddev_outliers": far,
        "outliers": f"{far};{outside}",
        "ld15iqr": within[0],
        "hd15iqr": within[-1],
        "ops": 1 / middle if middle else 0.0,
        "total": sum(ordered),
        "data": list(values),
        "iterations": 1,
    }


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the lower and the upper half, each averaged over having the middle value and not."""
    half, odd = divmod(len(ordered), 2)
    lower, upper = ordered[:half] or ordered, ordered[half + odd :] or ordered
    return (median(lower) + median(ordered[: half + odd])) / 2, (median(upper) + median(ordered[half:])) / 2
