"""AlexNet in two forms: with one tower as in torchvision, and with two towers as in the paper (Krizhevsky et al.).

The names in the state dict are torchvision's; `alexnet_paper` has more layers, whose names follow the same pattern.
"""

from collections.abc import Callable, Iterable
from functools import partial

from torch import Tensor, nn

SOURCE = "Krizhevsky et al., NIPS 2012, section 3 (alexnet_paper), and arXiv:1404.5997 (alexnet)"
NAMES = ("alexnet", "alexnet_paper")
RESOLUTIONS = {"alexnet": (224,), "alexnet_paper": (227,)}  # the paper says 224, but its maps of 55x55 need 227
CHANNELS = 3
CLASSES = 1000
WIDTHS = (1.0,)

Layer = tuple[int, int, int, int, int, *tuple[Callable[[], nn.Module], ...]]

POOL = partial(nn.MaxPool2d, 3, 2)
NORM = partial(nn.LocalResponseNorm, 5, alpha=5e-4, beta=0.75, k=2)  # torch divides alpha by 5: 1e-4
LAYERS: dict[str, tuple[Layer, ...]] = {  # output maps, kernel, stride, padding, groups; layers after the ReLU
    "alexnet": (
        (64, 11, 4, 2, 1, POOL),
        (192, 5, 1, 2, 1, POOL),
        (384, 3, 1, 1, 1),
        (256, 3, 1, 1, 1),
        (256, 3, 1, 1, 1, POOL),
    ),
    "alexnet_paper": (  # two groups stand for the two towers; the third layer reads both towers
        (96, 11, 4, 0, 1, NORM, POOL),
        (256, 5, 1, 2, 2, NORM, POOL),
        (384, 3, 1, 1, 1),
        (384, 3, 1, 1, 2),
        (256, 3, 1, 1, 2, POOL),
    ),
}
SIDE = 6  # side of the maps that the classifier reads
SIDES = range(
    SIDE, 64, SIDE
)  # sides of the maps before average pooling: multiples of SIDE, so that all windows have the same size
MARGINS = {"alexnet": 31, "alexnet_paper": 35}  # number of border pixels lost without padding
HIDDEN, DROPOUT = 4096, 0.5


def features(layers: Iterable[Layer]) -> nn.Sequential:
    """Chain the convolutions, each followed by a ReLU and by the further layers that the table lists for it."""
    chain, inputs = list[nn.Module](), CHANNELS
    for outputs, kernel, stride, padding, groups, *after in layers:
        chain += [nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups), nn.ReLU(inplace=True)]
        chain += [make() for make in after]
        inputs = outputs
    return nn.Sequential(*chain)


class AlexNet(nn.Module):
    """Five convolutions that give maps of `side`, average pooling to 6x6, and three dense layers."""

    def __init__(self, layers: tuple[Layer, ...], side: int, classes: int) -> None:
        super().__init__()
        self.features = features(layers)
        self.avgpool = nn.AvgPool2d(side // SIDE)
        self.classifier = nn.Sequential(
            nn.Dropout(DROPOUT),
            nn.Linear(layers[-1][0] * SIDE * SIDE, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return logits


def last_side(resolution: int, margin: int) -> int:
    """Return the side of the last maps: the resolution minus the lost border pixels, halved five times."""
    return (resolution - margin) // 32


def accepts(name: str, resolution: int) -> bool:
    """Return whether the side of the last maps is 6 or a multiple of 6."""
    return last_side(resolution, MARGINS[name]) in SIDES


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build either network for a resolution that `accepts` allows; both have only width 1."""
    return AlexNet(LAYERS[name], last_side(resolution, MARGINS[name]), classes)
