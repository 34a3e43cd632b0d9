"""DeepLabV3 without ASPP on MobileNetV2 at output stride 16 (Sandler et al., arXiv:1801.04381, section 6.3, Table 7).

The output `map`, (N, 1 + classes, R, R), has scores of the background and of each class. There is no public
checkpoint of this head for torch; the weights of the features have torchvision's names.
"""

from typing import Any

import torch
from torch import Tensor, nn

from edgebench.networks.architectures.mobilenet_v2 import STAGES, MobileNetV2, convolution

SOURCE = "Sandler et al., MobileNetV2, arXiv:1801.04381, section 6.3, Table 7; tensorflow/models deeplab"
NAMES = ("deeplab_v3_mobilenet_v2",)
TASK = "segmentation"
WIDTHS = (1.0,)
RESOLUTIONS = {"deeplab_v3_mobilenet_v2": (513,)}
CHANNELS = 3
CLASSES = 20

INNER, STRIDE = 256, 16
DILATED = slice(14, 18)  # the blocks after the fourth layer of stride 2; dilation replaces the next stride


def features() -> nn.Sequential:
    """Return MobileNetV2's features up to stride 16, without the last convolution."""
    blocks: list[Any] = [*MobileNetV2(1.0, 1).features][:-1]
    for place, block in enumerate(blocks[DILATED]):
        depthwise = block.conv[1][0]
        depthwise.stride = (1, 1)
        if place:  # the first block reads features before any dilation
            depthwise.dilation = depthwise.padding = (2, 2)
    return nn.Sequential(*blocks)


class DeepLab(nn.Module):
    """A segmenter that computes scores from features and the features' global means, and enlarges them to the image."""

    def __init__(self, classes: int, resolution: int) -> None:
        super().__init__()
        inputs, side = STAGES[-1][1], -(-resolution // STRIDE)
        self.features = features()
        self.image_pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), convolution(inputs, INNER, 1, act=nn.ReLU))
        self.aspp0 = convolution(inputs, INNER, 1, act=nn.ReLU)
        self.spread = nn.Upsample(size=(side, side), mode="nearest")
        self.concat_projection = convolution(2 * INNER, INNER, 1, act=nn.ReLU)
        self.logits = nn.Conv2d(INNER, 1 + classes, 1)
        self.enlarge = nn.Upsample(size=(resolution, resolution), mode="bilinear", align_corners=True)

    def forward(self, images: Tensor) -> Tensor:
        found = self.features(images)
        both = torch.cat((self.spread(self.image_pooling(found)), self.aspp0(found)), 1)
        scores: Tensor = self.enlarge(self.logits(self.concat_projection(both)))
        return scores


def accepts(name: str, resolution: int) -> bool:
    """Return whether at least one pixel remains after four layers of stride 2."""
    return resolution >= 16


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    return DeepLab(classes, resolution)
