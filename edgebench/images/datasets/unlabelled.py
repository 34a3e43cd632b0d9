"""A folder of images without labels, for calibrating int8 files and comparing them with the original fp32 files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.errors import CaseError, RequestError
from edgebench.images.datasets.image_folder import (
    AUGMENTATION,
    PREPROCESSING,
    TOOLS,
    Files,
    files,
    fingerprint,
)
from edgebench.images.listing import pictures
from edgebench.images.loader import Opened

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AUGMENTATION", "CLASSES", "NOTE", "PLACE", "PREPROCESSING", "SOURCE", "TOOLS", "open"]

CLASSES = 0
TASKS: tuple[str, ...] = ()
SOURCE = "given"
PLACE = "a folder of images, or a data set such as digits or image_folder:path"
NOTE = (
    "images without labels. An int8 file and its float parent are compared on them; they also calibrate the int8 file,"
    " unless its scheme names other images."
)


def open(place: Path | None) -> Opened:
    """List all images; nothing is decoded.

    Raises:
        RequestError: `place` is not a folder, or contains no images.
    """
    import numpy

    assert place is not None
    if not place.is_dir():
        raise RequestError(f"{place} is not a folder; wanted {PLACE}")
    listing = pictures(place, "")
    if not listing.stamps:
        raise RequestError(f"wanted images in {place}, found none; give {PLACE}")
    found = files(place, "", listing, numpy.zeros(len(listing.stamps), numpy.int64), ())

    def part(name: str) -> Files:
        if name == "train":
            raise CaseError(f"{place.name} has no labels to train on; name an image_folder")
        return found

    return Opened(classes=0, sha256=fingerprint([found]), part=part, files=(found,), notices=found.notices)
