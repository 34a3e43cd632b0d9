"""The handwritten digits bundled with scikit-learn: 1,797 real images of 8x8 pixels, ten classes.

A higher resolution enlarges the same 64 pixels: it adds cost but no information.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from edgebench.images.loader import Labelled, Opened
from edgebench.schema.variant import Preprocessing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy import float32, int64
    from numpy.typing import NDArray
    from PIL.Image import Image

CLASSES = 10
TASKS = ("classification",)
SOURCE = "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998, as bundled with scikit-learn"
PLACE = ""
PREPROCESSING = Preprocessing(name="whole", first="crop", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
AUGMENTATION: tuple[str, ...] = ()  # a mirrored digit is not the same digit
TOOLS = ("scikit-learn", "pillow", "numpy")
NOTE = (
    "600 test images of handwritten digits. They have 8x8 pixels: a higher resolution adds cost, not information,"
    " so accuracies of different resolutions say nothing about the choice between them."
)

SEED = 0
# Each split is a range of the same permutation of all images; the permutation has a fixed seed.
PARTS = {"test": (0, 600), "calibration": (600, 700), "train": (700, 1797)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits(Labelled):
    """Grey pictures of 8x8 pixels."""

    pixels: NDArray[float32]
    labels: NDArray[int64]
    white: float = 16.0
    depth: str = "float32"
    digests: tuple[str, ...] = ()

    def name(self, index: int) -> str:
        """Return the picture's number as its name."""
        return str(index)

    def picture(self, index: int) -> Image:
        """Return the picture in grey, as floats."""
        from PIL.Image import fromarray

        return fromarray(self.pixels[index])


def open(place: Path | None) -> Opened:
    """Open the bundled digits."""
    return Opened(classes=CLASSES, sha256="", part=_part)


@cache
def _part(name: str) -> Digits:
    import numpy
    from sklearn.datasets import load_digits

    bunch = load_digits()
    first, end = PARTS[name]
    order = numpy.random.default_rng(SEED).permutation(len(bunch.target))[first:end]
    return Digits(pixels=bunch.images[order].astype(numpy.float32), labels=bunch.target[order].astype(numpy.int64))
