"""All-CNN-C: convolutions alone, with strides in place of pooling (Springenberg et al., arXiv:1412.6806, Table 2).

Names of the state dict are its own: `features`, numbered.
"""

from collections import OrderedDict

from torch import nn

SOURCE = "Springenberg et al., Striving for Simplicity, arXiv:1412.6806, Table 2: All-CNN-C"
NAMES = ("all_cnn",)
RESOLUTIONS = {"all_cnn": (32,)}
CHANNELS = 3
CLASSES = 10
WIDTHS = (1.0,)

LAYERS = (  # maps, kernel, stride, padding; another, one map a class, follows
    (96, 3, 1, 1),
    (96, 3, 1, 1),
    (96, 3, 2, 1),
    (192, 3, 1, 1),
    (192, 3, 1, 1),
    (192, 3, 2, 1),
    (192, 3, 1, 0),  # unpadded: the paper averages over 6x6
    (192, 1, 1, 0),
)
DROPOUT_OF_IMAGE, DROPOUT = 0.2, 0.5  # paper, section 3.1: of the input, and after what replaces a pooling


def layers(classes: int) -> list[nn.Module]:
    """Chain the convolutions, each with its ReLU, the last one too."""
    chain, inputs = list[nn.Module](), CHANNELS
    for outputs, kernel, stride, padding in (*LAYERS, (classes, 1, 1, 0)):
        chain += [nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.ReLU(inplace=True)]
        chain += [nn.Dropout(DROPOUT)] if stride > 1 else []
        inputs = outputs
    return chain


def accepts(name: str, resolution: int) -> bool:
    """Tell whether the unpadded 3x3 fits into the maps, a quarter of the side rounded up."""
    return resolution >= 9


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build it; every width is the same."""
    features = nn.Sequential(nn.Dropout(DROPOUT_OF_IMAGE), *layers(classes))
    return nn.Sequential(OrderedDict(features=features, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten()))
