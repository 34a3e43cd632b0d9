"""Trace a network to a graph, and fold every batch norm into the convolution before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn
    from torch.fx import GraphModule, Node


def fold(network: nn.Module) -> GraphModule:
    """Return the network's folded graph with a copy of the weights; it computes the same function up to rounding."""
    from collections import Counter
    from copy import deepcopy

    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    graph = _graph(deepcopy(network).eval())
    calls = Counter(node.target for node in graph.graph.nodes)  # a layer that is called twice keeps its weights
    for norm in [node for node in graph.graph.nodes if isinstance(layer(graph, node), nn.BatchNorm2d)]:
        before = norm.all_input_nodes[0]
        convolution, has_figures = layer(graph, before), layer(graph, norm).running_mean is not None
        is_only = len(before.users) == calls[before.target] == calls[norm.target] == 1
        if isinstance(convolution, nn.Conv2d) and is_only and has_figures:
            replace(graph, before, fuse_conv_bn_eval(convolution, layer(graph, norm)))
            norm.replace_all_uses_with(before)
            graph.graph.erase_node(norm)
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph.requires_grad_()  # needed because torch marks folded biases as not trainable


def _graph(network: nn.Module) -> GraphModule:
    """Return the network's graph with every convolution as one node, even if the layer pads its input separately."""
    from torch import fx, nn

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)

    return fx.GraphModule(network, Tracer().trace(network))


def layer(graph: GraphModule, node: Node) -> Any:
    """Return the module that a node calls; None if it calls no module."""
    return graph.get_submodule(str(node.target)) if node.op == "call_module" else None


def replace(graph: GraphModule, node: Node, module: nn.Module) -> None:
    """Make the node call another module."""
    owner, _, name = str(node.target).rpartition(".")
    setattr(graph.get_submodule(owner), name, module)


def unfold(network: nn.Module, graph: GraphModule) -> nn.Module:
    """Return a copy of the network whose layers are replaced by the graph's layers of the same names."""
    from copy import deepcopy

    from torch import nn

    whole, layers = deepcopy(network), dict(graph.named_modules())
    for name, module in list(whole.named_modules()):
        owner, _, last = name.rpartition(".")
        if isinstance(module, nn.BatchNorm2d) and name not in layers:
            setattr(whole.get_submodule(owner), last, nn.Identity())
        elif name and name in layers and not list(module.children()):  # the network itself has no name
            setattr(whole.get_submodule(owner), last, layers[name])
    return whole.eval()
