"""A light head for detection on the features of a classifier, which `mobilenet_v1_det` and `mobilenet_v2_det` share.

It looks at strides 8, 16 and 32 and answers at stride 8: one box a cell. What comes from a coarser stride is enlarged
by repeating pixels, which every runtime computes in int8; transposed convolutions would stay float.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

CHANNELS = 48
STRIDES = (8, 16, 32)
PRIOR = 0.01  # probability of an object that an untrained head states: few cells hold one


def side(resolution: int, stride: int) -> int:
    """Return the side of the features at a stride: each halving rounds up."""
    return -(-resolution // stride)


def separable(channels: int) -> nn.Sequential:
    """Chain 3x3 depthwise and 1x1 pointwise convolution, each with batch norm and ReLU6."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
    )


def lateral(inputs: int) -> nn.Sequential:
    """Bring features to the head's channels."""
    return nn.Sequential(nn.Conv2d(inputs, CHANNELS, 1, bias=False), nn.BatchNorm2d(CHANNELS))


class Detector(nn.Module):
    """The features of a classifier up to strides 8, 16 and 32, and the head.

    Args:
        stages: three modules, each from the features before to those of its stride.
        counts: their output channels.
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
            self.scores.bias[0] = -torch.log(torch.tensor(1 / PRIOR - 1))  # type: ignore[index]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.features[0](images)
        middle = self.features[1](fine)
        coarse = self.features[2](middle)
        middle = self.act(self.laterals[1](middle) + self.enlarge[1](self.laterals[2](coarse)))
        fine = self.act(self.laterals[0](fine) + self.enlarge[0](self.context(middle)))
        fine = self.mix(fine)
        return self.scores(fine), self.boxes(fine)


def _enlargement(resolution: int, stride: int) -> nn.Module:
    """Return what brings the features of twice the stride to this one; the sides are equal if that has one pixel."""
    if resolution % (2 * stride) == 0:
        return nn.Upsample(scale_factor=2, mode="nearest")
    return nn.Upsample(size=(side(resolution, stride),) * 2, mode="nearest")
