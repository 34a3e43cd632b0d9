"""A split of a variant's data set, with as many channels as its network takes."""

from edgebench.images import splits
from edgebench.images.loader import Images
from edgebench.networks.custom import channels
from edgebench.schema.variant import Variant


def split(variant: Variant, name: str) -> Images:
    """Open a split as the variant's network takes it."""
    return splits.split(variant, name, channels(variant))
