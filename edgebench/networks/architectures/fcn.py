"""Fully convolutional networks on VGG16 (Long, Shelhamer and Darrell, arXiv:1411.4038, Fig. 3).

The output `map`, (N, 1 + classes, R, R), has scores of the background and of each class. The names in the state
dict are pytorch-fcn's. As in pytorch-fcn, all transposed convolutions are trained.
"""

from torch import Tensor, nn

from edgebench.networks.architectures.vgg import CONVOLUTIONS, DROPOUT, HIDDEN, MAPS, SIDE

SOURCE = "Long et al., Fully Convolutional Networks, arXiv:1411.4038, Fig. 3; wkentaro/pytorch-fcn"
NAMES = ("fcn32s", "fcn16s", "fcn8s")
TASK = "segmentation"
WIDTHS = (1.0,)
RESOLUTIONS = {"fcn32s": (500,), "fcn16s": (500,), "fcn8s": (500,)}
CHANNELS = 3
CLASSES = 20

PADDING = 100  # padding of the first convolution; it is so large that scores cover an image of any size
# Because of the padding, the image does not begin at the first row and column of a map, but at these.
# OFFSETS are for the last map, and POOL_OFFSETS for the scores from pools.
OFFSETS = {"fcn32s": 19, "fcn16s": 27, "fcn8s": 31}
POOL_OFFSETS = {4: 5, 3: 9}
POOLS = {"fcn32s": (), "fcn16s": (4,), "fcn8s": (4, 3)}
STEPS = {"fcn32s": 32, "fcn16s": 16, "fcn8s": 8}


class FCN(nn.Module):
    """VGG16 whose dense layers are convolutions; scores at strides 32, 16 and 8 are enlarged to the image's size."""

    def __init__(self, name: str, classes: int, resolution: int) -> None:
        super().__init__()
        self.pools, self.offset, self.resolution = POOLS[name], OFFSETS[name], resolution
        inputs, columns = CHANNELS, 1 + classes
        for stage, (count, outputs) in enumerate(zip(CONVOLUTIONS["vgg16"], MAPS, strict=True), 1):
            for number in range(1, count + 1):
                padding = PADDING if stage == number == 1 else 1
                self.add_module(f"conv{stage}_{number}", nn.Conv2d(inputs, outputs, 3, padding=padding))
                inputs = outputs
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.fc6 = nn.Conv2d(inputs, HIDDEN, SIDE)
        self.fc7 = nn.Conv2d(HIDDEN, HIDDEN, 1)
        self.drop = nn.Dropout2d(DROPOUT)
        self.score_fr = nn.Conv2d(HIDDEN, columns, 1)
        for pool in self.pools:
            self.add_module(f"score_pool{pool}", nn.Conv2d(MAPS[pool - 1], columns, 1))
        self.enlargers = self._enlargers(STEPS[name], columns)
        self.sides = self._sides()

    def _enlargers(self, step: int, columns: int) -> tuple[str, ...]:
        """Add the transposed convolutions to the network; return the names of these layers in order."""
        steps = {name: 2 for name, _ in zip(("upscore2", "upscore_pool4"), self.pools, strict=False)}
        steps["upscore" if step == STEPS["fcn32s"] else f"upscore{step}"] = step
        for name, stride in steps.items():
            self.add_module(name, nn.ConvTranspose2d(columns, columns, 2 * stride, stride, bias=False))
        return tuple(steps)

    def _sides(self) -> tuple[int, ...]:
        """Return the side of the maps after each enlargement by two."""
        side = self.resolution + 2 * PADDING - 2
        for _ in MAPS:
            side = -(-side // 2)
        side, sides = side - SIDE + 1, []
        for _ in self.pools:
            side = 2 * side + 2
            sides.append(side)
        return tuple(sides)

    def forward(self, images: Tensor) -> Tensor:
        kept = dict[int, Tensor]()
        for stage, count in enumerate(CONVOLUTIONS["vgg16"], 1):
            for number in range(1, count + 1):
                images = self.relu(getattr(self, f"conv{stage}_{number}")(images))
            images = kept[stage] = self.pool(images)
        for layer in (self.fc6, self.fc7):
            images = self.drop(self.relu(layer(images)))
        scores = self.score_fr(images)
        for name, pool, side in zip(self.enlargers, self.pools, self.sides, strict=False):
            finer = getattr(self, f"score_pool{pool}")(kept[pool])
            scores = getattr(self, name)(scores) + part(finer, POOL_OFFSETS[pool], side)
        return part(getattr(self, self.enlargers[-1])(scores), self.offset, self.resolution)


def part(map: Tensor, start: int, side: int) -> Tensor:
    """Cut a square out of a map."""
    return map[:, :, start : start + side, start : start + side]


def accepts(name: str, resolution: int) -> bool:
    """Return whether the image's side is at least 32, the stride of the coarsest scores."""
    return resolution >= 32


def build(name: str, width: float, *, classes: int, resolution: int) -> nn.Module:
    """Build any of the three networks; all have only width 1."""
    return FCN(name, classes, resolution)
