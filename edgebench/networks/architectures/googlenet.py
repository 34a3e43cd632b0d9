"""GoogLeNet in two forms: with batch norm as in torchvision, and as in the paper (Szegedy et al., arXiv:1409.4842).

The names in the state dict are torchvision's, without the auxiliary heads, which are used only in training.
`googlenet_paper` has biases instead of batch norm, and the constants of BVLC's Caffe model bvlc_googlenet.
"""

from collections import OrderedDict
from functools import partial

import torch
from torch import Tensor, nn

SOURCE = "Szegedy et al., arXiv:1409.4842, Table 1"
NAMES = ("googlenet", "googlenet_paper")
RESOLUTIONS = {"googlenet": (224,), "googlenet_paper": (224,)}
CHANNELS = 3
CLASSES = 1000
WIDTHS = (1.0,)

POOL = partial(nn.MaxPool2d, 3, 2, ceil_mode=True)
NORM = partial(nn.LocalResponseNorm, 5)  # the other constants are Caffe's: alpha 1e-4, beta 0.75, k 1
STEM, LAST = 192, 1024  # number of maps before the first module, and after the last module
MODULES = {  # numbers of maps of the four branches: 1x1; 1x1, then 3x3; 1x1, then 5x5; pooling, then 1x1
    "3a": (64, (96, 128), (16, 32), 32),
    "3b": (128, (128, 192), (32, 96), 64),
    "4a": (192, (96, 208), (16, 48), 64),
    "4b": (160, (112, 224), (24, 64), 64),
    "4c": (128, (128, 256), (24, 64), 64),
    "4d": (112, (144, 288), (32, 64), 64),
    "4e": (256, (160, 320), (32, 128), 128),
    "5a": (256, (160, 320), (32, 128), 128),
    "5b": (384, (192, 384), (48, 128), 128),
}


class Unit(nn.Sequential):
    """A convolution with batch norm, or with a bias as in the paper, followed by a ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        *,
        padded: bool = True,
        paper: bool = False,
    ) -> None:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2, width // 2) if padded else 0
        layers: dict[str, nn.Module] = {"conv": nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=paper)}
        if not paper:
            layers["bn"] = nn.BatchNorm2d(outputs, eps=0.001)
        super().__init__(OrderedDict(layers, relu=nn.ReLU(inplace=True)))


class Inception(nn.Module):
    """Four parallel branches, whose outputs are concatenated."""

    def __init__(
        self, inputs: int, first: int, second: tuple[int, int], third: tuple[int, int], fourth: int, *, paper: bool
    ) -> None:
        super().__init__()
        unit = partial(Unit, paper=paper)
        large = 5 if paper else 3  # torchvision uses 3x3 instead, like the port from which torchvision's weights come
        self.branch1 = unit(inputs, first, 1)
        self.branch2 = nn.Sequential(unit(inputs, second[0], 1), unit(*second, 3))
        self.branch3 = nn.Sequential(unit(inputs, third[0], 1), unit(*third, large))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), unit(inputs, fourth, 1))

    def forward(self, features: Tensor) -> Tensor:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(features) for branch in branches], 1)


def stem(*, paper: bool) -> dict[str, nn.Module]:
    """Return the layers before the first module by name; they reduce the image's side to an eighth."""
    unit, norm = partial(Unit, paper=paper), NORM if paper else nn.Identity
    return {
        "conv1": unit(CHANNELS, 64, 7, 2),
        "maxpool1": POOL(),
        "norm1": norm(),
        "conv2": unit(64, 64, 1),
        "conv3": unit(64, STEM, 3),
        "norm2": norm(),
        "maxpool2": POOL(),
    }


def modules(inputs: int, *, paper: bool) -> dict[str, nn.Module]:
    """Return the nine modules by name, with pooling before the fourth and the fifth stage."""
    pools = {"4a": POOL(), "5a": POOL() if paper else nn.MaxPool2d(2, ceil_mode=True)}
    layers = dict[str, nn.Module]()
    for name, row in MODULES.items():
        if name in pools:
            layers[f"maxpool{int(name[0]) - 1}"] = pools[name]
        layers[f"inception{name}"] = Inception(inputs, *row, paper=paper)
        first, (_, second), (_, third), fourth = row
        inputs = first + second + third + fourth
    return layers


def head(inputs: int, classes: int, dropout: float = 0.0) -> dict[str, nn.Module]:
    """Return, by name, the layers that compute the logits from the last maps."""
    return {
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "dropout": nn.Dropout(dropout),
        "fc": nn.Linear(inputs, classes),
    }


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build either form; both have only width 1."""
    paper = name == "googlenet_paper"
    last = head(LAST, classes, dropout=0.4 if paper else 0.2)
    return nn.Sequential(OrderedDict(stem(paper=paper) | modules(STEM, paper=paper) | last))
