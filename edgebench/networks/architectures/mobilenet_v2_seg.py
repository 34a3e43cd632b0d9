"""MobileNetV2's features with a head that computes scores of every pixel, from strides 32, 16, 8 and 4.

The output `map`, (N, 1 + classes, R, R), has scores of the background and of each class. The scores of a pixel are
defined in edgebench/tasks/segmentation. The weights of the features have the same names as in `mobilenet_v2_det`, so
that training can start from that detector's base weights.
"""

from torch import nn

from edgebench.networks.architectures._segmenter import Segmenter
from edgebench.networks.architectures.mobilenet_v2_det import output_channels, stages

SOURCE = "Sandler et al., MobileNetV2, arXiv:1801.04381, Table 2; the head is that of Long et al., arXiv:1411.4038"
NAMES = ("mobilenet_v2_seg",)
TASK = "segmentation"
BASE = "mobilenet_v2_det"  # the detector with the same features, whose shipped base weights therefore fit
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
RESOLUTIONS = {"mobilenet_v2_seg": (96, 224, 192, 160, 128, 64)}
CHANNELS = 3
CLASSES = 10

QUARTER = 3  # in the first of the three modules, the index of the last layer at stride 4


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    parts, counts = stages(width)
    quarter = output_channels(parts[0][QUARTER])  # type: ignore[index]
    return Segmenter(parts, QUARTER, [quarter, *counts], classes, resolution)
