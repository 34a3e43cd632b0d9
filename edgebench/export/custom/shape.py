"""What a file and a person say of a model's input -> its axes.

Dimensions are (N, C, S, S) or (N, S, S, C), 0 where the file leaves one open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgebench.foundation.errors import RequestError
from edgebench.schema.quantization import DIGITS
from edgebench.schema.variant import MAX_RESOLUTION

EXAMPLE = "1x3x224x224"
CHANNELS = (1, 3)

Dimensions = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The axes of an image input; `batch` is 1 where only one image fits, 0 where any number does."""

    layout: str
    batch: int
    channels: int
    resolution: int


def parse(asked: str) -> tuple[str, Dimensions]:
    """Read `name:1x3x224x224`, or the dimensions alone.

    Raises:
        RequestError: it is something else.
    """
    name, _, text = asked.rpartition(":")
    if not re.fullmatch(rf"{DIGITS}(x{DIGITS})*", text):
        raise RequestError(f"wanted --input such as {EXAMPLE} or name:{EXAMPLE}, found {asked[:60]!r}")
    return name, tuple(map(int, text.split("x")))


def said(dimensions: Dimensions) -> str:
    """Write dimensions as a person would: `?x3x224x224`."""
    return "x".join(str(size or "?") for size in dimensions)


def fit(model: str, name: str, found: Dimensions, asked: str) -> Dimensions:
    """Complete what the file says by what a person says.

    Raises:
        RequestError: they contradict each other, or neither says how large an image is.
    """
    if len(found) != 4:
        raise RequestError(
            f"{model}: wanted images with a batch axis, ?x3x224x224 or ?x224x224x3, found input {name} of {said(found)}"
        )
    if asked:
        found = _agreed(model, name, found, asked)
    if 0 in found[1:]:
        raise RequestError(f"{model}: input {name} is {said(found)}; say its size: --input {name}:{EXAMPLE}")
    return found


def _agreed(model: str, name: str, found: Dimensions, asked: str) -> Dimensions:
    called, wanted = parse(asked)
    fits = len(wanted) == len(found) and all(mine in (0, theirs) for mine, theirs in zip(found, wanted, strict=True))
    if called not in ("", name) or not fits:
        raise RequestError(f"{model}: wanted --input {asked}, found input {name} of {said(found)}; correct one of them")
    if wanted[0] != 1:
        raise RequestError(f"{model}: wanted an --input of one image, found {asked}; --batch says how many")
    return (found[0], *wanted[1:])


def image(model: str, dimensions: Dimensions) -> Image:
    """Tell what each axis of the input is.

    Raises:
        RequestError: it is no square image of 1 or 3 channels, or of a fixed number of several.
    """
    batch, first, middle, last = dimensions
    layout = "NCHW" if first in CHANNELS else "NHWC"
    channels, *sides = (first, middle, last) if layout == "NCHW" else (last, first, middle)
    if channels not in CHANNELS or sides[0] != sides[1] or not 0 < sides[0] <= MAX_RESOLUTION:
        raise RequestError(
            f"{model}: wanted square images of 1 or 3 channels and at most {MAX_RESOLUTION} pixels a side,"
            f" found {said(dimensions)}"
        )
    if batch > 1:
        raise RequestError(f"{model}: wanted a batch axis that is open or 1, found {batch}; export it so")
    return Image(layout=layout, batch=batch, channels=channels, resolution=sides[0])


def classes(model: str, outputs: Dimensions) -> int:
    """Count the classes of an output, its batch axis included.

    Raises:
        RequestError: it is no row of scores an image.
    """
    several = [size for size in outputs[1:] if size != 1]
    if len(outputs) < 2 or 0 in several or len(several) > 1:
        raise RequestError(f"{model}: wanted one output of class scores, ?x1000, found {said(outputs)}")
    return several[0] if several else 1
