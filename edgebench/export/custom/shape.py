"""Find the meaning of each axis of a model's input from the shape that the file and the user give.

Dimensions are (N, C, S, S) or (N, S, S, C); 0 stands for an open dimension.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.schema.quantization import DIGITS
from edgebench.schema.variant import MAX_CLASSES, MAX_RESOLUTION

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLE = "1x3x224x224"
CHANNELS = (1, 3)
# Types of class scores, as onnxruntime and TFLite name them.
SCORES = ("tensor(float)", "tensor(uint8)", "tensor(int8)", "float32", "uint8", "int8")

Dimensions = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The axes of an image input; `batch` is 1 for a fixed batch of one image, 0 for an open batch."""

    layout: str
    batch: int
    channels: int
    resolution: int


def parse(asked: str) -> tuple[str, Dimensions]:
    """Parse `name:1x3x224x224` into the name and the dimensions; the name is empty if the text has only dimensions.

    Raises:
        RequestError: the text has neither the form `name:1x3x224x224` nor the form `1x3x224x224`.
    """
    name, _, text = asked.rpartition(":")
    if not re.fullmatch(rf"{DIGITS}(x{DIGITS})*", text):
        raise RequestError(f"wanted --input such as {EXAMPLE} or name:{EXAMPLE}, found {asked[:60]!r}")
    return name, tuple(map(int, text.split("x")))


def said(dimensions: Dimensions) -> str:
    """Return dimensions as text, with `?` for an open dimension: `?x3x224x224`."""
    return "x".join(str(size or "?") for size in dimensions)


def image(dimensions: Dimensions) -> Image | None:
    """Return the axes of an input of square images with 1 or 3 channels; None for any other input.

    The batch must be open, or fixed at one image.
    """
    if len(dimensions) != 4:
        return None
    batch, first, middle, last = dimensions
    layout = "NCHW" if first in CHANNELS else "NHWC"
    channels, *sides = (first, middle, last) if layout == "NCHW" else (last, first, middle)
    is_square = sides[0] == sides[1] and 0 < sides[0] <= MAX_RESOLUTION
    if channels not in CHANNELS or not is_square or batch > 1:
        return None
    return Image(layout=layout, batch=batch, channels=channels, resolution=sides[0])


def classes(outputs: Sequence[tuple[str, Dimensions]]) -> int:
    """Return the number of classes, if exactly one output can be class scores; otherwise 0.

    Class scores are one row of values for each image, in floats or in 8-bit integers. The integers need no conversion,
    because they have the same order as the values that they represent.
    """
    rows = [_row(sizes) if kind in SCORES else 0 for kind, sizes in outputs]
    # A single value among several outputs is not a class score.
    counts = [count for count in rows if count > (len(outputs) > 1)]
    alike = sum(prod(sizes[1:]) == max(counts, default=0) for _, sizes in outputs)
    return counts[0] if len(counts) == 1 and alike == 1 and counts[0] <= MAX_CLASSES else 0


def _row(sizes: Dimensions) -> int:
    """Return the number of values that an output has per image; 0 if these values do not form one row.

    `sizes` includes the batch.
    """
    several = [size for size in sizes[1:] if size != 1]
    if len(sizes) < 2 or 0 in several or len(several) > 1 or sizes[0] > 1:
        return 0
    return several[0] if several else 1
