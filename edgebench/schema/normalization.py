"""Decoded pixels -> a network's input values; host and target compute exactly the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalization:
    """Normalization of pixels: `(pixel / divisor - mean) / deviation`, with a mean and a deviation for each channel.

    Attributes:
        grey: whether the normalized channels are averaged into a single channel.
    """

    divisor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    grey: bool = False

    def apply(self, pixels: NDArray[Any], values: NDArray[float32] | None = None) -> NDArray[float32]:
        """Normalize pixels, (N, 3, R, R), to float32 inputs, (N, C, R, R).

        The normalized channels are written to the buffer `values`, (N, 3, R, R), or to a new buffer if it is missing.
        If `grey` is true, the channels are averaged afterwards.
        """
        import numpy

        values = numpy.empty(pixels.shape, numpy.float32) if values is None else values
        mean, deviation = (numpy.array(row, numpy.float32)[:, None, None] for row in (self.mean, self.deviation))
        for index, image in enumerate(values):  # image by image, so that the data stays in the processor's cache
            numpy.divide(pixels[index], self.divisor, out=image, dtype=numpy.float32)
            numpy.subtract(image, mean, out=image)
            numpy.divide(image, deviation, out=image)
        return values.mean(1, keepdims=True) if self.grey else values
