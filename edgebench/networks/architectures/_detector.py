"""A light detection head on a classifier's features, shared by `mobilenet_v1_det` and `mobilenet_v2_det`.

The head reads features at strides 8, 16 and 32, and predicts one box for each cell of 8x8 pixels. Features of larger
strides are enlarged by repeating pixels, because every runtime does this in int8. Transposed convolutions would be
computed in float.
"""

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor, nn

CHANNELS = 48
STRIDES = (8, 16, 32)
PRIOR = 0.01  # probability of an object that an untrained head predicts; it is low because few cells have an object


def side(resolution: int, stride: int) -> int:
    """Return the side of the feature maps at a stride; every layer of stride 2 halves the side and rounds it up."""
    return -(-resolution // stride)


def separable(channels: int) -> nn.Sequential:
    """Chain a 3x3 depthwise and a 1x1 pointwise convolution, each with batch norm and ReLU6."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
    )


def lateral(inputs: int) -> nn.Sequential:
    """Return a layer that converts features to the head's number of channels."""
    return nn.Sequential(nn.Conv2d(inputs, CHANNELS, 1, bias=False), nn.BatchNorm2d(CHANNELS))


class Detector(nn.Module):
    """A detector: a classifier's features at strides 8, 16 and 32, and the head.

    Args:
        stages: three modules; each computes the features of the next stride from the features of the previous stride.
        counts: number of output channels of each module.
    """

    def __init__(self, stages: Sequence[nn.Module], counts: Sequence[int], classes: int, resolution: int) -> None:
        super().__init__()
        self.features = nn.ModuleList(stages)
        self.laterals = nn.ModuleList(lateral(count) for count in counts)
        self.enlarge = nn.ModuleList(_enlargement(resolution, stride) for stride in STRIDES[:2])
        self.act = nn.ReLU6(inplace=True)
        self.context = separable(CHANNELS)
        self.mix = nn.Sequential(separable(CHANNELS), separable(CHANNELS))
        self.scores = nn.Conv2d(CHANNELS, 1 + classes, 1)
        self.boxes = nn.Conv2d(CHANNELS, 4, 1)
        nn.init.zeros_(self.boxes.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            # torch.log is not used: on tensors without values, it imports torch's compiler, which takes seconds.
            self.scores.bias[0] = -log(1 / PRIOR - 1)  # type: ignore[index]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.features[0](images)
        middle = self.features[1](fine)
        coarse = self.features[2](middle)
        middle = self.act(self.laterals[1](middle) + self.enlarge[1](self.laterals[2](coarse)))
        fine = self.act(self.laterals[0](fine) + self.enlarge[0](self.context(middle)))
        fine = self.mix(fine)
        return self.scores(fine), self.boxes(fine)


def _enlargement(resolution: int, stride: int) -> nn.Module:
    """Return the module that enlarges features from twice this stride to this stride."""
    if resolution % (2 * stride) == 0:
        return nn.Upsample(scale_factor=2, mode="nearest")
    return nn.Upsample(size=(side(resolution, stride),) * 2, mode="nearest")
