"""Xception, which replaces Inception modules by depthwise-separable convolutions (Chollet, arXiv:1610.02357, Fig. 5).

The names in the state dict are the same as in timm's `legacy_xception`. There is no activation between the depthwise
and the pointwise convolution.
"""

from collections import OrderedDict

from torch import Tensor, nn

from edgebench.networks.architectures.googlenet import head

SOURCE = "Chollet, Xception, arXiv:1610.02357, Fig. 5"
NAMES = ("xception",)
RESOLUTIONS = {"xception": (299,)}
CHANNELS = 3
CLASSES = 1000
WIDTHS = (1.0,)

STEM = (32, 64)
BLOCKS = (  # outputs of each separable convolution of a block; a block with more outputs than inputs halves the side
    (128, 128),
    (256, 256),
    (728, 728),
    *[(728, 728, 728)] * 8,
    (728, 1024),
)
LAST = (1536, 2048)
DROPOUT = 0.5


class SeparableConv(nn.Sequential):
    """A 3x3 depthwise and a 1x1 pointwise convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        depthwise = nn.Conv2d(inputs, inputs, 3, 1, 1, groups=inputs, bias=False)
        super().__init__(OrderedDict(conv1=depthwise, pointwise=nn.Conv2d(inputs, outputs, 1, bias=False)))


class Block(nn.Module):
    """A block: separable convolutions, each after a ReLU, plus the block's input.

    If the block has more output channels than input channels, it also halves the side of the maps.
    """

    def __init__(self, inputs: int, widths: tuple[int, ...], *, activated: bool) -> None:
        super().__init__()
        chain, width, outputs = list[nn.Module](), inputs, widths[-1]
        for following in widths:
            chain += [nn.ReLU(), SeparableConv(width, following), nn.BatchNorm2d(following)]
            width = following
        widens = outputs != inputs
        chain += [nn.MaxPool2d(3, 2, 1)] if widens else []
        self.rep = nn.Sequential(*chain[1 if activated else 0 :])
        self.skip = nn.Conv2d(inputs, outputs, 1, 2, bias=False) if widens else nn.Identity()
        self.skipbn = nn.BatchNorm2d(outputs) if widens else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        total: Tensor = self.rep(features) + self.skipbn(self.skip(features))
        return total


def convolutions() -> dict[str, nn.Module]:
    """Return, by name, the two convolutions before the first block, which have no padding."""
    first, second = STEM
    return {
        "conv1": nn.Conv2d(CHANNELS, first, 3, 2, bias=False),
        "bn1": nn.BatchNorm2d(first),
        "act1": nn.ReLU(),
        "conv2": nn.Conv2d(first, second, 3, bias=False),
        "bn2": nn.BatchNorm2d(second),
        "act2": nn.ReLU(),
    }


def blocks(inputs: int) -> dict[str, nn.Module]:
    """Return the twelve blocks by name; the first block does not begin with a ReLU, because a ReLU precedes it."""
    layers = dict[str, nn.Module]()
    for number, widths in enumerate(BLOCKS, 1):
        layers[f"block{number}"] = Block(inputs, widths, activated=number == 1)
        inputs = widths[-1]
    return layers


def separables(inputs: int) -> dict[str, nn.Module]:
    """Return, by name, the two separable convolutions after the last block."""
    layers = dict[str, nn.Module]()
    for number, outputs in enumerate(LAST, len(STEM) + 1):
        layers |= {
            f"conv{number}": SeparableConv(inputs, outputs),
            f"bn{number}": nn.BatchNorm2d(outputs),
            f"act{number}": nn.ReLU(),
        }
        inputs = outputs
    return layers


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    body = convolutions() | blocks(STEM[-1]) | separables(BLOCKS[-1][-1])
    return nn.Sequential(OrderedDict(body | head(LAST[-1], classes, DROPOUT)))
