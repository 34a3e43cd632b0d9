"""A split of a variant's data set, and what calibrates it, with as many channels as its network takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.export import write
from edgebench.images import splits
from edgebench.images.loader import Images
from edgebench.networks.custom import channels
from edgebench.schema.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy import float32
    from numpy.typing import NDArray


def split(variant: Variant, name: str) -> Images:
    """Open a split as the variant's network takes it."""
    return splits.split(variant, name, channels(variant))


def calibration_images(variant: Variant) -> Iterator[NDArray[float32]]:
    """Yield the images that an int8 variant is calibrated on."""
    return write.calibration(variant, channels(variant))()
