"""Layers of Darknet's networks, shared by the YOLO networks, in the order in which its files store their weights."""

from torch import Tensor, nn

from edgebench.networks.architectures._ssd import COORDINATES

SLOPE = 0.1  # of leaky ReLU


class Unit(nn.Sequential):
    """Convolution, batch norm, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(SLOPE, inplace=True),
        )


class Output(nn.Module):
    """The last convolution of Darknet as two: a file stores x, y, width, height, objectness and classes of each box.

    Two convolutions, so that boxes and scores have an int8 scale each.
    """

    def __init__(self, inputs: int, per_cell: int, classes: int) -> None:
        super().__init__()
        self.per_cell = per_cell
        self.scores = nn.Conv2d(inputs, per_cell * (1 + classes), 1)
        self.boxes = nn.Conv2d(inputs, per_cell * COORDINATES, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.scores(features), self.boxes(features)


class SlowPool(nn.MaxPool2d):
    """2x2 maximum at stride 1 that keeps the side: at the right and lower edge of fewer values."""

    def __init__(self) -> None:
        super().__init__(2, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        pooled: Tensor = super().forward(features)
        return pooled[:, :, 1:, 1:]


def chain(inputs: int, *outputs: int) -> list[nn.Module]:
    """Return 3x3 units, each followed by a pool that halves the side."""
    layers = list[nn.Module]()
    for count in outputs:
        layers += [Unit(inputs, count), nn.MaxPool2d(2)]
        inputs = count
    return layers
