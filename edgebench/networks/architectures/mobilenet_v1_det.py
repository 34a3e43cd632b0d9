"""MobileNetV1's features with a light detection head: one box per cell of 8x8 pixels, from strides 8, 16 and 32.

There are two outputs, so that each has its own int8 scale in an exported file. `scores`, (N, 1 + classes, R/8, R/8),
has the logit of "there is an object" and a logit for each class. `boxes`, (N, 4, R/8, R/8), has the offset of each
box's centre and the logarithms of the box's sides. R/8 is rounded up. edgebench/tasks/detection defines the values
exactly.
"""

from torch import nn

from edgebench.networks.architectures._detector import Detector
from edgebench.networks.architectures.mobilenet_v1 import STAGES, MobileNetV1, channels

SOURCE = "Howard et al., MobileNets, arXiv:1704.04861, Table 1; the head is this package's"
NAMES = ("mobilenet_v1_det",)
TASK = "detection"
WIDTHS = (0.25, 0.5, 0.75, 1.0)
RESOLUTIONS = {"mobilenet_v1_det": (96, 224, 192, 160, 128, 64)}
CHANNELS = 3
CLASSES = 10

LAST_STAGES = (2, 3, 4)  # stages of MobileNetV1 that end at strides 8, 16 and 32


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def stages(width: float) -> tuple[tuple[nn.Module, ...], list[int]]:
    """Return three modules for the features of strides 8, 16 and 32, and each module's number of output channels."""
    whole = MobileNetV1(width, 1)
    stem = nn.Sequential(whole.conv_stem, whole.bn1, whole.act)
    first, second, third, fourth, fifth = whole.blocks
    counts = [channels(STAGES[stage][0], width) for stage in LAST_STAGES]
    return (nn.Sequential(stem, first, second, third), fourth, fifth), counts


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    return Detector(*stages(width), classes, resolution)
