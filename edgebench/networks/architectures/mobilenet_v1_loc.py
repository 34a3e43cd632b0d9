"""MobileNetV1 with a second dense head of four numbers: the class of the one object in an image, and its box.

Two outputs, so that each has its own int8 scale in a file: logits, (N, classes); box, (N, 4), left, top, right and
bottom as fractions of the image's sides. The features have the names of `mobilenet_v1_det`, so that its base fits.
"""

from torch import nn

from edgebench.networks.architectures._localizer import Localizer
from edgebench.networks.architectures.mobilenet_v1_det import stages

SOURCE = "Howard et al., MobileNets, arXiv:1704.04861, Table 1; the second head is this package's"
NAMES = ("mobilenet_v1_loc",)
TASK = "localization"
BASE = "mobilenet_v1_det"  # whose shipped base has the same features
WIDTHS = (0.25, 0.5, 0.75, 1.0)
RESOLUTIONS = {"mobilenet_v1_loc": (96, 224, 192, 160, 128, 64)}
CHANNELS = 3
CLASSES = 10


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel is left after five strides of 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    parts, counts = stages(width)
    return Localizer(parts, counts[-1], classes)
