"""MobileNetV1's features with a light head for detection: one box per cell at stride 8, context from strides 16 and 32.

Two outputs, so that each has its own int8 scale in a file: scores, (N, 1 + classes, R/8, R/8), the logit of "there is
an object" and those of its class; boxes, (N, 4, R/8, R/8), offset of the centre and logarithms of the sides. Sides of
the grid round up. edgebench/tasks/detection defines what the values mean.
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

LAST_STAGES = (2, 3, 4)  # of MobileNetV1, at strides 8, 16 and 32


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel is left after five strides of 2."""
    return resolution >= 32


def stages(width: float) -> tuple[tuple[nn.Module, ...], list[int]]:
    """Return MobileNetV1's features up to strides 8, 16 and 32, each from the previous, and their output channels."""
    whole = MobileNetV1(width, 1)
    stem = nn.Sequential(whole.conv_stem, whole.bn1, whole.act)
    first, second, third, fourth, fifth = whole.blocks
    counts = [channels(STAGES[stage][0], width) for stage in LAST_STAGES]
    return (nn.Sequential(stem, first, second, third), fourth, fifth), counts


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    return Detector(*stages(width), classes, resolution)
