"""All-CNN-C: convolutions only, with strides instead of pooling (Springenberg et al., arXiv:1412.6806, Table 2).

The names in the state dict are this package's own: `features` followed by numbers.
"""

from collections import OrderedDict

from torch import nn

SOURCE = "Springenberg et al., Striving for Simplicity, arXiv:1412.6806, Table 2: All-CNN-C"
NAMES = ("all_cnn",)
RESOLUTIONS = {"all_cnn": (32,)}
CHANNELS = 3
CLASSES = 10
WIDTHS = (1.0,)

LAYERS = (  # per convolution: maps, kernel, stride, padding; `layers` adds the last one, with a map per class
    (96, 3, 1, 1),
    (96, 3, 1, 1),
    (96, 3, 2, 1),
    (192, 3, 1, 1),
    (192, 3, 1, 1),
    (192, 3, 2, 1),
    (192, 3, 1, 0),  # this layer has no padding, because the paper averages maps of 6x6
    (192, 1, 1, 0),
)
DROPOUT_OF_IMAGE, DROPOUT = 0.2, 0.5  # dropout of the input, and after layers of stride 2 (paper, section 3.1)


def layers(classes: int) -> list[nn.Module]:
    """Chain the convolutions; a ReLU follows each of them, including the last convolution."""
    chain, inputs = list[nn.Module](), CHANNELS
    for outputs, kernel, stride, padding in (*LAYERS, (classes, 1, 1, 0)):
        chain += [nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.ReLU(inplace=True)]
        chain += [nn.Dropout(DROPOUT)] if stride > 1 else []
        inputs = outputs
    return chain


def accepts(name: str, resolution: int) -> bool:
    """Return whether a 3x3 kernel without padding fits into maps whose side is a quarter of the image's."""
    return resolution >= 9


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    features = nn.Sequential(nn.Dropout(DROPOUT_OF_IMAGE), *layers(classes))
    return nn.Sequential(OrderedDict(features=features, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten()))
