"""MobileNetV1 with two dense heads, which predict the class and the box of the only object in an image.

There are two outputs, so that each has its own int8 scale in an exported file: the logits, of shape (N, classes), and
the box, of shape (N, 4). The box is left, top, right and bottom as fractions of the image's sides. The weights of the
features have the same names as in `mobilenet_v1_det`, so that training can start from that detector's base weights.
"""

from torch import nn

from edgebench.networks.architectures._localizer import Localizer
from edgebench.networks.architectures.mobilenet_v1_det import stages

SOURCE = "Howard et al., MobileNets, arXiv:1704.04861, Table 1; the second head is this package's"
NAMES = ("mobilenet_v1_loc",)
TASK = "localization"
BASE = "mobilenet_v1_det"  # the detector with the same features, whose shipped base weights therefore fit
WIDTHS = (0.25, 0.5, 0.75, 1.0)
RESOLUTIONS = {"mobilenet_v1_loc": (96, 224, 192, 160, 128, 64)}
CHANNELS = 3
CLASSES = 10


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    parts, counts = stages(width)
    return Localizer(parts, counts[-1], classes)
