"""A network -> shapes, activations, parameters and multiply-adds per layer, from a run on the meta device.

The meta device has shapes but no values, so no weights are allocated. For modules with weights, the output's shape is
computed from their settings; operations without weights are run on zeros.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

from edgebench.foundation.shelf import load
from edgebench.networks.build import check, outline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn
    from torch.fx import GraphModule, Node

FLOAT_BYTES, INT8_BYTES = 4, 1

# Modules that a deployed graph computes in the buffer of their input, or merges into the layer before.
_ACTIVATIONS = {"ReLU", "ReLU6", "LeakyReLU", "Hardswish", "Hardsigmoid", "Sigmoid"}
_KEEPS_SHAPE = _ACTIVATIONS | {"BatchNorm2d", "Dropout", "Identity"}
_WINDOWS = {"Conv2d", "MaxPool2d", "AvgPool2d"}
_WEIGHTED = ("convolution", "transposed convolution", "linear")
_IN_PLACE = _KEEPS_SHAPE | {"Flatten"}
_KINDS = {
    "Conv2d": "convolution",
    "ConvTranspose2d": "transposed convolution",
    "Linear": "linear",
    "MaxPool2d": "max pool",
    "AvgPool2d": "average pool",
    "AdaptiveAvgPool2d": "average pool",
    "LocalResponseNorm": "response norm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer with an output of its own; batch norm and activations are counted as part of the layer before.

    Attributes:
        output: shape without the batch axis, (C, H, W) or (C,).
        params: number of trainable values, including the values of a batch norm that follows.
        macs: multiply-adds per image; 0 for all but convolutions, transposed convolutions and linear layers.
        live: number of values in memory while the layer runs: its output and all earlier outputs that are still needed.
        kernel, stride, padding: (height, width) of a convolution or pool; zeros for other layers.
        inputs: shape of the layer's input, (C, H, W) or (C,), before flattening; an empty tuple for the entry that is
            the network's input.
        weights, biases: number of weights and of biases of a convolution or linear layer, without batch norm.
        norms: number of batch norms that are counted as part of the layer.
        field: side in pixels of the receptive field, the part of the image on which one output value depends; the field
            can be larger than the image.
        step: distance in pixels between the receptive fields of two neighbouring output values: the product of the
            strides up to this layer.
        unread: number of rows at the end of the padded input that no window reads, because the stride skips them.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    params: int = 0
    macs: int = 0
    live: int = 0
    kernel: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (0, 0)
    padding: tuple[int, int] = (0, 0)
    inputs: tuple[int, ...] = ()
    weights: int = 0
    biases: int = 0
    norms: int = 0
    field: int = 1
    step: int = 1
    unread: int = 0

    @property
    def activations(self) -> int:
        """Number of values of the layer's output."""
        return prod(self.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A network's layers at batch 1; the first entry of `layers` is the network's input."""

    FOLDER: ClassVar = "descriptions"  # subfolder of the cache

    name: str
    width: float
    resolution: int
    classes: int
    layers: tuple[Layer, ...]

    @property
    def params(self) -> int:
        """Number of trainable values, including scale and shift of batch norms, but not their running statistics."""
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-adds of convolutions and linear layers; other layers are not counted."""
        return sum(layer.macs for layer in self.layers)

    @property
    def activations(self) -> int:
        """Number of values of the input and of the outputs of all layers."""
        return sum(layer.activations for layer in self.layers)

    @property
    def peak_live(self) -> int:
        """Largest number of values that are in memory at the same time."""
        return max(layer.live for layer in self.layers)


def describe(name: str, width: float, resolution: int, classes: int) -> Description:
    """Describe a network of this package at one width and resolution.

    Raises:
        UnknownName: there is no such network.
        RequestError: the network does not support the width or the resolution.
    """
    check(name, width, resolution)
    network, image = _on_meta(name, width, resolution, classes)
    return Description(name=name, width=width, resolution=resolution, classes=classes, layers=layers(network, image))


def layers(network: nn.Module, image: Any) -> tuple[Layer, ...]:
    """Describe any network's layers in order, for an image (1, C, R, R); both arguments must be on the meta device."""
    return tuple(_layers(*_trace(network, image)))


def _on_meta(name: str, width: float, resolution: int, classes: int) -> tuple[nn.Module, Any]:
    import torch

    channels = load("architectures", name).CHANNELS
    network = outline(name, width, classes=classes, resolution=resolution)
    return network, torch.empty(1, channels, resolution, resolution, device="meta")


def output_side(side: int, layer: Any, axis: int) -> int:
    """Return the output side of a convolution or pool: floor((W - F + 2P) / S) + 1, with F widened by dilation.

    With `ceil_mode` the quotient is rounded up, but no window starts outside the padded input. A test compares the
    result with torch's.
    """
    kernel, stride, padding, dilation = (
        _side(getattr(layer, name, 1))[axis] for name in ("kernel_size", "stride", "padding", "dilation")
    )
    span = side + 2 * padding - dilation * (kernel - 1) - 1
    if not getattr(layer, "ceil_mode", False):
        return span // stride + 1
    count = -(-span // stride) + 1
    return count - 1 if (count - 1) * stride >= side + padding else count


def enlarged_side(side: int, layer: Any, axis: int) -> int:
    """Return the output side of a transposed convolution: (W - 1)S - 2P + F + output padding."""
    kernel, stride, padding, dilation, more = (
        _side(getattr(layer, name))[axis] for name in ("kernel_size", "stride", "padding", "dilation", "output_padding")
    )
    return (side - 1) * stride - 2 * padding + dilation * (kernel - 1) + more + 1


def _of_one_image(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the output's shape for one image; if a network gives a row per window, the rows become more channels."""
    rows, *rest = shape
    return tuple(rest) if rows == 1 or not rest else (rows * rest[0], *rest[1:])


Shapes = dict["Node", tuple[int, ...]]


def _trace(network: nn.Module, image: Any) -> tuple[GraphModule, Shapes]:
    """Return the network's graph, and for each tensor in the graph the shape without the batch axis."""
    import torch
    from torch import fx, nn

    graph, shapes = fx.symbolic_trace(network), Shapes()

    class Recorder(fx.Interpreter):
        def run_node(self, n: Node) -> Any:
            output = super().run_node(n)
            if isinstance(output, torch.Tensor):
                shapes[n] = tuple(output.shape) if n.op == "get_attr" else _of_one_image(output.shape)
            return output

        # On the meta device, sums, means and similar functions make torch import its whole compiler, which is slow.
        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            return _of_zeros(super().call_function, target, args, kwargs)

        def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
            module: Any = graph.get_submodule(str(target))
            if type(module).__name__ in _KEEPS_SHAPE:
                return args[0]
            if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
                count, channels, *sides = args[0].shape
                outputs = (output_side(side, module, axis) for axis, side in enumerate(sides))
                return torch.empty(count, getattr(module, "out_channels", channels), *outputs, device="meta")
            if isinstance(module, nn.ConvTranspose2d):
                count, _, *sides = args[0].shape
                outputs = (enlarged_side(side, module, axis) for axis, side in enumerate(sides))
                return torch.empty(count, module.out_channels, *outputs, device="meta")
            if isinstance(module, nn.Linear):
                return torch.empty(*args[0].shape[:-1], module.out_features, device="meta")
            if [*module.parameters(), *module.buffers()]:
                return super().call_module(target, args, kwargs)
            return _of_zeros(super().call_module, target, args, kwargs)

    Recorder(graph).run(image)
    return graph, shapes


def _of_zeros(call: Callable[..., Any], target: Any, args: Any, kwargs: Any) -> Any:
    """Call a function or module that has no weights, with zeros as arguments; return the results as meta tensors."""
    import torch
    from torch.fx.node import map_aggregate

    def zeros(value: Any) -> Any:
        return torch.zeros(value.shape, dtype=value.dtype) if isinstance(value, torch.Tensor) else value

    def shape(value: Any) -> Any:
        return value.to("meta") if isinstance(value, torch.Tensor) else value

    return map_aggregate(call(target, map_aggregate(args, zeros), map_aggregate(kwargs, zeros)), shape)


def _layers(graph: GraphModule, shapes: Shapes) -> Iterator[Layer]:
    """Yield the layers in order, each with its parameters and the number of values in memory while it runs."""
    nodes = list(graph.graph.nodes)
    roots = {
        node: _root(node, graph, shapes) for node in nodes if node in shapes and node.op not in ("get_attr", "output")
    }
    params = _params(graph, roots)
    places = {node: place for place, node in enumerate(nodes)}
    last_use = {
        root: max(places[user] for node, owner in roots.items() if owner is root for user in (node, *node.users))
        for root in set(roots.values())
    }
    norms = Counter(root for node, root in roots.items() if _is_norm(node, graph))
    sights: dict[Node, _Sight] = {}
    for root in dict.fromkeys(roots.values()):
        now = places[root]
        live = [node for node in last_use if places[node] <= now <= last_use[node]]
        layer = _layer(root, graph, shapes, params.get(root, 0), live=sum(prod(shapes[node]) for node in live))
        sources = list(dict.fromkeys(roots[node] for node in root.all_input_nodes if node in roots))
        sights[root] = _sight(root, graph, shapes, [(shapes[source], sights[source]) for source in sources])
        seen = sights[root]
        inputs = shapes[sources[0]] if sources else ()
        yield replace(layer, inputs=inputs, norms=norms[root], field=seen.field, step=seen.step, unread=seen.unread)


def _is_norm(node: Node, graph: GraphModule) -> bool:
    return node.op == "call_module" and type(graph.get_submodule(str(node.target))).__name__ == "BatchNorm2d"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """The part of the image on which one output value of a layer depends; `Layer` explains the fields."""

    field: int = 1
    step: int = 1
    unread: int = 0


def _sight(node: Node, graph: GraphModule, shapes: Shapes, sources: Sequence[tuple[tuple[int, ...], _Sight]]) -> _Sight:
    """Return how much of the image a layer sees; if it has several inputs, the largest of their results counts."""
    module: Any = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
    seen = [_behind(module, shapes[node], inputs, sight) for inputs, sight in sources]
    return max(seen, key=lambda sight: (sight.field, sight.step), default=_Sight())


def _behind(module: Any, outputs: tuple[int, ...], inputs: tuple[int, ...], before: _Sight) -> _Sight:
    """Return how much of the image a layer's output sees, if its input sees `before`.

    Source: Dumoulin and Visin, arXiv:1603.07285.
    """
    side, now = _longest(inputs), _longest(outputs)
    if type(module).__name__ in _WINDOWS:
        names = ("kernel_size", "stride", "dilation")
        kernel, stride, dilation = (max(_side(getattr(module, name, 1))) for name in names)
        kernel = dilation * (kernel - 1) + 1
        unread = max(_unread(module, length, axis) for axis, length in enumerate(inputs[1:]))
    elif type(module).__name__ == "ConvTranspose2d":  # each input value is spread over a kernel's area of output values
        wide, apart = (max(_side(getattr(module, name))) for name in ("kernel_size", "stride"))
        return _Sight(field=before.field + (-(-wide // apart) - 1) * before.step, step=max(1, before.step // apart))
    elif now > side:  # upsampling: the outputs lie closer together
        return _Sight(field=before.field, step=max(1, before.step * side // now))
    else:  # layers that pool all of their input to fewer values, or flatten it
        kernel, stride, unread = -(-side // now), max(1, side // now), 0
    return _Sight(field=before.field + (kernel - 1) * before.step, step=before.step * stride, unread=unread)


def _longest(shape: tuple[int, ...]) -> int:
    """Return the longer side of a feature map; 1 for a vector."""
    return max(shape[1:], default=1)


def _unread(module: Any, side: int, axis: int) -> int:
    """Return the number of rows of the padded input that no window reads; 0 if windows can extend past the end."""
    kernel, stride, padding, dilation = (
        _side(getattr(module, name, 1))[axis] for name in ("kernel_size", "stride", "padding", "dilation")
    )
    if getattr(module, "ceil_mode", False):
        return 0
    return (side + 2 * padding - dilation * (kernel - 1) - 1) % stride


def _root(node: Node, graph: GraphModule, shapes: Shapes) -> Node:
    """Return the node whose memory buffer holds this node's output."""
    while _is_in_place(node, graph, shapes):
        node = node.all_input_nodes[0]
    return node


def _is_in_place(node: Node, graph: GraphModule, shapes: Shapes) -> bool:
    """Return whether a node writes its output into its input's buffer, as activations, batch norms and views do."""
    if node.op == "call_module":
        module: Any = graph.get_submodule(str(node.target))
        is_identity = getattr(module, "kernel_size", 0) == 1 and type(module).__name__ == "AvgPool2d"
        return is_identity or type(module).__name__ in _IN_PLACE
    inputs = [source for source in node.all_input_nodes if source in shapes]
    is_call = node.op in ("call_function", "call_method")
    return is_call and len(inputs) == 1 and prod(shapes[inputs[0]]) == prod(shapes[node])


def _called(node: Node) -> str:
    return node.target if isinstance(node.target, str) else node.target.__name__


def _params(graph: GraphModule, roots: dict[Node, Node]) -> dict[Node, int]:
    """Count the trainable values of each layer, including modules that are counted as part of the layer."""
    counted: dict[Node, int] = {}
    for node in graph.graph.nodes:
        if node.op == "call_module" and node in roots:
            module = graph.get_submodule(str(node.target))
            values = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
            counted[roots[node]] = counted.get(roots[node], 0) + values
        elif node.op == "get_attr" and node.users:
            owner, _, name = str(node.target).rpartition(".")
            value = getattr(graph.get_submodule(owner), name)
            user = next((user for user in node.users if user in roots), None)
            if user is not None and getattr(value, "requires_grad", False):
                counted[roots[user]] = counted.get(roots[user], 0) + value.numel()
    return counted


def _layer(node: Node, graph: GraphModule, shapes: Shapes, params: int, *, live: int) -> Layer:
    if node.op != "call_module":
        kind = "input" if node.op == "placeholder" else _called(node)
        return Layer(name=node.name, kind=kind, output=shapes[node], params=params, live=live)
    module: Any = graph.get_submodule(str(node.target))
    kind = _KINDS.get(type(module).__name__, type(module).__name__.lower())
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    has_macs = kind in _WEIGHTED
    return Layer(
        name=str(node.target),
        kind="depthwise convolution" if getattr(module, "groups", 1) == shapes[node][0] > 1 else kind,
        output=shapes[node],
        params=params,
        macs=_macs(node, shapes, kind, weight) if has_macs and weight is not None else 0,
        live=live,
        kernel=_side(getattr(module, "kernel_size", 0)),
        weights=int(weight.numel()) if has_macs and weight is not None else 0,
        biases=int(bias.numel()) if has_macs and bias is not None else 0,
        stride=_side(getattr(module, "stride", 0)),
        padding=_side(getattr(module, "padding", 0)),
    )


def _macs(node: Node, shapes: Shapes, kind: str, weight: Any) -> int:
    """Return a layer's multiply-adds: its number of output values times the number of weights that each value needs.

    For a transposed convolution, return the number of input values, times the number of weights by which each input
    value is multiplied.
    """
    counted = node.all_input_nodes[0] if kind == "transposed convolution" else node
    return prod(shapes[counted]) * int(weight[0].numel())


def _side(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
