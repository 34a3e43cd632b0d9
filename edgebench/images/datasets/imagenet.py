"""An image_folder that somebody says is ImageNet: what was published for ImageNet stands beside its accuracies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.images.datasets.image_folder import AUGMENTATION, PREPROCESSING, TOOLS
from edgebench.images.datasets.image_folder import open as opened
from edgebench.images.labels import PLACE

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.images.loader import Opened

__all__ = ["AUGMENTATION", "CLASSES", "NOTE", "PLACE", "PREPROCESSING", "SOURCE", "TOOLS", "open"]

CLASSES = 1000
SOURCE = "Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015; given"
NOTE = "images of ImageNet's classes that were given; those set aside for calibration are no part of the test."


def open(place: Path | None) -> Opened:
    """Find every image and its class, of a thousand; nothing is decoded.

    Raises:
        RequestError: this is no such folder, or its classes are not as many as ImageNet's.
    """
    found = opened(place)
    if found.classes != CLASSES:
        raise RequestError(
            f"{place}: wanted ImageNet's {CLASSES} classes, found {found.classes}; name all in a classes.txt, or the"
            " folder as image_folder:path"
        )
    return found
