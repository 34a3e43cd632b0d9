"""MobileNetV2's features with a fully convolutional head: scores of every pixel, from strides 32, 16, 8 and 4.

One output, `map`, (N, 1 + classes, R, R): the score of the background and those of the classes. edgebench/tasks/
segmentation defines what the values mean. The features have the names of `mobilenet_v2_det`, so that its base fits.
"""

from torch import nn

from edgebench.networks.architectures._segmenter import Segmenter
from edgebench.networks.architectures.mobilenet_v2_det import output_channels, stages

SOURCE = "Sandler et al., MobileNetV2, arXiv:1801.04381, Table 2; the head is that of Long et al., arXiv:1411.4038"
NAMES = ("mobilenet_v2_seg",)
TASK = "segmentation"
BASE = "mobilenet_v2_det"  # whose shipped base has the same features
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
RESOLUTIONS = {"mobilenet_v2_seg": (96, 224, 192, 160, 128, 64)}
CHANNELS = 3
CLASSES = 10

QUARTER = 3  # of the first stage's layers: the last inverted residual at stride 4


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel is left after five strides of 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    parts, counts = stages(width)
    quarter = output_channels(parts[0][QUARTER])  # type: ignore[index]
    return Segmenter(parts, QUARTER, [quarter, *counts], classes, resolution)
