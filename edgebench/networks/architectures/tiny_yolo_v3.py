"""Tiny YOLOv3, as in Darknet's yolov3-tiny.cfg (Redmon and Farhadi, arXiv:1804.02767).

The module `_ssd` describes the two outputs; column 0 of the scores is the objectness, and boxes of the coarser map come
first. Darknet's `.weights` files, which have no names, fit this network.
"""

import torch
from torch import Tensor, nn

from edgebench.networks.architectures._darknet import Output, SlowPool, Unit, chain
from edgebench.networks.architectures._ssd import COORDINATES, listed

SOURCE = "Redmon and Farhadi, YOLOv3, arXiv:1804.02767; pjreddie/darknet cfg/yolov3-tiny.cfg"
NAMES = ("tiny_yolo_v3",)
TASK = "detection"
DECODER = "tiny_yolo_v3+score=0.005+iou=0.45"
WIDTHS = (1.0,)
RESOLUTIONS = {"tiny_yolo_v3": (416,)}
CHANNELS = 3
CLASSES = 80

STRIDES = (32, 16)
BOXES = 3  # number of boxes per cell of each map


class TinyYOLOv3(nn.Module):
    """Features at strides 32 and 16, each with boxes; stride 16 also reads the enlarged features of stride 32."""

    def __init__(self, classes: int, resolution: int) -> None:
        super().__init__()
        self.fine = nn.Sequential(*chain(CHANNELS, 16, 32, 64, 128), Unit(128, 256))
        self.coarse = nn.Sequential(
            nn.MaxPool2d(2), Unit(256, 512), SlowPool(), Unit(512, 1024), Unit(1024, 256, kernel=1)
        )
        self.first = nn.Sequential(Unit(256, 512), Output(512, BOXES, classes))
        self.lateral = nn.Sequential(Unit(256, 128, kernel=1), nn.Upsample(scale_factor=2, mode="nearest"))
        self.second = nn.Sequential(Unit(128 + 256, 256), Output(256, BOXES, classes))
        self.columns, self.count = 1 + classes, BOXES * sum((resolution // stride) ** 2 for stride in STRIDES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(images)
        coarse = self.coarse(fine)
        both = torch.cat((self.lateral(coarse), fine), 1)
        scores, boxes = zip(self.first(coarse), self.second(both), strict=True)
        return listed(scores, self.columns, self.count), listed(boxes, COORDINATES, self.count)


def accepts(name: str, resolution: int) -> bool:
    """Return whether the resolution can be halved five times without a remainder."""
    return resolution > 0 and resolution % STRIDES[0] == 0


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    return TinyYOLOv3(classes, resolution)
