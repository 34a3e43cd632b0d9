"""The handwritten digits bundled with scikit-learn: 1,797 real images of 8x8 pixels, ten classes.

A higher resolution enlarges the same 64 pixels: it adds cost, not information.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float32, int64
    from numpy.typing import NDArray

CLASSES = 10
SOURCE = "Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998, as bundled with scikit-learn"
PREPROCESSING = "8x8 grey, bilinear to RxR, three equal channels in [-1, 1]"
TOOLS = ("scikit-learn", "pillow", "numpy")
NOTE = (
    "600 test images of handwritten digits. They have 8x8 pixels: a higher resolution adds cost, not information,"
    " so accuracies of different resolutions say nothing about the choice between them."
)

SEED = 0
PARTS = {"test": (0, 600), "calibration": (600, 700), "train": (700, 1797)}  # of one seeded permutation
WHITE = 16.0  # the brightest pixel


def load(split: str, resolution: int) -> tuple[NDArray[float32], NDArray[int64]]:
    """Return one split's images, (N, 3, R, R) in [-1, 1], and labels, (N,)."""
    import numpy

    pixels, labels = _split(split)
    images = numpy.stack([_enlarge(image, resolution) for image in pixels]) / (WHITE / 2) - 1
    return numpy.repeat(images[:, None].astype(numpy.float32), 3, axis=1), labels


@cache
def _split(name: str) -> tuple[NDArray[float32], NDArray[int64]]:
    import numpy
    from sklearn.datasets import load_digits

    bunch = load_digits()
    first, end = PARTS[name]
    order = numpy.random.default_rng(SEED).permutation(len(bunch.target))[first:end]
    return bunch.images[order].astype(numpy.float32), bunch.target[order].astype(numpy.int64)


def _enlarge(image: NDArray[float32], resolution: int) -> NDArray[float32]:
    import numpy
    from PIL import Image

    return numpy.asarray(Image.fromarray(image).resize((resolution, resolution), Image.Resampling.BILINEAR))
