"""Lite R-ASPP on MobileNetV3-Large, as in torchvision (Howard et al., arXiv:1905.02244, section 6.4).

The output `map`, (N, 1 + classes, R, R), has scores of the background and of each class. The names in the state
dict are torchvision's.
"""

from torch import Tensor, nn

from edgebench.networks.architectures.mobilenet_v3 import BLOCKS, dilated, features

SOURCE = "Howard et al., Searching for MobileNetV3, arXiv:1905.02244, section 6.4; torchvision's segmentation/lraspp.py"
NAMES = ("lraspp_mobilenet_v3_large",)
TASK = "segmentation"
WIDTHS = (1.0,)
RESOLUTIONS = {"lraspp_mobilenet_v3_large": (520,)}
CHANNELS = 3
CLASSES = 20

LOW, LOW_CHANNELS, LOW_STRIDE = 4, 40, 8  # LOW: index of the block whose features keep details
INNER = 128


class Head(nn.Module):
    """The head: scores of the last features, weighted per channel, plus scores of earlier, finer features."""

    def __init__(self, inputs: int, columns: int, side: int) -> None:
        super().__init__()
        self.cbr = nn.Sequential(nn.Conv2d(inputs, INNER, 1, bias=False), nn.BatchNorm2d(INNER), nn.ReLU(inplace=True))
        self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(inputs, INNER, 1, bias=False), nn.Sigmoid())
        self.low_classifier = nn.Conv2d(LOW_CHANNELS, columns, 1)
        self.high_classifier = nn.Conv2d(INNER, columns, 1)
        self.enlarge = nn.Upsample(size=(side, side), mode="bilinear")

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        weighted = self.cbr(high) * self.scale(high)
        scores: Tensor = self.low_classifier(low) + self.high_classifier(self.enlarge(weighted))
        return scores


class LRASPP(nn.Module):
    """Features at strides 8 and 16, the head, and bilinear enlargement of the scores to the image's size."""

    def __init__(self, classes: int, resolution: int) -> None:
        super().__init__()
        blocks = dilated(BLOCKS["mobilenet_v3_large"])
        self.backbone = features(blocks)
        self.classifier = Head(6 * blocks[-1].outputs, 1 + classes, -(-resolution // LOW_STRIDE))
        self.enlarge = nn.Upsample(size=(resolution, resolution), mode="bilinear")

    def forward(self, images: Tensor) -> Tensor:
        for place, layer in enumerate(self.backbone):
            images = layer(images)
            if place == LOW:
                low = images
        scores: Tensor = self.enlarge(self.classifier(low, images))
        return scores


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after four layers of stride 2."""
    return resolution >= 16


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    return LRASPP(classes, resolution)
