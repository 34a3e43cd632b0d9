"""Tiny YOLOv2 for VOC's 20 classes, as in Darknet's yolov2-tiny-voc.cfg (Redmon and Farhadi, arXiv:1612.08242).

The module `_ssd` describes the two outputs; column 0 of the scores is the objectness. Darknet's `.weights` files, which
have no names, fit this network.
"""

from torch import Tensor, nn

from edgebench.networks.architectures._darknet import Output, SlowPool, Unit, chain
from edgebench.networks.architectures._ssd import COORDINATES, listed

SOURCE = "Redmon and Farhadi, YOLO9000, arXiv:1612.08242; pjreddie/darknet cfg/yolov2-tiny-voc.cfg"
NAMES = ("tiny_yolo_v2_voc",)
TASK = "detection"
DECODER = "tiny_yolo_v2+score=0.005+iou=0.45"
WIDTHS = (1.0,)
RESOLUTIONS = {"tiny_yolo_v2_voc": (416,)}
CHANNELS = 3
CLASSES = 20

STRIDE = 32
BOXES = 5  # per cell


class TinyYOLOv2(nn.Module):
    """Eight 3x3 convolutions, five pools that halve the side, and a 1x1 convolution for five boxes per cell."""

    def __init__(self, classes: int, resolution: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *chain(CHANNELS, 16, 32, 64, 128, 256), Unit(256, 512), SlowPool(), Unit(512, 1024), Unit(1024, 1024)
        )
        self.output = Output(1024, BOXES, classes)
        self.columns, self.count = 1 + classes, BOXES * (resolution // STRIDE) ** 2

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scores, boxes = self.output(self.features(images))
        return listed([scores], self.columns, self.count), listed([boxes], COORDINATES, self.count)


def accepts(name: str, resolution: int) -> bool:
    """Return whether the resolution can be halved five times without a remainder."""
    return resolution > 0 and resolution % STRIDE == 0


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    return TinyYOLOv2(classes, resolution)
