"""A network with torch's padding and batch norm -> the same layers with the padding and batch norm of Keras.

Keras uses TensorFlow's SAME padding. For a layer of stride 2 and an even map, SAME padding adds a row below the map and
a column on its right, whereas torch adds a row or column on every side. Shapes, parameters and multiply-adds stay the
same.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-3  # epsilon of batch norm in Keras; EPSILONS has the values of Keras' ResNets
EPSILONS = {"resnet50_v1": 1.001e-5, "resnet101_v1": 1.001e-5, "resnet152_v1": 1.001e-5}
EXPLICIT = tuple(EPSILONS)  # networks that Keras pads on every side, as torch does


class SamePadded(nn.Conv2d):
    """A convolution with a separate number of padding zeros for each side: `pads` is (left, right, top, bottom)."""

    pads: tuple[int, int, int, int]

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padded: Tensor = super()._conv_forward(functional.pad(input, self.pads), weight, bias)
        return padded


def as_tf(network: nn.Module, name: str, resolution: int) -> nn.Module:
    """Change a network in place: it gets Keras' padding, pooling and epsilon, and its weights keep their names."""
    sides = {} if name in EXPLICIT else _sides(network, resolution)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = EPSILONS.get(name, EPSILON)
        elif isinstance(module, nn.AvgPool2d):
            module.count_include_pad = False
        elif module in sides:
            _pad(module, sides[module])
    return network


def _sides(network: nn.Module, resolution: int) -> dict[Any, int]:
    """Return, for each padded layer of stride 2, the side of the map that it reads."""
    sides, side = dict[Any, int](), resolution
    for layer in network.modules():
        kernel = _side(layer.kernel_size) if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)) else 1
        if kernel == 1:  # shortcuts have 1x1 kernels and do not change the side for the next layer
            continue
        stride, padding = _side(layer.stride), _side(layer.padding)
        if stride == 2 and padding:
            sides[layer] = side
        side = (side + 2 * padding - kernel) // stride + 1
    return sides


def _pad(layer: Any, side: int) -> None:
    """Give a layer SAME padding: half of the lacking rows and columns on each side, and an odd one below or right."""
    lacking = max((-(-side // 2) - 1) * 2 + _side(layer.kernel_size) - side, 0)
    before, after = lacking // 2, lacking - lacking // 2
    if isinstance(layer, nn.MaxPool2d):
        # In ceil mode, a window can extend beyond the lower and right edges; it reads only the values inside the map.
        layer.padding, layer.ceil_mode = before, True
        return
    layer.__class__ = SamePadded
    layer.padding, layer.pads = (0, 0), (before, after, before, after)


def _side(value: Any) -> int:
    """Return the larger side of a kernel, a stride or a padding."""
    return value if isinstance(value, int) else max(value)
