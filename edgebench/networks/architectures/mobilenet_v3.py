"""MobileNetV3: inverted residuals with squeeze-and-excitation and h-swish (Howard et al., arXiv:1905.02244).

The names in the state dict are torchvision's. As in torchvision, widths scale every layer, even the last one.
"""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from edgebench.networks.architectures.mobilenet_v2 import channels, convolution
from edgebench.networks.architectures.senet import SqueezeExcite

SOURCE = "Howard et al., Searching for MobileNetV3, arXiv:1905.02244, Tables 1 and 2"
NAMES = ("mobilenet_v3_large", "mobilenet_v3_small")
WIDTHS = (0.75, 1.0)
RESOLUTIONS = {"mobilenet_v3_large": (224,), "mobilenet_v3_small": (224,)}
CHANNELS = 3
CLASSES = 1000

STEM, DROPOUT, EPSILON = 16, 0.2, 1e-3
LAST = {"mobilenet_v3_large": 1280, "mobilenet_v3_small": 1024}
TAIL = 3  # number of blocks in the last stage, which detectors and segmenters change


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A line of the paper's table: kernel, expanded channels, output channels, squeeze-and-excitation, activation."""

    kernel: int
    hidden: int
    outputs: int
    squeezes: bool
    act: type[nn.Module]
    stride: int
    dilation: int = 1


def _table(*lines: tuple[int, int, int, str, str, int]) -> tuple[Block, ...]:
    acts = {"RE": nn.ReLU, "HS": nn.Hardswish}
    return tuple(
        Block(kernel=kernel, hidden=hidden, outputs=outputs, squeezes=se == "SE", act=acts[act], stride=stride)
        for kernel, hidden, outputs, se, act, stride in lines
    )


BLOCKS = {
    "mobilenet_v3_large": _table(
        (3, 16, 16, "-", "RE", 1),
        (3, 64, 24, "-", "RE", 2),
        (3, 72, 24, "-", "RE", 1),
        (5, 72, 40, "SE", "RE", 2),
        (5, 120, 40, "SE", "RE", 1),
        (5, 120, 40, "SE", "RE", 1),
        (3, 240, 80, "-", "HS", 2),
        (3, 200, 80, "-", "HS", 1),
        (3, 184, 80, "-", "HS", 1),
        (3, 184, 80, "-", "HS", 1),
        (3, 480, 112, "SE", "HS", 1),
        (3, 672, 112, "SE", "HS", 1),
        (5, 672, 160, "SE", "HS", 2),
        (5, 960, 160, "SE", "HS", 1),
        (5, 960, 160, "SE", "HS", 1),
    ),
    "mobilenet_v3_small": _table(
        (3, 16, 16, "SE", "RE", 2),
        (3, 72, 24, "-", "RE", 2),
        (3, 88, 24, "-", "RE", 1),
        (5, 96, 40, "SE", "HS", 2),
        (5, 240, 40, "SE", "HS", 1),
        (5, 240, 40, "SE", "HS", 1),
        (5, 120, 48, "SE", "HS", 1),
        (5, 144, 48, "SE", "HS", 1),
        (5, 288, 96, "SE", "HS", 2),
        (5, 576, 96, "SE", "HS", 1),
        (5, 576, 96, "SE", "HS", 1),
    ),
}


def dilated(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Return the blocks for features at stride 16, in which dilation replaces the last stride."""
    return (*blocks[:-TAIL], *(replace(block, stride=1, dilation=2) for block in blocks[-TAIL:]))


def reduced(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Return the blocks for detection, which have half the channels in the last stage (paper, section 6.3)."""
    first, *others = blocks[-TAIL:]
    halved = (replace(block, hidden=block.hidden // 2, outputs=block.outputs // 2) for block in others)
    return (*blocks[:-TAIL], replace(first, outputs=first.outputs // 2), *halved)


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise, squeeze-and-excitation, 1x1 linear projection; the input is added if possible."""

    def __init__(self, inputs: int, block: Block, width: float) -> None:
        super().__init__()
        hidden, outputs = channels(block.hidden * width), channels(block.outputs * width)
        squeezed = channels(hidden // 4)
        kernel, stride, dilation = block.kernel, block.stride, block.dilation
        self.block = nn.Sequential(
            *([convolution(inputs, hidden, 1, act=block.act, epsilon=EPSILON)] if hidden != inputs else []),
            convolution(hidden, hidden, kernel, stride, hidden, dilation=dilation, act=block.act, epsilon=EPSILON),
            *([SqueezeExcite(hidden, squeezed, nn.Hardsigmoid)] if block.squeezes else []),
            convolution(hidden, outputs, 1, act=None, epsilon=EPSILON),
        )
        self.outputs = outputs
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        projected: Tensor = self.block(features)
        return features + projected if self.residual else projected


def features(blocks: tuple[Block, ...], width: float = 1.0) -> nn.Sequential:
    """Chain the stem, the inverted residuals, and a 1x1 convolution that multiplies the number of channels by six."""
    inputs = channels(STEM * width)
    chain: list[nn.Module] = [convolution(CHANNELS, inputs, 3, 2, act=nn.Hardswish, epsilon=EPSILON)]
    for block in blocks:
        chain.append(InvertedResidual(inputs, block, width))
        inputs = channels(block.outputs * width)
    return nn.Sequential(*chain, convolution(inputs, 6 * inputs, 1, act=nn.Hardswish, epsilon=EPSILON))


class MobileNetV3(nn.Module):
    """Features, a global average pool, and two dense layers with h-swish between them."""

    def __init__(self, name: str, width: float, classes: int) -> None:
        super().__init__()
        blocks, last = BLOCKS[name], channels(LAST[name] * width)
        self.features = features(blocks, width)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * channels(blocks[-1].outputs * width), last),
            nn.Hardswish(inplace=True),
            nn.Dropout(DROPOUT),
            nn.Linear(last, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return logits


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build either network for any width multiplier."""
    return MobileNetV3(name, width, classes)
