"""VGG, which has only 3x3 convolutions and three dense layers (Simonyan and Zisserman, arXiv:1409.1556, Table 1).

The names in the state dict are torchvision's. The `_bn` forms have batch norm after every convolution, as in
torchvision.
"""

from torch import Tensor, nn

SOURCE = "Simonyan and Zisserman, arXiv:1409.1556, Table 1: columns A, B, D and E"
NAMES = ("vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn")
RESOLUTIONS = dict.fromkeys(NAMES, (224,))
CHANNELS = 3
CLASSES = 1000
WIDTHS = (1.0,)

MAPS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {  # number of convolutions in each of the five stages
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
SIDE = 7  # side of the maps that the classifier reads
SIDES = range(
    SIDE, 65, SIDE
)  # sides of the maps before average pooling: multiples of SIDE, so that all windows have the same size
HIDDEN, DROPOUT = 4096, 0.5


def features(convolutions: tuple[int, ...], *, normalized: bool) -> nn.Sequential:
    """Chain the five stages, each of which ends with a pool that halves the side."""
    chain, inputs = list[nn.Module](), CHANNELS
    for count, outputs in zip(convolutions, MAPS, strict=True):
        for _ in range(count):
            chain.append(nn.Conv2d(inputs, outputs, 3, padding=1))
            chain += [nn.BatchNorm2d(outputs)] if normalized else []
            chain.append(nn.ReLU(inplace=True))
            inputs = outputs
        chain.append(nn.MaxPool2d(2))
    return nn.Sequential(*chain)


class VGG(nn.Module):
    """Five stages of convolutions that give maps of `side`, average pooling to 7x7, and three dense layers."""

    def __init__(self, convolutions: tuple[int, ...], side: int, classes: int, *, normalized: bool) -> None:
        super().__init__()
        self.features = features(convolutions, normalized=normalized)
        self.avgpool = nn.AvgPool2d(side // SIDE)
        self.classifier = nn.Sequential(
            nn.Linear(MAPS[-1] * SIDE * SIDE, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return logits


def last_side(resolution: int) -> int:
    """Return the side of the last maps, which is the image's side halved five times."""
    return resolution // 32


def accepts(name: str, resolution: int) -> bool:
    """Return whether the side of the last maps is 7 or a multiple of 7."""
    return last_side(resolution) in SIDES


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build any of the eight networks for a resolution that `accepts` allows; all have only width 1."""
    convolutions = CONVOLUTIONS[name.removesuffix("_bn")]
    return VGG(convolutions, last_side(resolution), classes, normalized=name.endswith("_bn"))
