"""Variant -> its trainable parameters and multiply-adds, from a run on the meta device: no weights allocated."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgebench.shelf import load
from edgebench.spec import Variant

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a network costs on paper.

    Attributes:
        params: trainable values: batch norm's scale and shift included, its running statistics not.
        macs: multiply-adds of convolutions and linear layers for one image; nothing else counts.
    """

    params: int
    macs: int


def cost(variant: Variant) -> Cost:
    """Count the variant's parameters and multiply-adds at its own resolution."""
    import torch

    with torch.device("meta"):
        network = load("architectures", variant.architecture).build(variant.width, classes=variant.classes).eval()
        image = torch.empty(1, 3, variant.resolution, variant.resolution)
    counted: list[int] = []
    for layer in network.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            layer.register_forward_hook(lambda layer, _, output: counted.append(_macs(layer, output)))
    network(image)
    params = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    return Cost(params=params, macs=sum(counted))


def _macs(layer: "nn.Module", output: "Tensor") -> int:
    """Outputs times the inputs each one sums over: a weight's size without its output axis."""
    weight: Any = layer.weight
    return output.numel() * int(weight[0].numel())
