"""SENet: residual blocks whose channels are weighted by global features (Hu et al., arXiv:1709.01507).

The names in the state dict are the same as in timm's `seresnet50` and `senet154`.
"""

from collections import OrderedDict
from functools import partial

from torch import Tensor, nn

from edgebench.networks.architectures.googlenet import head
from edgebench.networks.architectures.resnet import EXPANSION, PLANES, Bottleneck, stages, stem

SOURCE = "Hu et al., Squeeze-and-Excitation Networks, arXiv:1709.01507, Table 1 and appendix (SENet-154)"
NAMES = ("se_resnet50", "senet154")
RESOLUTIONS = {"se_resnet50": (224,), "senet154": (224,)}
CHANNELS = 3
CLASSES = 1000
WIDTHS = (1.0,)

REDUCTION = 16
STEMS = {"se_resnet50": 64, "senet154": 128}
BLOCKS = {"se_resnet50": (3, 4, 6, 3), "senet154": (3, 8, 36, 3)}
DROPOUT = {"se_resnet50": 0.0, "senet154": 0.2}


class SqueezeExcite(nn.Module):
    """Multiply each channel by a factor from 0 to 1, which a small network computes from the means of all channels.

    Args:
        squeezed: number of units of the small network's hidden layer.
        gate: function that limits the factors to the range from 0 to 1.
    """

    def __init__(self, channels: int, squeezed: int, gate: type[nn.Module] = nn.Sigmoid) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate()

    def forward(self, features: Tensor) -> Tensor:
        weights: Tensor = self.gate(self.fc2(self.relu(self.fc1(self.pool(features)))))
        return features * weights


class SEBottleneck(Bottleneck):
    """A bottleneck block whose residual is multiplied by factors per channel before it is added."""

    def __init__(
        self,
        inputs: int,
        planes: int,
        stride: int,
        *,
        factors: tuple[int, int] = (1, 1),
        groups: int = 1,
        kernel: int = 1,
    ) -> None:
        super().__init__(inputs, planes, stride, factors=factors, groups=groups, kernel=kernel)
        self.se = SqueezeExcite(self.outputs, self.outputs // REDUCTION)

    def residual(self, features: Tensor) -> Tensor:
        weighted: Tensor = self.se(super().residual(features))
        return weighted


def deep() -> nn.Sequential:
    """Chain SENet-154's three 3x3 convolutions, which replace a 7x7 kernel; the caller adds the last batch norm."""
    layers, inputs = list[nn.Module](), CHANNELS
    for outputs, stride in ((64, 2), (64, 1)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.Conv2d(inputs, STEMS["senet154"], 3, 1, 1, bias=False))


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build either network; both have only width 1."""
    is_154, inputs = name == "senet154", STEMS[name]
    convolution = deep() if is_154 else nn.Conv2d(CHANNELS, inputs, 7, 2, 3, bias=False)
    # SENet-154, from the paper's appendix: 64 groups, a first 1x1 convolution with half as many outputs, 3x3 shortcuts.
    block = partial(SEBottleneck, factors=(2, 4), groups=64, kernel=3) if is_154 else SEBottleneck
    body = stages(inputs, block, BLOCKS[name])
    last = head(PLANES[-1] * EXPANSION, classes, DROPOUT[name])
    return nn.Sequential(OrderedDict(stem(convolution, inputs) | body | last))
