"""A split of a variant's data set, with as many channels as its network takes."""

from edgebench import datasets
from edgebench.images import Images
from edgebench.networks.custom import channels
from edgebench.schema.variant import Variant


def split(variant: Variant, name: str) -> Images:
    """Open a split as the variant's network takes it."""
    return datasets.split(variant, name, channels(variant))
