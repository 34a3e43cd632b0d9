"""ZFNet: AlexNet with a finer first layer (Zeiler and Fergus, arXiv:1311.2901, Fig. 3).

Names of the state dict are numbered as torchvision's AlexNet.
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

POOL = partial(nn.MaxPool2d, 3, 2, ceil_mode=True)  # 110 to 55, 26 to 13, 13 to 6
LAYERS: tuple[Layer, ...] = (  # maps, kernel, stride, padding, groups; what follows the ReLU
    (96, 7, 2, 1, 1, POOL, NORM),
    (256, 5, 2, 0, 1, POOL, NORM),
    (384, 3, 1, 1, 1),
    (384, 3, 1, 1, 1),
    (256, 3, 1, 1, 1, POOL),
)
MARGIN = 15  # pixels that unpadded windows leave out


def accepts(name: str, resolution: int) -> bool:
    """Tell whether the last maps are 6x6 or a multiple."""
    return last_side(resolution, MARGIN) in SIDES


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build it for a resolution it accepts; every width is the same."""
    return AlexNet(LAYERS, last_side(resolution, MARGIN), classes)
