"""Layers of the YOLO networks, with their weights in the order in which Darknet's files store them."""

from torch import Tensor, nn

from edgebench.networks.architectures._ssd import COORDINATES

SLOPE = 0.1  # slope of leaky ReLU below zero


class Unit(nn.Sequential):
    """A convolution, a batch norm and a leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(SLOPE, inplace=True),
        )


class Output(nn.Module):
    """Darknet's last convolution, split into two so that boxes and scores each have an int8 scale of their own.

    Darknet's files have a single convolution here; its outputs are x, y, width, height, objectness and classes of each
    box.
    """

    def __init__(self, inputs: int, per_cell: int, classes: int) -> None:
        super().__init__()
        self.per_cell = per_cell
        self.scores = nn.Conv2d(inputs, per_cell * (1 + classes), 1)
        self.boxes = nn.Conv2d(inputs, per_cell * COORDINATES, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.scores(features), self.boxes(features)


class SlowPool(nn.Module):
    """A 2x2 maximum pool of stride 1 that keeps the map's size; windows at the right and lower edge are smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        pooled: Tensor = self.pool(features)
        return pooled[:, :, 1:, 1:]


def chain(inputs: int, *outputs: int) -> list[nn.Module]:
    """Return a chain of 3x3 units, each followed by a pool that halves the map's side."""
    layers = list[nn.Module]()
    for count in outputs:
        layers += [Unit(inputs, count), nn.MaxPool2d(2)]
        inputs = count
    return layers
