"""An ONNX graph -> the multiply-adds of each of its operators, and how many weights it has.

A count is whole or none: what multiplies, or holds weights, and cannot be counted raises `Uncounted`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Sizes = dict[str, tuple[int, ...]]

CONVOLVES = {"Conv": 1, "ConvInteger": 1, "FusedConv": 1, "NhwcFusedConv": 1, "QLinearConv": 3}  # and its weights
DENSE = {"FusedGemm": 1, "Gemm": 1, "QGemm": 3}
PRODUCTS = {
    *("DynamicQuantizeMatMul", "FusedMatMul", "FusedMatMulActivation", "MatMul", "MatMulInteger"),
    *("MatMulIntegerToFloat", "MatMulNBits", "QLinearMatMul"),
}
RECURRENT = {"DynamicQuantizeLSTM", "GRU", "LSTM", "RNN"}
TRANSPOSED = {"ConvTranspose"}
MULTIPLIES = {*CONVOLVES, *DENSE, *PRODUCTS, *RECURRENT, *TRANSPOSED}
# What multiplies in ways of its own, or packs its weights.
_OTHERS = ("Attention", "DFT", "DeformConv", "Einsum", "LinearClassifier", "LinearRegressor", "MatMul", "STFT", "SVM")
_BLOCKED = "com.microsoft.nchwc"  # whose weights are padded to a processor's vectors
# Which inputs of an operator are weights, where not all constants are: scales, statistics and states are none.
_WEIGHTS = {
    "BatchNormalization": (1, 2),
    "ConvInteger": (1,),
    "DequantizeLinear": (0,),
    "DynamicQuantizeLSTM": (1, 2, 3, 7),
    "DynamicQuantizeMatMul": (1, 4),
    "GRU": (1, 2, 3),
    "LSTM": (1, 2, 3, 7),
    "MatMulInteger": (1,),
    "MatMulIntegerToFloat": (1, 6),
    "QGemm": (3, 6),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (3,),
    "QuantizeLinear": (0,),
    "RNN": (1, 2, 3),
}


class Uncounted(Exception):
    """What cannot be counted, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """An operator that multiplies, its name, else its output's, and its multiply-adds for one image."""

    operator: str
    name: str
    macs: int


def multiply_adds(path: Path) -> list[Counted]:
    """Return every operator that multiplies.

    Raises:
        Uncounted: one of them is not known, or a size is not.
    """
    proto = _loaded(path)
    constants = _constants(proto)
    _require_countable(proto.graph, constants)
    nodes = [node for node in proto.graph.node if node.op_type in MULTIPLIES and node.output[0] not in constants]
    sizes = _sizes(proto, nodes)
    return [
        Counted(operator=node.op_type, name=node.name or node.output[0], macs=_of_node(node, sizes)) for node in nodes
    ]


def weights(path: Path) -> int:
    """Count the values of all weights, each tensor once; no shapes, scales or running statistics.

    Raises:
        Uncounted: some lie in a branch or a loop, or are packed, or the size of one is not known.
    """
    import onnx

    proto = _loaded(path)
    _require_plain(proto)
    sizes, kinds = _held(proto), _kinds(proto)
    taken = {
        tensor
        for node in proto.graph.node
        for place, tensor in enumerate(node.input)
        if place in _WEIGHTS.get(node.op_type, range(len(node.input)))
    }
    held = [tensor for tensor in taken if kinds.get(tensor, onnx.TensorProto.INT64) != onnx.TensorProto.INT64]
    if missing := [tensor for tensor in held if tensor not in sizes]:
        sizes = _inferred(proto) | sizes
        missing = [tensor for tensor in missing if tensor not in sizes]
    if missing:
        raise Uncounted(f"the size of {missing[0]} is not known")
    return sum(prod(sizes[tensor]) for tensor in held if sizes[tensor])


def _loaded(path: Path) -> Any:
    """Read a graph for one image, with what its own functions stand for in it."""
    import onnx
    import onnx.inliner

    proto = onnx.load(path)
    if proto.functions:
        proto = onnx.inliner.inline_local_functions(proto)
    constants = {one.name for one in proto.graph.initializer}
    for given in proto.graph.input:
        if given.name not in constants and given.type.tensor_type.shape.dim:
            given.type.tensor_type.shape.dim[0].dim_value = 1
    del proto.graph.value_info[:]  # what it said of open sizes
    for made in proto.graph.output:
        made.type.tensor_type.ClearField("shape")
    return proto


def _constants(proto: Any) -> set[str]:
    """Name what is computed once when the file is loaded: constants, and what is made of nothing else."""
    known = {one.name for one in proto.graph.initializer} | {""}
    for node in proto.graph.node:
        if {*node.input} <= known and not node.op_type.startswith("Random"):
            known |= {*node.output}
    return known - {""}


def _require_countable(graph: Any, constants: set[str]) -> None:
    for node in graph.node:
        if node.output[0] in constants:
            continue
        label = f"{node.op_type} {node.name}".strip()
        if node.domain == _BLOCKED and node.op_type in MULTIPLIES:
            raise Uncounted(f"{label} is packed for another processor")
        if node.op_type not in MULTIPLIES and any(word in node.op_type for word in _OTHERS):
            raise Uncounted(f"{label} is not counted")
        if inner := next((one.op_type for one in _inside(node) if _multiplies(one)), ""):
            raise Uncounted(f"{label} has {inner} in it, as often as it likes")


def _multiplies(node: Any) -> bool:
    return node.op_type in MULTIPLIES or any(word in node.op_type for word in _OTHERS)


def _inside(node: Any) -> Iterator[Any]:
    """Yield the nodes of a node's branches and bodies."""
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for inner in graph.node:
                yield inner
                yield from _inside(inner)


def _sizes(proto: Any, nodes: list[Any]) -> Sizes:
    """Return the sizes of what these nodes take and make: by onnx's own inference, else by onnxruntime's."""
    wanted = {tensor for node in nodes for tensor in (*node.input, node.output[0]) if tensor}
    sizes = _inferred(proto) | _held(proto)
    if missing := sorted(tensor for tensor in wanted if tensor not in sizes):
        sizes |= _by_session(proto, missing)
    return sizes


def _held(proto: Any) -> Sizes:
    """Return the sizes of constants that lie in the file, or that ConstantOfShape makes by a shape in it."""
    import onnx

    tensors = {one.name: one for one in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "Constant":
            tensors |= dict.fromkeys(node.output, *(one.t for one in node.attribute if one.HasField("t")))
    sizes = {name: tuple(tensor.dims) for name, tensor in tensors.items()}
    for node in proto.graph.node:
        if node.op_type == "ConstantOfShape" and node.input[0] in tensors:
            sizes[node.output[0]] = tuple(map(int, onnx.numpy_helper.to_array(tensors[node.input[0]])))
    return sizes


def _kinds(proto: Any) -> dict[str, int]:
    """Return the types of all constants in the file."""
    import onnx

    kinds = {one.name: int(one.data_type) for one in proto.graph.initializer}
    for node in proto.graph.node:
        values = [one.t for one in node.attribute if one.name == "value" and one.HasField("t")]
        if node.op_type in ("Constant", "ConstantOfShape"):
            kinds[node.output[0]] = int(values[0].data_type) if values else onnx.TensorProto.FLOAT
    return kinds


def _inferred(proto: Any) -> Sizes:
    """Return the sizes that onnx infers; nothing where it cannot follow the graph."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    except Exception:  # it has errors of its own for what it does not know
        return {}
    return {
        one.name: tuple(size.dim_value for size in one.type.tensor_type.shape.dim)
        for one in (*graph.input, *graph.value_info, *graph.output)
        if one.type.tensor_type.HasField("shape")
        and all(size.HasField("dim_value") for size in one.type.tensor_type.shape.dim)
    }


def _by_session(proto: Any, tensors: list[str]) -> Sizes:
    """Return the sizes of tensors in the graph that onnxruntime makes of the file; nothing is run."""
    import onnx
    import onnxruntime

    asked = onnx.ModelProto()
    asked.CopyFrom(proto)
    known = {one.name for one in (*asked.graph.output, *asked.graph.input, *asked.graph.initializer)}
    asked.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in tensors if tensor not in known)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(asked.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise Uncounted(f"the size of {tensors[0]} is not known") from error
    return {
        one.name: tuple(one.shape) for one in session.get_outputs() if all(isinstance(size, int) for size in one.shape)
    }


def _of_node(node: Any, sizes: Sizes) -> int:
    """Multiply what an operator makes by the products that each value is the sum of."""

    def size(tensor: str) -> tuple[int, ...]:
        if tensor not in sizes:
            raise Uncounted(f"the size of {tensor} is not known")
        return sizes[tensor]

    given = {one.name: int(one.i) for one in node.attribute}
    if node.op_type in CONVOLVES:
        return prod(size(node.output[0])) * prod(size(node.input[CONVOLVES[node.op_type]])[1:])
    if node.op_type in TRANSPOSED:
        return prod(size(node.input[0])) * prod(size(node.input[1])[1:])
    if node.op_type in RECURRENT:
        return prod(size(node.input[0])[:2]) * sum(prod(size(tensor)) for tensor in node.input[1:3])
    if node.op_type in DENSE:
        weight = size(node.input[DENSE[node.op_type]])
        return prod(size(node.output[0])) * weight[-1 if given.get("transB") else -2]
    if node.op_type == "MatMulNBits":
        return prod(size(node.output[0])) * given["K"]
    left = size(node.input[0])
    return prod(size(node.output[0])) * left[-2 if given.get("transA") and len(left) > 1 else -1]


def _require_plain(proto: Any) -> None:
    """Refuse weights that are no tensors of the graph itself.

    Raises:
        Uncounted: there are some.
    """
    if sparse := [one.values.name for one in proto.graph.sparse_initializer]:
        raise Uncounted(f"{sparse[0]} is sparse")
    for node in proto.graph.node:
        label = f"{node.op_type} {node.name}".strip()
        if node.domain == _BLOCKED or node.op_type.startswith(("MatMulNBits", "MatMulBnb4", "MatMulFpQ4")):
            raise Uncounted(f"the weights of {label} are packed")
        if node.domain == "ai.onnx.ml" and _multiplies(node):
            raise Uncounted(f"the weights of {label} are no tensors")
        if _has_weights_inside(node):
            raise Uncounted(f"{label} has weights in it")


def _has_weights_inside(node: Any) -> bool:
    import onnx

    graphs = [one for at in node.attribute for one in (*([at.g] if at.HasField("g") else []), *at.graphs)]
    held = [one for graph in graphs for one in graph.initializer]
    held += [at.t for one in _inside(node) if one.op_type == "Constant" for at in one.attribute if at.HasField("t")]
    return any(one.dims and one.data_type != onnx.TensorProto.INT64 for one in held) or any(
        _has_weights_inside(inner) for graph in graphs for inner in graph.node
    )
