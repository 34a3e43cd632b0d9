"""A fully convolutional head on a classifier's features, shared by `mobilenet_v1_seg` and `mobilenet_v2_seg`.

The head follows Long, Shelhamer and Darrell, arXiv:1411.4038. Features at strides 32, 16, 8 and 4 become maps of a few
channels. A transposed convolution enlarges each map, and the result is added to the map of the next smaller stride. The
last transposed convolution gives the scores of every pixel. Transposed convolutions have no groups here, because TFLite
would make one operator of each group, and onnxruntime would compute each group in float.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgebench.networks.architectures._detector import side

CHANNELS = 24
STRIDES = (4, 8, 16, 32)


def enlarger(inputs: int, outputs: int, stride: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution that enlarges maps `stride` times; its kernel is twice as large as the stride."""
    return nn.ConvTranspose2d(inputs, outputs, 2 * stride, stride, stride // 2)


def bilinear(layer: nn.ConvTranspose2d) -> None:
    """Initialize a transposed convolution as bilinear interpolation of each channel, as in the paper."""
    width = layer.kernel_size[0]
    ramp = 1 - torch.abs((torch.arange(width) - (width - 1) / 2) / layer.stride[0])
    with torch.no_grad():
        layer.weight.zero_()
        for channel in range(min(layer.weight.shape[:2])):
            layer.weight[channel, channel] = ramp[:, None] * ramp


class Segmenter(nn.Module):
    """A segmenter: a classifier's features at strides 4, 8, 16 and 32, and the head.

    Args:
        stages: three modules for strides 8, 16 and 32; each computes its features from the features of the previous
            stride.
        quarter: index, in the first stage, of the layer whose output has stride 4.
        counts: numbers of channels of the four features, from stride 4 to stride 32.
    """

    def __init__(
        self, stages: Sequence[nn.Module], quarter: int, counts: Sequence[int], classes: int, resolution: int
    ) -> None:
        super().__init__()
        self.features = nn.ModuleList(stages)
        self.quarter = quarter
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(count, CHANNELS, 1, bias=False), nn.BatchNorm2d(CHANNELS)) for count in counts
        )
        self.enlarge = nn.ModuleList(enlarger(CHANNELS, CHANNELS, 2) for _ in STRIDES[1:])
        self.act = nn.ReLU6(inplace=True)
        self.map = enlarger(CHANNELS, 1 + classes, STRIDES[0])
        self.sides = [resolution, *(side(resolution, stride) for stride in STRIDES)]
        for layer in self.enlarge:
            bilinear(layer)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        features = list[Tensor]()
        for place, layer in enumerate(self.features[0].children()):
            images = layer(images)
            if place == self.quarter:
                features.append(images)
        features.append(images)
        for stage in list(self.features)[1:]:
            features.append(stage(features[-1]))
        return self._fit(self.map(self._fused(features)), 0)

    def _fused(self, features: Sequence[Tensor]) -> Tensor:
        """Return the maps at stride 4, to which every coarser feature has been added."""
        fused: Tensor = self.act(self.laterals[-1](features[-1]))
        for place in range(len(STRIDES) - 2, -1, -1):
            enlarged = self._fit(self.enlarge[place](fused), place + 1)
            fused = self.act(self.laterals[place](features[place]) + enlarged)
        return fused

    def _fit(self, enlarged: Tensor, place: int) -> Tensor:
        """Cut off the rows and columns by which an enlarged map is too large, because halving rounds sides up."""
        wanted, doubled = self.sides[place], self.sides[place + 1] * (2 if place else STRIDES[0])
        return enlarged if wanted == doubled else enlarged[:, :, :wanted, :wanted]
