"""Change the biases of a network so that they cancel the mean error that rounding the weights causes.

The method follows Nagel et al., ICCV 2019, section 4.2, but the mean is measured on images, including their borders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.export.prepare.fake import weight_rounding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy import float32
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.fx import GraphModule

    from edgebench.schema.quantization import Quantization


def correct(graph: GraphModule, quantization: Quantization, images: Iterator[NDArray[float32]]) -> None:
    """Correct every layer's bias by the mean error that the layer's rounded weights cause in the outputs."""
    import torch

    with torch.no_grad():
        for module, error in _mean_errors(graph, quantization, images).items():
            module.bias = torch.nn.Parameter(-error if module.bias is None else module.bias - error)


def _mean_errors(
    graph: GraphModule, quantization: Quantization, images: Iterator[NDArray[float32]]
) -> dict[Any, Tensor]:
    """Return, for each layer and channel, the mean output error that the rounding of the layer's weights causes."""
    import torch
    from torch import nn

    sums: dict[nn.Module, Tensor] = {}
    counts: dict[nn.Module, int] = {}
    layers = [one for one in graph.modules() if isinstance(one, (nn.Conv2d, nn.Linear))]
    wrong = {layer: weight_rounding(quantization)(layer.weight) - layer.weight for layer in layers}

    def look(layer: Any, inputs: tuple[Tensor, ...]) -> None:
        errors = _applied(layer, inputs[0], wrong[layer]).transpose(0, 1).flatten(1)
        sums[layer] = errors.sum(1, dtype=torch.float64) + sums.get(layer, 0)
        counts[layer] = counts.get(layer, 0) + errors.shape[1]

    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    for batch in images:
        graph(torch.from_numpy(batch))
    for hook in hooks:
        hook.remove()
    return {layer: (sums[layer] / counts[layer]).float() for layer in sums}


def _applied(layer: Any, inputs: Tensor, weights: Tensor) -> Tensor:
    """Return the layer's outputs with the given weights and no bias."""
    from torch.nn import functional

    if not hasattr(layer, "stride"):
        return functional.linear(inputs, weights)
    applied: Tensor = layer._conv_forward(inputs, weights, None)  # pads the inputs as the layer does
    return applied
