"""One dense layer on the image's pixels: what every other network must beat, 614,450 values for 64x64 and 50 classes.

Names of the state dict are its own.
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
    """Tell whether there is a pixel; the layer has as many inputs as it needs."""
    return resolution > 0


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build it for any resolution; every width is the same."""
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), dense=nn.Linear(CHANNELS * resolution**2, classes)))
