"""MobileNetV1: separable convolutions, multipliers of width and resolution (Howard et al., arXiv:1704.04861, Table 1).

The names in the state dict are the same as in timm's `mobilenetv1_100`. The last depthwise convolution has stride 1:
the "s2" in the table is a misprint, as the table's shapes and TF-Slim's code show. Activations are ReLU6, as in
TF-Slim's code.
"""

from torch import Tensor, nn

SOURCE = "Howard et al., MobileNets, arXiv:1704.04861, Table 1"
NAMES = ("mobilenet_v1",)
WIDTHS = (0.25, 0.5, 0.75, 1.0)
RESOLUTIONS = {"mobilenet_v1": (224, 192, 160, 128)}
CHANNELS = 3
CLASSES = 1000

STEM = 32
STAGES = (  # for each stage: output channels, stride of the first block, number of blocks
    (64, 1, 1),
    (128, 2, 2),
    (256, 2, 2),
    (512, 2, 6),
    (1024, 2, 2),
)


def channels(count: int, width: float) -> int:
    """Return a layer's scaled number of channels, rounded down, at least 8 (TF-Slim mobilenet_v1.py, `depth`)."""
    return max(int(count * width), 8)


class DepthwiseSeparable(nn.Module):
    """A 3x3 depthwise and a 1x1 pointwise convolution, each with batch norm and ReLU6."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv_pw = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.act = nn.ReLU6(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        features = self.act(self.bn1(self.conv_dw(features)))
        features = self.act(self.bn2(self.conv_pw(features)))
        return features


class MobileNetV1(nn.Module):
    """A stem, five stages of separable blocks, a global average pool, and a linear classifier."""

    def __init__(self, width: float, classes: int) -> None:
        super().__init__()
        inputs = channels(STEM, width)
        self.conv_stem = nn.Conv2d(CHANNELS, inputs, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.act = nn.ReLU6(inplace=True)
        stages = []
        for count, first_stride, blocks in STAGES:
            outputs, stage = channels(count, width), list[nn.Module]()
            for stride in (first_stride, *[1] * (blocks - 1)):
                stage.append(DepthwiseSeparable(inputs, outputs, stride))
                inputs = outputs
            stages.append(nn.Sequential(*stage))
        self.blocks = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.blocks(self.act(self.bn1(self.conv_stem(images))))
        logits: Tensor = self.classifier(self.pool(features).flatten(1))
        return logits


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after five layers of stride 2."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network for any width multiplier."""
    return MobileNetV1(width, classes)
