"""Detection heads with several boxes per cell, on feature maps of several sizes, shared by SSD and YOLO networks.

The outputs are `scores`, (N, boxes, 1 + classes), and `boxes`, (N, boxes, 4). Boxes are ordered by feature map, then by
row and column of the cell, then by their number in the cell. There are two outputs so that each has its own int8 scale
in an exported file. Their values are raw. Each family names, as its DECODER, a decoder in
edgebench/tasks/detection/decoders, which turns the values into boxes.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from edgebench.networks.architectures.mobilenet_v2 import convolution

COORDINATES = 4
EXTRAS = (512, 256, 256, 128)  # numbers of channels of the four extra maps, which follow a MobileNet's own maps
STRIDE = 16  # stride of the first map, which comes from a MobileNet

unit = partial(convolution, epsilon=1e-3)  # epsilon of batch norm as in TensorFlow and torchvision


class Head(nn.Module):
    """One layer per feature map; the outputs of all layers are joined into one tensor of shape (N, boxes, columns).

    Args:
        module_list: the layers; each gives values of shape (N, boxes per cell * columns, S, S).
        columns: number of values per box.
        boxes: number of boxes of all maps together.
    """

    def __init__(self, module_list: Sequence[nn.Module], columns: int, boxes: int) -> None:
        super().__init__()
        self.module_list = nn.ModuleList(module_list)
        self.columns, self.boxes = columns, boxes

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return listed([layer(map) for layer, map in zip(self.module_list, maps, strict=True)], self.columns, self.boxes)


def listed(maps: Sequence[Tensor], columns: int, boxes: int) -> Tensor:
    """Join maps of shape (N, boxes per cell * columns, S, S) into one tensor of shape (N, boxes, columns)."""
    values = [map.permute(0, 2, 3, 1).flatten(1) for map in maps]
    return torch.cat(values, 1).reshape(-1, boxes, columns)


class Heads(nn.Module):
    """The heads for scores and for boxes; their weights have torchvision's names.

    Args:
        scores, boxes: the layers of each head, one per feature map.
        count: number of boxes of all maps together.
    """

    def __init__(self, scores: Sequence[nn.Module], boxes: Sequence[nn.Module], classes: int, count: int) -> None:
        super().__init__()
        self.classification_head = Head(scores, 1 + classes, count)
        self.regression_head = Head(boxes, COORDINATES, count)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        return self.classification_head(maps), self.regression_head(maps)


class Backbone(nn.Module):
    """A chain of stages, each of which gives a feature map.

    Attributes:
        counts: number of channels of each map.
    """

    def __init__(self, features: Sequence[nn.Module], extra: Sequence[nn.Module], counts: Sequence[int]) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.extra = nn.ModuleList(extra)
        self.counts = tuple(counts)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = list[Tensor]()
        for stage in (*self.features, *self.extra):
            images = stage(images)
            maps.append(images)
        return maps


class SSD(nn.Module):
    """A detector: a backbone, and two heads that read all of its feature maps.

    Args:
        backbone: the module that gives the feature maps; its attribute `counts` has the number of channels of each map.
        predictor: function that builds a head's layer for a map, from the numbers of input and output channels.
        per_cell: number of boxes per cell of each map.
        sides: side of each map.
    """

    def __init__(
        self,
        backbone: nn.Module,
        predictor: Callable[[int, int], nn.Module],
        per_cell: Sequence[int],
        sides: Sequence[int],
        classes: int,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        lines = list(zip(backbone.counts, per_cell, strict=True))  # type: ignore[arg-type]
        scores, boxes = (
            [predictor(inputs, each * columns) for inputs, each in lines] for columns in (1 + classes, COORDINATES)
        )
        count = sum(side * side * each for side, each in zip(sides, per_cell, strict=True))
        self.head = Heads(scores, boxes, classes, count)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scores, boxes = self.head(self.backbone(images))
        return scores, boxes


def predictor(inputs: int, outputs: int) -> nn.Sequential:
    """Chain a 3x3 depthwise and a 1x1 convolution, as SSDLite does (Sandler et al., arXiv:1801.04381, section 6.2)."""
    return nn.Sequential(unit(inputs, inputs, 3, groups=inputs), nn.Conv2d(inputs, outputs, 1))


def extra(inputs: int, outputs: int) -> nn.Sequential:
    """Return layers that halve a feature map as SSDLite does: 1x1, 3x3 depthwise of stride 2, 1x1."""
    hidden = outputs // 2
    return nn.Sequential(unit(inputs, hidden, 1), unit(hidden, hidden, 3, 2, hidden), unit(hidden, outputs, 1))


def cut(chain: nn.Sequential, place: int, inside: nn.Sequential) -> tuple[nn.Module, nn.Module]:
    """Split a chain of blocks inside the block at `place`, after that block's first layer; `inside` has its layers."""
    blocks = [*chain]
    return nn.Sequential(*blocks[:place], inside[0]), nn.Sequential(inside[1:], *blocks[place + 1 :])


def sides(first: int, count: int) -> tuple[int, ...]:
    """Return the sides of feature maps: each is half of the previous side, rounded up."""
    maps = [first]
    while len(maps) < count:
        maps.append(-(-maps[-1] // 2))
    return tuple(maps)
