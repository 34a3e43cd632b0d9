"""SSDLite on MobileNetV2 (Sandler et al., arXiv:1801.04381, section 6.2), as in TensorFlow's object detection API.

The module `_ssd` describes the two outputs. Column 0 of the scores is the background, which `classes` does not count;
the paper's network has 80 classes. There is no public checkpoint of these heads for torch; the names in the state dict
are the same as in torchvision's SSDLite.
"""

from torch import nn

from edgebench.networks.architectures._ssd import EXTRAS, SSD, STRIDE, Backbone, cut, extra, predictor, sides
from edgebench.networks.architectures.mobilenet_v2 import LAST, MobileNetV2

SOURCE = (
    "Sandler et al., MobileNetV2, arXiv:1801.04381, section 6.2; tensorflow/models ssdlite_mobilenet_v2_coco.config"
)
NAMES = ("ssdlite_mobilenet_v2",)
TASK = "detection"
DECODER = "ssd_tensorflow+score=0.001+iou=0.6"
WIDTHS = (1.0,)
RESOLUTIONS = {"ssdlite_mobilenet_v2": (320, 300)}
CHANNELS = 3
CLASSES = 80

BOXES = (3, 6, 6, 6, 6, 6)  # number of boxes per cell of each feature map
PLACE, EXPANDED = 14, 576  # the first feature map is the expansion in block PLACE; this map has EXPANDED channels


def backbone() -> Backbone:
    """Return the last expansion at stride 16, the last features at stride 32, and four further maps."""
    chain = MobileNetV2(1.0, 1).features
    counts = EXPANDED, LAST, *EXTRAS
    extras = [extra(*pair) for pair in zip(counts[1:-1], EXTRAS, strict=True)]
    return Backbone(cut(chain, PLACE, chain[PLACE].conv), extras, counts)  # type: ignore[arg-type]


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    return SSD(backbone(), predictor, BOXES, sides(-(-resolution // STRIDE), len(BOXES)), classes)
