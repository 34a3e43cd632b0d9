"""Make a network round weights and activations as its int8 file will, and turn it back into a float network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.export.prepare.fold import layer

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from edgebench.schema.quantization import Quantization

_PASSES = ("Dropout", "Flatten", "Identity", "MaxPool2d")  # int8 graphs apply these layers to integers without rounding
REDUCED = 64  # the largest integer weight with `reduce_range`, as in onnxruntime
ROUNDING = "rounding"  # prefix of the names of inserted modules


def simulate(graph: GraphModule, quantization: Quantization) -> None:
    """Insert torch's fake quantization of weights and activations, whose gradient ignores the rounding."""
    from torch import nn
    from torch.nn.utils.parametrize import register_parametrization

    for module in [one for one in graph.modules() if isinstance(one, (nn.Conv2d, nn.Linear))]:
        register_parametrization(module, "weight", weight_rounding(quantization), unsafe=True)
    for place, node in enumerate([node for node in graph.graph.nodes if _is_rounded(graph, node)]):
        name = f"{ROUNDING}{place}"
        graph.add_submodule(name, activation_rounding(quantization))
        with graph.graph.inserting_after(node):
            rounded = graph.graph.call_module(name, (node,))
        node.replace_all_uses_with(rounded, delete_user_cb=lambda user, own=rounded: user is not own)
    graph.recompile()


def release(graph: GraphModule) -> None:
    """Remove the fake quantization; the weights keep their unrounded values."""
    from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

    for module in [one for one in graph.modules() if is_parametrized(one, "weight")]:
        remove_parametrizations(module, "weight", leave_parametrized=False)
    for node in [one for one in graph.graph.nodes if str(one.target).startswith(ROUNDING)]:
        node.replace_all_uses_with(node.all_input_nodes[0])
        graph.graph.erase_node(node)
    graph.delete_all_unused_submodules()
    graph.recompile()


def _is_rounded(graph: GraphModule, node: Node) -> bool:
    """Return whether the int8 graph rounds a node's output.

    The int8 graph does not round an output that only a ReLU reads, or the output of a node that only moves values.
    """
    from torch import nn

    if node.op == "output" or node.op == "get_attr":
        return False
    reader = next(iter(node.users)) if len(node.users) == 1 else None
    is_folded = reader is not None and isinstance(layer(graph, reader), (nn.ReLU, nn.ReLU6))
    moves = type(layer(graph, node)).__name__ in _PASSES or node.target in ("flatten", "view", "size")
    return not is_folded and not moves


def weight_rounding(quantization: Quantization) -> Any:
    """Return a module that rounds weights within a range per output channel or per tensor.

    The range of int8 weights is symmetric about zero, but the range of uint8 weights is not.
    """
    import torch
    from torch.ao.quantization import FakeQuantize
    from torch.ao.quantization.observer import MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver

    per_channel, signed = quantization.granularity == "per_channel", quantization.weights == "int8"
    of_one = torch.per_tensor_symmetric if signed else torch.per_tensor_affine
    of_each = torch.per_channel_symmetric if signed else torch.per_channel_affine
    most = (REDUCED if quantization.reduce_range else 127) if signed else (127 if quantization.reduce_range else 255)
    return FakeQuantize(  # type: ignore[no-untyped-call]
        observer=MovingAveragePerChannelMinMaxObserver if per_channel else MovingAverageMinMaxObserver,
        averaging_constant=1.0,  # the last range only, no average: shrinking weights get finer steps at once
        qscheme=of_each if per_channel else of_one,
        dtype=torch.qint8 if signed else torch.quint8,
        quant_min=-most if signed else 0,
        quant_max=most,
    )


def activation_rounding(quantization: Quantization) -> Any:
    """Return a module that rounds activations to a range: a moving average of recent minimums and maximums."""
    import torch
    from torch.ao.quantization import FakeQuantize
    from torch.ao.quantization.observer import MovingAverageMinMaxObserver

    class Rounding(FakeQuantize):
        def train(self, mode: bool = True) -> Any:
            """Switch to training or evaluation mode; only training mode updates the range."""
            self.enable_observer(mode)
            return super().train(mode)

    signed = quantization.activations == "int8"
    return Rounding(  # type: ignore[no-untyped-call]
        observer=MovingAverageMinMaxObserver,
        qscheme=torch.per_tensor_symmetric if quantization.symmetric else torch.per_tensor_affine,
        dtype=torch.qint8 if signed else torch.quint8,
        quant_min=-128 if signed else 0,
        quant_max=127 if signed else 255,
    )
