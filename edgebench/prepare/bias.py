"""A folded network -> the same weights, with biases that take back the mean error of rounding them.

Nagel et al., ICCV 2019, section 4.2, with each input channel's mean seen on images instead of inferred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.prepare.fake import weight_rounding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy import float32
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.fx import GraphModule

    from edgebench.quantization import Quantization


def correct(graph: GraphModule, quantization: Quantization, images: Iterator[NDArray[float32]]) -> None:
    """Shift every layer's bias by what its rounded weights add to its outputs on average."""
    import torch

    with torch.no_grad():
        for module, mean in _input_means(graph, images).items():
            error = weight_rounding(quantization)(module.weight) - module.weight
            of_inputs = error.view(len(error), module.weight.shape[1], -1).sum(2)  # (outputs, inputs of a group)
            shift = of_inputs @ mean if getattr(module, "groups", 1) == 1 else of_inputs[:, 0] * mean
            module.bias = torch.nn.Parameter((0 if module.bias is None else module.bias) - shift)


def _input_means(graph: GraphModule, images: Iterator[NDArray[float32]]) -> dict[Any, Tensor]:
    """Return what every convolution and linear layer reads on average, a value an input channel."""
    import torch
    from torch import nn

    sums: dict[nn.Module, Tensor] = {}
    counts: dict[nn.Module, int] = {}

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        by_channel = inputs[0].transpose(0, 1).flatten(1)
        sums[module] = by_channel.sum(1, dtype=torch.float64) + sums.get(module, 0)
        counts[module] = counts.get(module, 0) + by_channel.shape[1]

    looked_at = [one for one in graph.modules() if isinstance(one, nn.Linear) or _is_plain(one)]
    hooks = [one.register_forward_pre_hook(look) for one in looked_at]
    for batch in images:
        graph(torch.from_numpy(batch))
    for hook in hooks:
        hook.remove()
    return {module: (sums[module] / counts[module]).float() for module in sums}


def _is_plain(module: Any) -> bool:
    """Tell a convolution over all channels or over each alone from one over groups of several."""
    from torch import nn

    return isinstance(module, nn.Conv2d) and (
        module.groups == 1 or module.groups == module.in_channels == module.out_channels
    )
