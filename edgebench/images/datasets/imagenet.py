"""An image folder that the user calls ImageNet, so that tables show published accuracies beside the measured ones."""

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
TASKS = ("classification",)
SOURCE = "Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015; given"
NOTE = "the user's images of ImageNet's classes; those set aside for calibration are not in the test set."


def open(place: Path | None) -> Opened:
    """List all images and their classes; nothing is decoded.

    Raises:
        RequestError: the folder is not an image folder, or it does not have ImageNet's 1000 classes.
    """
    dataset = opened(place)
    if dataset.classes != CLASSES:
        raise RequestError(
            f"{place}: wanted ImageNet's {CLASSES} classes, found {dataset.classes}; list all in a classes.txt, or name"
            " the folder as image_folder:path"
        )
    return dataset
