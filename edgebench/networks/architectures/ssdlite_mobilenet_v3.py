"""SSDLite on MobileNetV3-Large with a reduced tail, as in torchvision (Howard et al., arXiv:1905.02244, section 6.3).

The module `_ssd` describes the two outputs. Column 0 of the scores is the background, which `classes` does not count;
the published network has 90 classes. The names in the state dict are torchvision's.
"""

from torch import nn

from edgebench.networks.architectures._ssd import EXTRAS, SSD, STRIDE, Backbone, cut, extra, predictor, sides
from edgebench.networks.architectures.mobilenet_v3 import BLOCKS, TAIL, features, reduced

SOURCE = "Howard et al., Searching for MobileNetV3, arXiv:1905.02244, section 6.3; torchvision's detection/ssdlite.py"
NAMES = ("ssdlite320_mobilenet_v3_large",)
TASK = "detection"
DECODER = "ssdlite320+score=0.001+iou=0.55"
WIDTHS = (1.0,)
RESOLUTIONS = {"ssdlite320_mobilenet_v3_large": (320,)}
CHANNELS = 3
CLASSES = 90

BOXES = (6, 6, 6, 6, 6, 6)  # number of boxes per cell of each feature map


def backbone() -> Backbone:
    """Return the last expansion at stride 16, the last features at stride 32, and four further maps."""
    blocks = reduced(BLOCKS["mobilenet_v3_large"])
    chain, place = features(blocks), len(blocks) - TAIL + 1
    counts = blocks[-TAIL].hidden, 6 * blocks[-1].outputs, *EXTRAS
    extras = [extra(*pair) for pair in zip(counts[1:-1], EXTRAS, strict=True)]
    return Backbone(cut(chain, place, chain[place].block), extras, counts)  # type: ignore[arg-type]


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    return SSD(backbone(), predictor, BOXES, sides(-(-resolution // STRIDE), len(BOXES)), classes)
