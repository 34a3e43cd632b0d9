"""A single dense layer on the image's pixels, as a baseline: 614,450 parameters for 64x64 pixels and 50 classes.

The names in the state dict are this package's own.
"""

from collections import OrderedDict

from torch import nn

SOURCE = "none: 64 x 64 x 3 inputs, 50 outputs"
NAMES = ("mlp",)
RESOLUTIONS = {"mlp": (64,)}
CHANNELS = 3
CLASSES = 50
WIDTHS = (1.0,)


def accepts(name: str, resolution: int) -> bool:
    """Return whether the resolution is positive; every such resolution is possible."""
    return resolution > 0


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any resolution; its only width is 1."""
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), dense=nn.Linear(CHANNELS * resolution**2, classes)))
