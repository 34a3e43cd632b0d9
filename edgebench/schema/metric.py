"""Metrics of a task, such as accuracy, and how confident a classifier was in its predictions."""

from dataclasses import dataclass
from typing import ClassVar

from edgebench.schema import STRICT

BINS = 15  # number of bins into which predictions are grouped by confidence (Guo et al. 2017)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric of a task, as a share: its name, its value and its 95 % interval.

    Attributes:
        low, high: bounds of the interval; None if there is no interval.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How confident a classifier was in its predictions, for test images grouped into bins by confidence.

    The confidence of a prediction is the probability that the network gave to the predicted class. All bins are equally
    wide.

    Attributes:
        images: number of images in each bin; the bin with the lowest confidence comes first.
        correct: number of correctly classified images in each bin.
        confidence: for each bin, the sum of its images' confidences.
        low, high: 95 % interval of the expected calibration error `error`, by a bootstrap over images.
    """

    __pydantic_config__: ClassVar = STRICT

    images: tuple[int, ...]
    correct: tuple[int, ...]
    confidence: tuple[float, ...]
    low: float
    high: float

    @property
    def error(self) -> float:
        """The expected calibration error: the average difference between confidence and share of right predictions."""
        gaps = (abs(right - sure) for right, sure in zip(self.correct, self.confidence, strict=True))
        return sum(gaps) / sum(self.images)
