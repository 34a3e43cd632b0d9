"""MobileNetV1's features with a head that computes scores of every pixel, from strides 32, 16, 8 and 4.

The output `map`, (N, 1 + classes, R, R), has scores of the background and of each class. The scores of a pixel are
defined in edgebench/tasks/segmentation. The weights of the features have the same names as in `mobilenet_v1_det`, so
that training can start from that detector's base weights.
"""

from torch import nn

from edgebench.networks.architectures._segmenter import Segmenter
from edgebench.networks.architectures.mobilenet_v1 import STAGES, channels
from edgebench.networks.architectures.mobilenet_v1_det import stages

SOURCE = "Howard et al., MobileNets, arXiv:1704.04861, Table 1; the head is that of Long et al., arXiv:1411.4038"
NAMES = ("mobilenet_v1_seg",)
TASK = "segmentation"
BASE = "mobilenet_v1_det"  # the detector with the same features, whose shipped base weights therefore fit
WIDTHS = (0.25, 0.5, 0.75, 1.0)
RESOLUTIONS = {"mobilenet_v1_seg": (96, 224, 192, 160, 128, 64)}
CHANNELS = 3
CLASSES = 10

QUARTER = 2  # in the first of the three modules, the index of the last layer at stride 4


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    parts, counts = stages(width)
    return Segmenter(parts, QUARTER, [channels(STAGES[QUARTER - 1][0], width), *counts], classes, resolution)
