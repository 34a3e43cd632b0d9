"""MobileNetV2 with a second dense head of four numbers: the class of the one object in an image, and its box.

Two outputs, so that each has its own int8 scale in a file: logits, (N, classes); box, (N, 4), left, top, right and
bottom as fractions of the image's sides. The features have the names of `mobilenet_v2_det`, so that its base fits.
"""

from torch import nn

from edgebench.networks.architectures._localizer import Localizer
from edgebench.networks.architectures.mobilenet_v2_det import stages

SOURCE = "Sandler et al., MobileNetV2, arXiv:1801.04381, Table 2; the second head is this package's"
NAMES = ("mobilenet_v2_loc",)
TASK = "localization"
BASE = "mobilenet_v2_det"  # whose shipped base has the same features
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
RESOLUTIONS = {"mobilenet_v2_loc": (96, 224, 192, 160, 128, 64)}
CHANNELS = 3
CLASSES = 10


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel is left after five strides of 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    parts, counts = stages(width)
    return Localizer(parts, counts[-1], classes)
