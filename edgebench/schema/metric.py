"""Figures of merit of a task, and how sure a classifier was of its answers."""

from dataclasses import dataclass
from typing import ClassVar

from edgebench.schema import STRICT

BINS = 15  # of a classifier's confidence (Guo et al. 2017)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure of merit of a task, a share: its name, its value and its 95 % interval, None if it has none."""

    __pydantic_config__: ClassVar = STRICT

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How sure a classifier was of its answers, in bins of equal width of the probability of the class that it gave.

    Attributes:
        images, correct: of each bin, the least sure first.
        confidence: sum of these probabilities over a bin's images.
        low, high: 95 % interval of `error`, by a bootstrap over images.
    """

    __pydantic_config__: ClassVar = STRICT

    images: tuple[int, ...]
    correct: tuple[int, ...]
    confidence: tuple[float, ...]
    low: float
    high: float

    @property
    def error(self) -> float:
        """The expected calibration error, a share: how far confidence and the share of right answers are apart."""
        gaps = (abs(right - sure) for right, sure in zip(self.correct, self.confidence, strict=True))
        return sum(gaps) / sum(self.images)
