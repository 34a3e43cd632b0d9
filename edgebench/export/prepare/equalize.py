"""A folded network -> the same function, with weights whose channels share a range.

Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019, section 4.1: where one
convolution alone reads another, a channel may be made smaller in the first and larger in the second. A ReLU between
them does not mind; a ReLU6 does, and becomes a ReLU, as the paper does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.export.prepare.fold import layer, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor
    from torch.fx import GraphModule, Node

SWEEPS = 20  # over all pairs; the ranges hardly move after ten


def equalize(graph: GraphModule) -> None:
    """Even out the channel ranges of every pair of layers, until they agree."""
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
    """Yield each layer with the ReLU after it, if any, and the layer that alone reads them."""
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
    """Tell whether a module's input channels are an axis of its weights, or are its output channels."""
    from torch import nn

    if isinstance(module, nn.Conv2d):
        return module.groups == 1 or module.groups == module.in_channels == module.out_channels
    return isinstance(module, nn.Linear)


def _even_out(first: Any, second: Any) -> None:
    """Scale each channel between two layers so that its weights span the same range in both."""
    made, read = _largest(first.weight, 0), _largest(second.weight, _input_axis(second))
    scale = (made / read).sqrt()
    scale[(made == 0) | (read == 0)] = 1.0  # a channel that is nothing stays nothing
    if first.bias is not None and (most := first.bias.abs().max()) > 0:
        scale = scale.maximum(first.bias.abs() / most)  # else a nearly dead one's bias would span all activations
    first.weight /= scale.view(-1, *[1] * (first.weight.dim() - 1))
    if first.bias is not None:
        first.bias /= scale
    shape = [1] * second.weight.dim()
    shape[_input_axis(second)] = -1
    second.weight *= scale.view(shape)


def _input_axis(module: Any) -> int:
    """Return the axis of the weights that counts input channels: the first where a channel reads itself alone."""
    return 0 if getattr(module, "groups", 1) > 1 else 1


def _largest(weights: Tensor, axis: int) -> Tensor:
    """Return the largest magnitude along one axis."""
    return weights.abs().transpose(0, axis).flatten(1).amax(1)
