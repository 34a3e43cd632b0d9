"""SSD on MobileNetV1 with 1x1 heads, as in TensorFlow's object detection API and MLPerf (arXiv:1704.04861, Table 13).

The module `_ssd` describes the two outputs. Column 0 of the scores is the background, which `classes` does not count;
the published network has 90 classes. There is no public checkpoint of these heads for torch; the names in the state
dict are the same as in torchvision's SSD.
"""

from functools import partial

from torch import nn

from edgebench.networks.architectures._ssd import EXTRAS, SSD, STRIDE, Backbone, sides, unit
from edgebench.networks.architectures.mobilenet_v1 import STAGES, MobileNetV1

SOURCE = "Howard et al., MobileNets, arXiv:1704.04861, Table 13; tensorflow/models ssd_mobilenet_v1_coco.config"
NAMES = ("ssd_mobilenet_v1",)
TASK = "detection"
DECODER = "ssd_tensorflow+score=0.001+iou=0.6"
WIDTHS = (1.0,)
RESOLUTIONS = {"ssd_mobilenet_v1": (300,)}
CHANNELS = 3
CLASSES = 90

BOXES = (3, 6, 6, 6, 6, 6)  # number of boxes per cell of each feature map


def extra(inputs: int, outputs: int) -> nn.Sequential:
    """Return layers that halve a feature map: a 1x1 convolution, then a 3x3 convolution of stride 2."""
    return nn.Sequential(unit(inputs, outputs // 2, 1), unit(outputs // 2, outputs, 3, 2))


def backbone() -> Backbone:
    """Return MobileNetV1's features at strides 16 and 32, and four further maps."""
    whole = MobileNetV1(1.0, 1)
    first = nn.Sequential(whole.conv_stem, whole.bn1, whole.act, *[*whole.blocks][:-1])
    counts = STAGES[-2][0], STAGES[-1][0], *EXTRAS
    extras = [extra(*pair) for pair in zip(counts[1:-1], EXTRAS, strict=True)]
    return Backbone((first, whole.blocks[-1]), extras, counts)


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    predictor = partial(nn.Conv2d, kernel_size=1)
    return SSD(backbone(), predictor, BOXES, sides(-(-resolution // STRIDE), len(BOXES)), classes)
