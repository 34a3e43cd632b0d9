"""MobileNetV2's features with a light detection head: one box per cell of 8x8 pixels, from strides 8, 16 and 32.

There are two outputs, so that each has its own int8 scale in an exported file. `scores`, (N, 1 + classes, R/8, R/8),
has the logit of "there is an object" and a logit for each class. `boxes`, (N, 4, R/8, R/8), has the offset of each
box's centre and the logarithms of the box's sides. R/8 is rounded up. edgebench/tasks/detection defines the values
exactly.
"""

from torch import nn

from edgebench.networks.architectures._detector import Detector
from edgebench.networks.architectures.mobilenet_v2 import MobileNetV2

SOURCE = "Sandler et al., MobileNetV2, arXiv:1801.04381, Table 2; the head is this package's"
NAMES = ("mobilenet_v2_det",)
TASK = "detection"
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
RESOLUTIONS = {"mobilenet_v2_det": (96, 224, 192, 160, 128, 64)}
CHANNELS = 3
CLASSES = 10

ENDS = (7, 14, 19)  # blocks of MobileNetV2 that end at strides 8, 16 and 32


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def stages(width: float) -> tuple[list[nn.Module], list[int]]:
    """Return three modules for the features of strides 8, 16 and 32, and each module's number of output channels."""
    features = MobileNetV2(width, 1).features
    parts: list[nn.Module] = [features[start:end] for start, end in zip((0, *ENDS), ENDS, strict=False)]
    return parts, [output_channels(stage) for stage in parts]


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    return Detector(*stages(width), classes, resolution)


def output_channels(stage: nn.Module) -> int:
    """Return a stage's number of output channels, read from the stage's last batch norm."""
    return [layer.num_features for layer in stage.modules() if isinstance(layer, nn.BatchNorm2d)][-1]
