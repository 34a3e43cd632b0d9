"""The passes of litert-torch over a traced network, without tracing it once more only to rename its layers.

The last thing that litert-torch (0.10) does before it writes a network is to trace it anew, which replaces each
operator that has a decomposition. At that point a network of ordinary layers has few such operators, and their
decompositions only write them in another way. They are replaced here in place, with the same result, byte for byte.
This takes a quarter to a third off a conversion's time.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# What the operators assume for the arguments that are not given.
CONV2D = (None, [1, 1], [0, 0], [1, 1], 1)  # bias, stride, padding, dilation, groups


@contextmanager
def in_place() -> Iterator[None]:
    """Replace operators in place within the block; trace anew if a network has others with a decomposition."""
    from litert_torch import fx_infra

    original = fx_infra.safe_run_decompositions

    def replaced(program: Any, decompositions: Any = None, can_skip: bool = True) -> Any:
        if can_skip or not decompositions or not _is_ordinary(program, decompositions):
            return original(program, decompositions, can_skip)
        _replace(program.graph)
        program.graph_module.recompile()
        return program

    fx_infra.safe_run_decompositions = replaced
    try:
        yield
    finally:
        fx_infra.safe_run_decompositions = original


def _is_ordinary(program: Any, decompositions: Any) -> bool:
    """Return whether only ordinary layers are left to replace.

    The first time that a network is traced, and after a pass that leaves Python functions in it, it is to be traced
    anew. Convolutions along one axis have a decomposition, those over two axes stay as they are.
    """
    from torch import _ops, ops

    conv2d = ops.aten.conv2d.default
    axes = {conv2d: 4, ops.aten.convolution.default: 4, ops.aten.max_pool2d.default: 4, ops.aten.addmm.default: 2}
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    layers = [node for node in calls if node.target in axes]
    others = {node.target for node in calls} - axes.keys()
    return (
        any(node.target is conv2d for node in layers)
        and all(isinstance(target, _ops.OpOverload) and target not in decompositions for target in others)
        and all(not node.kwargs and node.meta["val"].ndim == axes[node.target] for node in layers)
    )


def _replace(graph: Any) -> None:
    """Replace each layer by the operators into which it would be decomposed."""
    import operator

    from torch import int64, ops

    for node in list(graph.nodes):
        if node.target is ops.aten.conv2d.default:
            image, weight, bias, stride, padding, dilation, groups = node.args + CONV2D[len(node.args) - 2 :]
            node.target = ops.aten.convolution.default
            node.args = (image, weight, bias, stride, padding, dilation, False, [0, 0], groups)
        elif node.target is ops.aten.addmm.default:
            bias, image, weight = node.args
            with graph.inserting_before(node):
                product = graph.call_function(ops.aten.mm.default, (image, weight))
            product.meta = dict(node.meta)
            node.target, node.args = ops.aten.add.Tensor, (product, bias)
        elif node.target is ops.aten.max_pool2d.default:
            with graph.inserting_before(node):
                both = graph.call_function(ops.aten.max_pool2d_with_indices.default, node.args)
            largest, described = node.meta["val"], node.meta["tensor_meta"]
            both.meta = node.meta | {
                "val": (largest, largest.new_empty(largest.shape, dtype=int64)),
                "tensor_meta": (described, described._replace(dtype=int64)),
            }
            node.target, node.args = operator.getitem, (both, 0)
