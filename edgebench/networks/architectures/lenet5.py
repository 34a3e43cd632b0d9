"""LeNet-5 as commonly built today, and as published (LeCun et al., Proceedings of the IEEE 86(11), 1998, II-B).

The names in the state dict of `lenet5` come from PyTorch's first tutorial, which builds the same layers. The names in
the state dict of `lenet5_1998` come from the paper.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

SOURCE = "LeCun et al., Gradient-Based Learning Applied to Document Recognition, Proc. IEEE 86(11), 1998, section II-B"
NAMES = ("lenet5", "lenet5_1998")
RESOLUTIONS = {"lenet5": (32,), "lenet5_1998": (32,)}
CHANNELS = 1
CLASSES = 10
WIDTHS = (1.0,)

FIRST, SECOND, THIRD, HIDDEN = 6, 16, 120, 84  # numbers of maps of the layers C1, C3 and C5, and of units of F6
SIDE = 5  # side of the maps of the layer S4
TABLE_1 = (  # for each map of C3, the numbers of the maps of S2 that it reads, one digit each
    "012 123 234 345 450 501",
    "0123 1234 2345 3450 4501 5012 0134 1245 0235",
    "012345",
)


class Squash(nn.Module):
    """1.7159 tanh(2x/3), the paper's sigmoid (appendix A)."""

    def forward(self, features: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(features * (2 / 3))


class Subsample(nn.Sequential):
    """2x2 average pool with a gain and a bias per map; the paper's layer is equal: a sum with a quarter of the gain."""

    def __init__(self, maps: int) -> None:
        super().__init__(nn.AvgPool2d(2), nn.Conv2d(maps, maps, 1, groups=maps))


class SparseConvolution(nn.Module):
    """5x5 convolution in which each output map reads only the input maps that Table 1 of the paper lists for it."""

    def __init__(self) -> None:
        super().__init__()
        self.groups, self.reads = nn.ModuleList(), list[list[int]]()
        for group in map(str.split, TABLE_1):
            self.reads.append([int(digit) for digit in "".join(group)])
            self.groups.append(nn.Conv2d(len(self.reads[-1]), len(group), 5, groups=len(group)))

    def forward(self, features: Tensor) -> Tensor:
        pairs = zip(self.groups, self.reads, strict=True)
        return torch.cat([group(features[:, read]) for group, read in pairs], 1)


class Codes(nn.Module):
    """The scores: for each class, the negative squared distance to the code of the class, a fixed vector of ±1.

    The paper's codes are pictures of characters, 7x12 pixels large. This class uses random codes, which the paper names
    as an alternative, because they exist for any number of classes.
    """

    codes: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.randint(2, (classes, HIDDEN)) * 2.0 - 1.0)

    def forward(self, features: Tensor) -> Tensor:
        return -(features[:, None] - self.codes).square().sum(2)


def modern(classes: int) -> dict[str, nn.Module]:
    """Return the layers of the common form, with ReLU, maximum pooling and learned outputs; C3 reads all maps of S2."""
    return {
        "conv1": nn.Conv2d(CHANNELS, FIRST, 5),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(FIRST, SECOND, 5),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(SECOND * SIDE * SIDE, THIRD),
        "relu3": nn.ReLU(),
        "fc2": nn.Linear(THIRD, HIDDEN),
        "relu4": nn.ReLU(),
        "fc3": nn.Linear(HIDDEN, classes),
    }


def published(classes: int) -> dict[str, nn.Module]:
    """Return the layers of the published form, under the paper's names."""
    return {
        "c1": nn.Conv2d(CHANNELS, FIRST, 5),
        "squash1": Squash(),
        "s2": Subsample(FIRST),
        "squash2": Squash(),
        "c3": SparseConvolution(),
        "squash3": Squash(),
        "s4": Subsample(SECOND),
        "squash4": Squash(),
        "c5": nn.Conv2d(SECOND, THIRD, SIDE),
        "squash5": Squash(),
        "flatten": nn.Flatten(),
        "f6": nn.Linear(THIRD, HIDDEN),
        "squash6": Squash(),
        "output": Codes(classes),
    }


def accepts(name: str, resolution: int) -> bool:
    """Return whether the resolution is the published resolution, at which C5's kernels are as large as S4's maps."""
    return resolution == 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build either form; both have only one width and one resolution."""
    return nn.Sequential(OrderedDict({"lenet5": modern, "lenet5_1998": published}[name](classes)))
