"""MobileNetV1's features with a fully convolutional head: scores of every pixel, from strides 32, 16, 8 and 4.

One output, `map`, (N, 1 + classes, R, R): the score of the background and those of the classes. edgebench/tasks/
segmentation defines what the values mean. The features have the names of `mobilenet_v1_det`, so that its base fits.
"""

from torch import nn

from edgebench.networks.architectures._segmenter import Segmenter
from edgebench.networks.architectures.mobilenet_v1 import STAGES, channels
from edgebench.networks.architectures.mobilenet_v1_det import stages

SOURCE = "Howard et al., MobileNets, arXiv:1704.04861, Table 1; the head is that of Long et al., arXiv:1411.4038"
NAMES = ("mobilenet_v1_seg",)
TASK = "segmentation"
BASE = "mobilenet_v1_det"  # whose shipped base has the same features
WIDTHS = (0.25, 0.5, 0.75, 1.0)
RESOLUTIONS = {"mobilenet_v1_seg": (96, 224, 192, 160, 128, 64)}
CHANNELS = 3
CLASSES = 10

QUARTER = 2  # of the first stage's layers: MobileNetV1's second stage, at stride 4


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel is left after five strides of 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    parts, counts = stages(width)
    return Segmenter(parts, QUARTER, [channels(STAGES[QUARTER - 1][0], width), *counts], classes, resolution)
