"""MobileNetV2: inverted residuals with linear bottlenecks (Sandler et al., arXiv:1801.04381, Table 2).

The names in the state dict are torchvision's. The last 1x1 convolution keeps its 1280 channels at widths below 1
(paper, section 4).
"""

from torch import Tensor, nn

SOURCE = "Sandler et al., MobileNetV2, arXiv:1801.04381, Table 2"
NAMES = ("mobilenet_v2",)
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
RESOLUTIONS = {"mobilenet_v2": (224, 192, 160, 128, 96)}
CHANNELS = 3
CLASSES = 1000

STEM, LAST, DROPOUT = 32, 1280, 0.2
STAGES = (  # for each stage: expansion t, output channels c, number of blocks n, stride s of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def channels(count: float, divisor: int = 8) -> int:
    """Round `count` to the nearest multiple of `divisor`, or up if the nearest multiple is below 90 % of `count`."""
    rounded = max(divisor, int(count + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * count else rounded


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    *,
    dilation: int = 1,
    act: type[nn.Module] | None = nn.ReLU6,
    epsilon: float = 1e-5,
) -> nn.Sequential:
    """Chain a convolution, a batch norm and an activation; the activation is left out if it is None."""
    padding = (kernel - 1) // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(outputs, epsilon),
        *([act(inplace=True)] if act else []),
    )


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 linear projection; the input is added if the output has the same shape."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.conv = nn.Sequential(
            *([convolution(inputs, hidden, 1)] if expansion != 1 else []),
            convolution(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        projected: Tensor = self.conv(features)
        return features + projected if self.residual else projected


class MobileNetV2(nn.Module):
    """A stem, 17 inverted residuals, a 1x1 convolution, a global average pool, dropout, and a linear classifier."""

    def __init__(self, width: float, classes: int) -> None:
        super().__init__()
        inputs, last = channels(STEM * width), channels(LAST * max(1.0, width))
        layers: list[nn.Module] = [convolution(CHANNELS, inputs, 3, 2)]
        for expansion, count, blocks, first_stride in STAGES:
            outputs = channels(count * width)
            for stride in (first_stride, *[1] * (blocks - 1)):
                layers.append(InvertedResidual(inputs, outputs, stride, expansion))
                inputs = outputs
        self.features = nn.Sequential(*layers, convolution(inputs, last, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(last, classes))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.pool(self.features(images)).flatten(1))
        return logits


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    return MobileNetV2(width, classes)
