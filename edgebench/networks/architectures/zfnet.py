"""ZFNet: AlexNet with a smaller kernel and stride in its first layer (Zeiler and Fergus, arXiv:1311.2901, Fig. 3).

The names in the state dict are numbered as in torchvision's AlexNet.
"""

from functools import partial

from torch import nn

from edgebench.networks.architectures.alexnet import NORM, SIDES, AlexNet, Layer, last_side

SOURCE = "Zeiler and Fergus, arXiv:1311.2901, Fig. 3"
NAMES = ("zfnet",)
RESOLUTIONS = {"zfnet": (224,)}
CHANNELS = 3
CLASSES = 1000
WIDTHS = (1.0,)

POOL = partial(nn.MaxPool2d, 3, 2, ceil_mode=True)  # reduces the side of maps: 110 to 55, 26 to 13, 13 to 6 pixels
LAYERS: tuple[Layer, ...] = (  # by convolution: output maps, kernel, stride, padding, groups; layers after the ReLU
    (96, 7, 2, 1, 1, POOL, NORM),
    (256, 5, 2, 0, 1, POOL, NORM),
    (384, 3, 1, 1, 1),
    (384, 3, 1, 1, 1),
    (256, 3, 1, 1, 1, POOL),
)
MARGIN = 15  # number of border pixels lost without padding


def accepts(name: str, resolution: int) -> bool:
    """Return whether the side of the last maps is 6 or a multiple of 6."""
    return last_side(resolution, MARGIN) in SIDES


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for a resolution that `accepts` allows; its only width is 1."""
    return AlexNet(LAYERS, last_side(resolution, MARGIN), classes)
