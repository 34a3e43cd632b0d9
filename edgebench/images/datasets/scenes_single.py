"""Composed pictures of 224x224 pixels for localization, each with one real handwritten digit, 32 to 112 pixels high.

Each picture has one class and one box, because networks for localization predict one class and one box. Everything else
is as in the module `scenes`, which also names the sources of the images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.images.datasets import scenes
from edgebench.images.loader import Opened
from edgebench.schema.variant import Preprocessing

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = 10
TASKS = ("localization",)
SOURCE = scenes.SOURCE
PLACE = ""
PREPROCESSING = Preprocessing(name="whole", first="crop", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
AUGMENTATION: tuple[str, ...] = ()  # without augmentation, because no scene is seen twice
TOOLS = ("scikit-learn", "pillow", "numpy")
NOTE = (
    "500 test scenes of 224x224 pixels, each composed of one real handwritten digit, 32 to 112 pixels high, on a crop"
    " of a real photo. A metric on them compares networks with each other, not with published ones."
)

SINGLE = scenes.Kind(most=1, sizes=(32.0, 112.0))
TRAIN = 60_000  # number of training scenes: five times as many as in the data set `scenes`


def open(place: Path | None) -> Opened:
    """Open the data set; each scene is drawn when it is read."""
    return Opened(classes=CLASSES, sha256="", part=part)


def part(split: str) -> scenes.Scenes:
    """Return the scenes of a split.

    Raises:
        CaseError: there is no such split.
    """
    return scenes.part(split, TRAIN if split == "train" else 0, SINGLE)
