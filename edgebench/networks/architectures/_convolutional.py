"""A classifier with dense layers -> two networks for larger images: one all of convolutions, one with a sliding window.

A dense layer of K units that reads maps of C x S x S computes the same as a convolution without padding that has K
filters of S x S and the same weights (Long et al., arXiv:1411.4038, section 3.1). For an image larger than the
classifier's own resolution, the network of convolutions gives a map of scores: one score for each position of a window
of that resolution, `step` pixels apart. Both networks keep the names and shapes of the classifier's weights.
"""

from collections.abc import Iterator
from math import isqrt
from typing import Any

import torch
from torch import Tensor, fx, nn

STRIDED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


class Windows(nn.Module):
    """A classifier applied to every window of an image; the output has the shape (N, classes, side, side).

    Args:
        own: side of a window in pixels, which is the classifier's own resolution.
        step: distance between neighbouring windows in pixels.
        side: number of windows along a side of the image.
    """

    places: Tensor

    def __init__(self, network: nn.Module, channels: int, own: int, step: int, side: int) -> None:
        super().__init__()
        self.network, self.channels, self.own, self.side = network, channels, own, side
        places = torch.arange(side)[:, None] * step + torch.arange(own)
        self.register_buffer("places", places.flatten(), persistent=False)
        self.register_state_dict_post_hook(_without_prefix)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_with_prefix)  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor) -> Tensor:
        cut = images.index_select(2, self.places).index_select(3, self.places)
        cut = cut.reshape(-1, self.channels, self.side, self.own, self.side, self.own).permute(0, 2, 4, 1, 3, 5)
        scores: Tensor = self.network(cut.reshape(-1, self.channels, self.own, self.own))
        return scores.reshape(-1, self.side, self.side, scores.shape[1]).permute(0, 3, 1, 2)


PREFIX = "network."


def _without_prefix(module: nn.Module, state: dict[str, Tensor], prefix: str, metadata: Any) -> None:
    for name in [name for name in state if name.startswith(prefix + PREFIX)]:
        state[prefix + name.removeprefix(prefix + PREFIX)] = state.pop(name)


def _with_prefix(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    for name in [name for name in state if name.startswith(prefix) and not name.startswith(prefix + PREFIX)]:
        state[prefix + PREFIX + name.removeprefix(prefix)] = state.pop(name)


def convolutional(network: nn.Module, channels: int, own: int) -> nn.Module:
    """Turn the dense layers of a classifier into convolutions with the same weights.

    `own` is the classifier's own resolution. A global average pool becomes an average pool of stride 1; its window is
    as large as the maps that the global pool reads at the resolution `own`.

    Raises:
        ValueError: the classifier has no dense layer, or a dense layer that does not read square maps.
    """
    traced = fx.symbolic_trace(network)
    for name, side in _pooled(network, channels, own).items():
        traced.set_submodule(name, nn.AvgPool2d(side, 1))
    dense = [node for node in traced.graph.nodes if _module(traced, node, nn.Linear)]
    if not dense:
        raise ValueError("it has no dense layer")
    for node in dense:
        layer: Any = traced.get_submodule(str(node.target))
        count = _channels(traced, node.all_input_nodes[0], channels)
        side = isqrt(layer.in_features // count)
        if side * side * count != layer.in_features:
            raise ValueError(f"its dense layer {node.target} does not read square maps of {count} channels")
        traced.set_submodule(str(node.target), _as_convolution(layer, count, side))
    for node in [node for node in traced.graph.nodes if _flattens(traced, node)]:
        node.replace_all_uses_with(node.all_input_nodes[0])
        traced.graph.erase_node(node)
    traced.recompile()
    return traced


def _pooled(network: nn.Module, channels: int, own: int) -> dict[str, int]:
    """Return, for each global average pool, the side of the maps that it reads at the network's own resolution."""
    pools = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.AdaptiveAvgPool2d)}
    if not pools:
        return {}
    sides, device = dict[str, int](), next(network.parameters()).device

    def keep(name: str) -> Any:
        return lambda _, inputs: sides.update({name: inputs[0].shape[-1]})

    handles = [layer.register_forward_pre_hook(keep(name)) for name, layer in pools.items()]
    with torch.inference_mode():
        network(torch.empty(1, channels, own, own, device=device))
    for handle in handles:
        handle.remove()
    return sides


def _module(traced: fx.GraphModule, node: fx.Node, kind: Any) -> Any:
    """Return the module that a node of the graph calls; None if the node calls no module of the given kind."""
    module = traced.get_submodule(str(node.target)) if node.op == "call_module" else None
    return module if isinstance(module, kind) else None


def _flattens(traced: fx.GraphModule, node: fx.Node) -> bool:
    called = node.op in ("call_method", "call_function") and "flatten" in str(node.target)
    return called or bool(_module(traced, node, nn.Flatten))


def _path(traced: fx.GraphModule, node: fx.Node) -> Iterator[tuple[fx.Node, Any]]:
    """Yield a node and all nodes before it, back to the image, each with the module that it calls."""
    while True:
        yield node, _module(traced, node, nn.Module)
        if not node.all_input_nodes:
            return
        node = node.all_input_nodes[0]


def _channels(traced: fx.GraphModule, node: fx.Node, channels: int) -> int:
    """Return the number of channels at a node; the last layer with weights before the node determines this number."""
    for _, module in _path(traced, node):
        for name in ("out_channels", "num_features", "out_features"):
            if hasattr(module, name):
                return int(getattr(module, name))
    return channels


def _as_convolution(layer: nn.Linear, channels: int, side: int) -> nn.Conv2d:
    """Return a convolution equal to a dense layer; in the state dict, its weight keeps the dense layer's shape."""
    shape = (layer.out_features, channels, side, side)
    convolution = nn.Conv2d(*shape[1::-1], side, bias=layer.bias is not None, device=layer.weight.device)
    with torch.no_grad():
        convolution.weight = nn.Parameter(layer.weight.reshape(shape))
        convolution.bias = layer.bias

    def flat(module: nn.Module, state: dict[str, Tensor], prefix: str, metadata: Any) -> None:
        state[f"{prefix}weight"] = state[f"{prefix}weight"].flatten(1)

    def as_maps(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
        if f"{prefix}weight" in state:
            state[f"{prefix}weight"] = state[f"{prefix}weight"].reshape(shape)

    convolution.register_state_dict_post_hook(flat)  # type: ignore[no-untyped-call]
    convolution.register_load_state_dict_pre_hook(as_maps)  # type: ignore[no-untyped-call]
    return convolution.train(layer.training)


def step(network: nn.Module) -> int:
    """Return the distance in pixels between two neighbouring scores: the product of all strides."""
    traced, product = fx.symbolic_trace(network), 1
    output = next(node for node in traced.graph.nodes if node.op == "output")
    for _, module in _path(traced, output):
        stride = getattr(module, "stride", 1) if isinstance(module, STRIDED) else 1
        product *= stride if isinstance(stride, int) else stride[0]
    return product


def pads(network: nn.Module) -> bool:
    """Return whether any layer pads its input; if so, convolutions and sliding windows give different scores."""
    layers = (layer for layer in network.modules() if isinstance(layer, STRIDED))
    return any(_sides(layer.padding) != (0, 0) for layer in layers)


def _sides(padding: Any) -> tuple[int, int]:
    return (padding, padding) if isinstance(padding, int) else tuple(padding)


def form(name: str, network: nn.Module, channels: int, own: int, resolution: int) -> nn.Module:
    """Return the ending of an architecture's name that selects a form of the classifier: `_windows` or `_conv`."""
    is_sliding = name.endswith("_windows")
    return windows(network, channels, own, resolution) if is_sliding else convolutional(network, channels, own)


def windows(network: nn.Module, channels: int, own: int, resolution: int) -> Windows:
    """Return a network that applies a classifier of resolution `own` to every window of a larger image."""
    apart = step(network)
    return Windows(network, channels, own, apart, (resolution - own) // apart + 1)
