"""A network as torch pads and normalizes -> the same layers as TensorFlow and Keras pad and normalize.

TensorFlow's SAME padding at stride 2 adds a row below and a column on the right of an even map, where torch adds one on
every side. Shapes, parameters and multiply-adds are the same.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-3  # of Keras' batch norm; of its ResNets another
EPSILONS = {"resnet50_v1": 1.001e-5, "resnet101_v1": 1.001e-5, "resnet152_v1": 1.001e-5}
EXPLICIT = tuple(EPSILONS)  # networks that keep the padding on every side, in Keras as in torch


class SamePadded(nn.Conv2d):
    """A convolution that pads `pads` zeros: left, right, top, bottom."""

    pads: tuple[int, int, int, int]

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padded: Tensor = super()._conv_forward(functional.pad(input, self.pads), weight, bias)
        return padded


def as_tf(network: nn.Module, name: str, resolution: int) -> nn.Module:
    """Change padding, pooling and epsilon of a network to Keras', in place; the names in its state dict stay."""
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
    """Return the side of the map that each padded layer of stride 2 reads, following the layers in order."""
    sides, side = dict[Any, int](), resolution
    for layer in network.modules():
        kernel = _side(layer.kernel_size) if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)) else 1
        if kernel == 1:  # of shortcuts, which are beside the others
            continue
        stride, padding = _side(layer.stride), _side(layer.padding)
        if stride == 2 and padding:
            sides[layer] = side
        side = (side + 2 * padding - kernel) // stride + 1
    return sides


def _pad(layer: Any, side: int) -> None:
    """Pad a layer as SAME does: half of what the last window lacks, the odd one below and on the right."""
    lacking = max((-(-side // 2) - 1) * 2 + _side(layer.kernel_size) - side, 0)
    before, after = lacking // 2, lacking - lacking // 2
    if isinstance(layer, nn.MaxPool2d):
        # A window that ends outside the map takes what is inside: ceil mode pads below and on the right.
        layer.padding, layer.ceil_mode = before, True
        return
    layer.__class__ = SamePadded
    layer.padding, layer.pads = (0, 0), (before, after, before, after)


def _side(value: Any) -> int:
    """Return a kernel's, a stride's or a padding's larger side."""
    return value if isinstance(value, int) else max(value)
