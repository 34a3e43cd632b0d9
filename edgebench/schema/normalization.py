"""Pixels as they were decoded -> the values that a network takes, the same to the last bit wherever it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalization:
    """What every pixel is divided by, then a channel's mean, taken off, and its deviation, divided by.

    Attributes:
        grey: the mean of the channels is all that the network takes.
    """

    divisor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    grey: bool = False

    def apply(self, pixels: NDArray[Any], values: NDArray[float32] | None = None) -> NDArray[float32]:
        """Return pixels, (N, 3, R, R), as the network takes them, (N, C, R, R), written over `values` if given."""
        import numpy

        values = numpy.empty(pixels.shape, numpy.float32) if values is None else values
        mean, deviation = (numpy.array(one, numpy.float32)[:, None, None] for one in (self.mean, self.deviation))
        for place, image in enumerate(values):  # one at a time stays in the processor's own cache
            numpy.divide(pixels[place], self.divisor, out=image, dtype=numpy.float32)
            numpy.subtract(image, mean, out=image)
            numpy.divide(image, deviation, out=image)
        return values.mean(1, keepdims=True) if self.grey else values
