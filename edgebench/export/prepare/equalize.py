"""Give a network's weights the same range in every channel, without changing the function that it computes.

The method follows Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019,
section 4.1. If only one convolution reads the output of another, each channel can be scaled down in the first
convolution and scaled up by the same factor in the second. A ReLU between the two convolutions allows this scaling, but
a ReLU6 does not. A ReLU6 is therefore replaced by a ReLU, as in the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.export.prepare.fold import layer, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor
    from torch.fx import GraphModule, Node

SWEEPS = 20  # passes over all pairs; the ranges hardly change after ten


def equalize(graph: GraphModule) -> None:
    """Equalize the channel ranges of every pair of layers; repeat this, because pairs share layers."""
    import torch
    from torch import nn

    found = list(pairs(graph))
    for _, between, _ in found:
        if between is not None:
            replace(graph, between, nn.ReLU())
    with torch.no_grad():
        for _ in range(SWEEPS):
            for first, _, second in found:
                _even_out(first, second)


def pairs(graph: GraphModule) -> Iterator[tuple[Any, Node | None, Any]]:
    """Yield (layer, ReLU or None, next layer) if only the next layer reads the output, directly or through the ReLU."""
    from torch import nn

    for node in graph.graph.nodes:
        first, reader, between = layer(graph, node), _only_reader(node), None
        if reader is not None and isinstance(layer(graph, reader), (nn.ReLU, nn.ReLU6)):
            between, reader = reader, _only_reader(reader)
        second = layer(graph, reader) if reader is not None else None
        if _has_channels(first) and _has_channels(second) and type(first) is type(second):
            yield first, between, second


def _only_reader(node: Node) -> Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _has_channels(module: Any) -> bool:
    """Return whether a module is a linear layer, or an ungrouped or depthwise convolution."""
    from torch import nn

    if isinstance(module, nn.Conv2d):
        return module.groups == 1 or module.groups == module.in_channels == module.out_channels
    return isinstance(module, nn.Linear)


def _even_out(first: Any, second: Any) -> None:
    """Scale each channel between two layers so that the channel's weights span the same range in both layers."""
    made, read = _largest(first.weight, 0), _largest(second.weight, _input_axis(second))
    scale = (made / read).sqrt()
    scale[(made == 0) | (read == 0)] = 1.0  # a channel of zeros stays zero
    if first.bias is not None and (most := first.bias.abs().max()) > 0:
        # otherwise the bias of a nearly zero channel would exceed all activations
        scale = scale.maximum(first.bias.abs() / most)
    first.weight /= scale.view(-1, *[1] * (first.weight.dim() - 1))
    if first.bias is not None:
        first.bias /= scale
    shape = [1] * second.weight.dim()
    shape[_input_axis(second)] = -1
    second.weight *= scale.view(shape)


def _input_axis(module: Any) -> int:
    """Return the axis of the weights for the input channels: 0 for a depthwise convolution, else 1."""
    return 0 if getattr(module, "groups", 1) > 1 else 1


def _largest(weights: Tensor, axis: int) -> Tensor:
    """Return the largest magnitude along one axis."""
    return weights.abs().transpose(0, axis).flatten(1).amax(1)
