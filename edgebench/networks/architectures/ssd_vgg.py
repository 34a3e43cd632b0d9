"""SSD300 on VGG16 with a dilated fc6, as in torchvision (Liu et al., arXiv:1512.02325, Fig. 2).

The module `_ssd` describes the two outputs. Column 0 of the scores is the background, which `classes` does not count;
the published network has 90 classes. The names in the state dict are torchvision's.
"""

from functools import partial

import torch
from torch import Tensor, nn

from edgebench.networks.architectures._ssd import SSD, Backbone
from edgebench.networks.architectures.vgg import CONVOLUTIONS, MAPS, features

SOURCE = "Liu et al., SSD, arXiv:1512.02325, Fig. 2; torchvision's detection/ssd.py"
NAMES = ("ssd300_vgg16",)
TASK = "detection"
DECODER = "ssd300+score=0.01+iou=0.45"
WIDTHS = (1.0,)
RESOLUTIONS = {"ssd300_vgg16": (300,)}
CHANNELS = 3
CLASSES = 90

BOXES = (4, 6, 6, 6, 4, 4)  # number of boxes per cell of each of the six feature maps
LEAST = 1e-12  # smallest length by which a pixel's feature vector is divided
SCALE = 20.0  # initial scale of the normalized first map (paper, section 3.1)
FC = 1024
EXTRAS = ((256, 512, 2, 1), (128, 256, 2, 1), (128, 256, 1, 0), (128, 256, 1, 0))  # 1x1; 3x3, its stride, padding


def extra(inputs: int, hidden: int, outputs: int, stride: int, padding: int) -> nn.Sequential:
    """Chain a 1x1 and a 3x3 convolution, each followed by a ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, hidden, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, outputs, 3, stride, padding),
        nn.ReLU(inplace=True),
    )


def atrous() -> nn.Sequential:
    """Chain a pool of stride 1, a dilated convolution and a 1x1 convolution, which replace VGG's first dense layers."""
    return nn.Sequential(
        nn.MaxPool2d(3, 1, 1),
        nn.Conv2d(MAPS[-1], FC, 3, padding=6, dilation=6),
        nn.ReLU(inplace=True),
        nn.Conv2d(FC, FC, 1),
        nn.ReLU(inplace=True),
    )


class ScaledBackbone(Backbone):
    """Six feature maps: VGG16's conv4_3, normalized and scaled; VGG16's fc7; and four further maps."""

    def __init__(self) -> None:
        chain = features(CONVOLUTIONS["vgg16"], normalized=False)
        third, fourth = [place for place, layer in enumerate(chain) if isinstance(layer, nn.MaxPool2d)][2:4]
        chain[third].ceil_mode = True  # type: ignore[assignment]
        counts = [MAPS[-1], FC, *(outputs for _, outputs, _, _ in EXTRAS)]
        extras = (extra(count, *sizes) for count, sizes in zip(counts[1:], EXTRAS, strict=False))
        layers = [*chain]
        super().__init__(layers[:fourth], (nn.Sequential(*layers[fourth:-1], atrous()), *extras), counts)
        self.scale_weight = nn.Parameter(torch.full((MAPS[-1],), SCALE))

    def forward(self, images: Tensor) -> list[Tensor]:
        features = self.features(images)
        lengths = (features * features).sum(1, keepdim=True).clamp(min=LEAST**2)
        maps = [features * torch.rsqrt(lengths) * self.scale_weight.view(1, -1, 1, 1)]
        for stage in self.extra:
            features = stage(features)
            maps.append(features)
        return maps


def sides(resolution: int) -> tuple[int, ...]:
    """Return the sides of the feature maps; of the first four halvings, only the third rounds up."""
    first = -(-(resolution // 4) // 2)
    maps = [first, first // 2]
    for _, _, stride, padding in EXTRAS:
        maps.append((maps[-1] + 2 * padding - 3) // stride + 1)
    return tuple(maps)


def accepts(name: str, resolution: int) -> bool:
    """Return whether the last feature map has at least one pixel."""
    return resolution >= 32 and sides(resolution)[-1] >= 1


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build the network; its only width is 1."""
    return SSD(ScaledBackbone(), partial(nn.Conv2d, kernel_size=3, padding=1), BOXES, sides(resolution), classes)
