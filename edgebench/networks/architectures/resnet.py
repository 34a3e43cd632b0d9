"""ResNet: blocks that learn a residual, which is added to their input (He et al., arXiv:1512.03385, Table 1).

The names in the state dict are torchvision's. As in torchvision, a block's stride is in its 3x3 convolution; in the
`_v1` forms the stride is in the first 1x1 convolution, as in the paper.
"""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from edgebench.networks.architectures.googlenet import head

SOURCE = "He et al., Deep Residual Learning, arXiv:1512.03385, Table 1"
NAMES = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet50_v1",
    "resnet101_v1",
    "resnet152_v1",
)
RESOLUTIONS = dict.fromkeys(NAMES, (224,))
CHANNELS = 3
CLASSES = 1000
WIDTHS = (1.0,)

STEM = 64
PLANES = (64, 128, 256, 512)  # planes (channels) of the four stages
BLOCKS = {  # numbers of blocks in the four stages
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
EXPANSION = 4  # a bottleneck block has this many output channels per plane


def projection(inputs: int, outputs: int, stride: int, kernel: int) -> nn.Sequential:
    """Return a block's shortcut: a convolution if input and output differ in shape (option B), else an identity."""
    if stride == 1 and inputs == outputs:
        return nn.Sequential()
    kernel = kernel if stride > 1 else 1
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Residual(nn.Module, ABC):
    """A residual block: its input, or a projection of the input, plus a computed residual, followed by a ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int, kernel: int = 1) -> None:
        super().__init__()
        self.outputs = outputs
        self.relu = nn.ReLU()
        self.downsample = projection(inputs, outputs, stride, kernel)

    @abstractmethod
    def residual(self, features: Tensor) -> Tensor:
        """Return the residual, which the block adds to its input features."""

    def forward(self, features: Tensor) -> Tensor:
        activated: Tensor = self.relu(self.residual(features) + self.downsample(features))
        return activated


class Basic(Residual):
    """A block whose residual is computed by two 3x3 convolutions."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__(inputs, planes, stride)
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)

    def residual(self, features: Tensor) -> Tensor:
        features = self.relu(self.bn1(self.conv1(features)))
        added: Tensor = self.bn2(self.conv2(features))
        return added


class Bottleneck(Residual):
    """A block whose residual is computed by 1x1, 3x3 and 1x1 convolutions.

    The first convolution has `planes * factors[0]` outputs, the second `planes * factors[1]`. `kernel` is the kernel of
    the shortcut. `early` puts the stride into the first convolution.
    """

    def __init__(
        self,
        inputs: int,
        planes: int,
        stride: int,
        *,
        early: bool = False,
        factors: tuple[int, int] = (1, 1),
        groups: int = 1,
        kernel: int = 1,
    ) -> None:
        super().__init__(inputs, planes * EXPANSION, stride, kernel)
        first, second = planes * factors[0], planes * factors[1]
        strides = (stride, 1) if early else (1, stride)
        self.conv1 = nn.Conv2d(inputs, first, 1, strides[0], bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.conv2 = nn.Conv2d(first, second, 3, strides[1], 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(second)
        self.conv3 = nn.Conv2d(second, self.outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(self.outputs)

    def residual(self, features: Tensor) -> Tensor:
        features = self.relu(self.bn1(self.conv1(features)))
        features = self.relu(self.bn2(self.conv2(features)))
        added: Tensor = self.bn3(self.conv3(features))
        return added


def stem(convolution: nn.Module, outputs: int) -> dict[str, nn.Module]:
    """Return the layers before the first stage by name; they reduce the image's side to a quarter."""
    return {
        "conv1": convolution,
        "bn1": nn.BatchNorm2d(outputs),
        "relu": nn.ReLU(),
        "maxpool": nn.MaxPool2d(3, 2, 1),
    }


def stages(inputs: int, block: Callable[[int, int, int], Residual], blocks: tuple[int, ...]) -> dict[str, nn.Module]:
    """Return the four stages by name; each stage except the first halves the side of the maps."""
    layers = dict[str, nn.Module]()
    for number, (planes, count) in enumerate(zip(PLANES, blocks, strict=True), 1):
        stage = list[Residual]()
        for stride in (1 if number == 1 else 2, *[1] * (count - 1)):
            stage.append(block(inputs, planes, stride))
            inputs = stage[-1].outputs
        layers[f"layer{number}"] = nn.Sequential(*stage)
    return layers


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build any of the eight networks; all have only width 1."""
    is_basic = name in ("resnet18", "resnet34")
    block = Basic if is_basic else partial(Bottleneck, early=name.endswith("_v1"))
    first = stem(nn.Conv2d(CHANNELS, STEM, 7, 2, 3, bias=False), STEM)
    body = stages(STEM, block, BLOCKS[name.removesuffix("_v1")])
    last = head(PLANES[-1] * (1 if is_basic else EXPANSION), classes)
    return nn.Sequential(OrderedDict(first | body | last))
