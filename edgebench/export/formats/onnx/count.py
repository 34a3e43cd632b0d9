"""Count the multiply-adds of each operator of an ONNX graph, and the number of weights.

Operators that cannot be counted are named; the count is then a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Sizes = dict[str, tuple[int, ...]]

# For each operator, the index of the input that is its weights.
CONVOLVES = {"Conv": 1, "ConvInteger": 1, "DeformConv": 1, "FusedConv": 1, "NhwcFusedConv": 1, "QLinearConv": 3}
DENSE = {"FusedGemm": 1, "Gemm": 1, "QGemm": 3}
PRODUCTS = {
    *("DynamicQuantizeMatMul", "FusedMatMul", "FusedMatMulActivation", "MatMul", "MatMulInteger"),
    *("MatMulIntegerToFloat", "MatMulNBits", "QLinearMatMul"),
}
RECURRENT = {"DynamicQuantizeLSTM", "GRU", "LSTM", "RNN"}
TRANSPOSED = {"ConvTranspose"}
ATTENDS = {"Attention", "MultiHeadAttention"}
SUMS = {"Einsum"}
MULTIPLIES = {*ATTENDS, *CONVOLVES, *DENSE, *PRODUCTS, *RECURRENT, *SUMS, *TRANSPOSED}
# Words in the names of operators that multiply, but whose multiply-adds this module cannot compute.
_OTHERS = (
    *("Attention", "Conv", "DFT", "Einsum", "GRU", "GatedRelativePositionBias", "Gemm", "LSTM", "LinearClassifier"),
    *("LinearRegressor", "MatMul", "MoE", "RNN", "STFT", "SVM"),
)
# Attributes of a Constant that are not tensors.
_LISTS, _SINGLE = ("value_floats", "value_ints", "value_strings"), ("value_float", "value_int", "value_string")
_BLOCKED = "com.microsoft.nchwc"  # operators of this domain pad their weights to the vector length of a processor
# Some operators also have constants that are not weights, such as scales. Here are the indices of their weights.
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
    """Something cannot be counted; the message is a short reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A multiplying operator: its type, its multiply-adds for one image, and its name (or the name of its output)."""

    operator: str
    name: str
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The counted operators of a graph, and the reasons why other operators could not be counted.

    If an operator could not be counted, the sum of the counts is a lower bound.
    """

    counted: tuple[Counted, ...]
    uncounted: tuple[str, ...]


def multiply_adds(path: Path) -> list[Counted]:
    """Return every multiplying operator of a file with its multiply-adds.

    Raises:
        Uncounted: an operator or a size is unknown.
    """
    account = account_of(loaded(path))
    if account.uncounted:
        raise Uncounted(account.uncounted[0])
    return list(account.counted)


def account_of(proto: Any, *, may_open: bool = True) -> Account:
    """Count the multiply-adds of a graph that `loaded` or `prepared` returned.

    Without `may_open` only onnx's shape inference is used, and no runtime opens the graph.
    """
    constants = _constants(proto)
    live = [node for node in proto.graph.node if node.output and node.output[0] not in constants]
    reasons = [reason for node in live if (reason := _why_not(node))]
    nodes = [node for node in live if node.op_type in MULTIPLIES and not _why_not(node)]
    sizes = _sizes(proto, nodes, may_open=may_open)
    counted = []
    for node in nodes:
        try:
            macs = _of_node(node, sizes)
        except Uncounted as error:
            reasons.append(str(error))
        else:
            counted.append(Counted(operator=node.op_type, name=node.name or node.output[0], macs=macs))
    return Account(counted=tuple(counted), uncounted=tuple(dict.fromkeys(reasons)))


def weights(proto: Any) -> tuple[int, tuple[str, ...]]:
    """Count the values of all weights, each tensor once; omit shapes, scales and running statistics.

    Also return a short reason for each omission: weights in a branch or a loop, packed weights, unknown sizes.
    """
    import onnx

    reasons = _not_plain(proto)
    sizes, kinds = held(proto), _kinds(proto)
    taken = {
        tensor
        for node in proto.graph.node
        for place, tensor in enumerate(node.input)
        if place in _WEIGHTS.get(node.op_type, range(len(node.input)))
    }
    packed = {tensor for node in proto.graph.node if _is_packed(node) for tensor in node.input}
    constants = [tensor for tensor in taken if kinds.get(tensor, onnx.TensorProto.INT64) != onnx.TensorProto.INT64]
    if missing := [tensor for tensor in constants if tensor not in sizes]:
        sizes = sizes_of(proto) | sizes
        missing = [tensor for tensor in missing if tensor not in sizes]
    reasons += [f"the size of {tensor} is not known" for tensor in missing]
    known = [tensor for tensor in constants if tensor in sizes and tensor not in packed]
    return sum(prod(sizes[tensor]) for tensor in known if sizes[tensor]), tuple(dict.fromkeys(reasons))


def loaded(path: Path) -> Any:
    """Read a file's graph, with a batch of one and with its local functions inlined."""
    import onnx

    return prepared(onnx.load(path))


def prepared(proto: Any) -> Any:
    """Return a graph with a batch of one, with its local functions inlined."""
    import onnx
    import onnx.inliner

    if proto.functions:
        proto = onnx.inliner.inline_local_functions(proto)
    constants = {one.name for one in proto.graph.initializer}
    for given in proto.graph.input:
        dims = given.type.tensor_type.shape.dim
        if given.name not in constants and dims and dims[0].dim_value < 1:
            dims[0].dim_value = 1
    del proto.graph.value_info[:]  # these declared shapes may have open sizes
    for made in proto.graph.output:
        made.type.tensor_type.ClearField("shape")
    return proto


def _constants(proto: Any) -> set[str]:
    """Return the names of constants, and of tensors that are computed once, at loading, from constants only."""
    known = {one.name for one in proto.graph.initializer} | {""}
    for node in proto.graph.node:
        if {*node.input} <= known and not node.op_type.startswith("Random"):
            known |= {*node.output}
    return known - {""}


def _why_not(node: Any) -> str:
    """Return what prevents counting an operator's multiply-adds; an empty text if nothing prevents it."""
    label = f"{node.op_type} {node.name}".strip()
    if node.domain == _BLOCKED and node.op_type in MULTIPLIES:
        return f"{label} is packed for another processor"
    if node.op_type not in MULTIPLIES and any(word in node.op_type for word in _OTHERS):
        return f"{label} is not counted"
    if inner := next((one.op_type for one in _inside(node) if _multiplies(one)), ""):
        return f"{label} runs {inner} an unknown number of times"
    return ""


def _multiplies(node: Any) -> bool:
    return node.op_type in MULTIPLIES or any(word in node.op_type for word in _OTHERS)


def _inside(node: Any) -> Iterator[Any]:
    """Yield the nodes in a node's branches and loop bodies."""
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            for inner in graph.node:
                yield inner
                yield from _inside(inner)


def _sizes(proto: Any, nodes: list[Any], *, may_open: bool) -> Sizes:
    """Return the sizes of the nodes' inputs and outputs; onnxruntime infers the sizes that onnx cannot infer."""
    wanted = {tensor for node in nodes for tensor in (*node.input, node.output[0]) if tensor}
    sizes = sizes_of(proto) | held(proto)
    missing = sorted(tensor for tensor in wanted if tensor not in sizes)
    return sizes | _by_session(proto, missing) if missing and may_open else sizes


def held(proto: Any) -> Sizes:
    """Return the sizes of constants in the file, and of constants that ConstantOfShape makes from a constant shape."""
    import onnx

    tensors, sizes = {one.name: one for one in proto.graph.initializer}, Sizes()
    for node in proto.graph.node:
        for value in node.attribute if node.op_type == "Constant" else ():
            if value.HasField("t"):
                tensors[node.output[0]] = value.t
            elif value.name in _LISTS:
                sizes[node.output[0]] = (len(value.floats) + len(value.ints) + len(value.strings),)
            elif value.name in _SINGLE:
                sizes[node.output[0]] = ()
    sizes |= {name: tuple(tensor.dims) for name, tensor in tensors.items()}
    for node in proto.graph.node:
        if node.op_type == "ConstantOfShape" and node.input[0] in tensors:
            sizes[node.output[0]] = tuple(map(int, onnx.numpy_helper.to_array(tensors[node.input[0]])))
    return sizes


def _kinds(proto: Any) -> dict[str, int]:
    """Return the types of all constants in the file; omit integers in attributes, which are shapes and axes."""
    import onnx

    kinds = {one.name: int(one.data_type) for one in proto.graph.initializer}
    for node in proto.graph.node:
        values = {one.name: one for one in node.attribute}
        if node.op_type not in ("Constant", "ConstantOfShape"):
            continue
        if "value" in values:
            kinds[node.output[0]] = int(values["value"].t.data_type)
        elif node.op_type == "ConstantOfShape" or {"value_float", "value_floats"} & {*values}:
            kinds[node.output[0]] = onnx.TensorProto.FLOAT
    return kinds


def sizes_of(proto: Any) -> Sizes:
    """Return all sizes of tensors that onnx can infer; an empty mapping if onnx cannot analyse the graph."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    except Exception:  # onnx raises many kinds of errors on unknown operators
        return {}
    return {
        one.name: tuple(size.dim_value for size in one.type.tensor_type.shape.dim)
        for one in (*graph.input, *graph.value_info, *graph.output)
        if one.type.tensor_type.HasField("shape")
        and all(size.HasField("dim_value") for size in one.type.tensor_type.shape.dim)
    }


def _by_session(proto: Any, tensors: list[str]) -> Sizes:
    """Return all sizes of tensors that onnxruntime can infer; an empty mapping if onnxruntime cannot open the graph."""
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
    except Exception:  # onnxruntime raises many kinds of errors
        return {}
    return {
        one.name: tuple(one.shape) for one in session.get_outputs() if all(isinstance(size, int) for size in one.shape)
    }


def _of_node(node: Any, sizes: Sizes) -> int:
    """Return the multiply-adds of an operator: the number of output values times the multiply-adds for one value."""

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
    if node.op_type in SUMS:
        return _of_einsum(node, [size(tensor) for tensor in node.input])
    if node.op_type in ATTENDS:
        return _of_attention(node, [size(tensor) if tensor else () for tensor in node.input], given)
    if node.op_type in DENSE:
        weight = size(node.input[DENSE[node.op_type]])
        return prod(size(node.output[0])) * weight[-1 if given.get("transB") else -2]
    if node.op_type == "MatMulNBits":
        return prod(size(node.output[0])) * given["K"]
    left = size(node.input[0])
    return prod(size(node.output[0])) * left[-2 if given.get("transA") and len(left) > 1 else -1]


def _of_einsum(node: Any, sizes: list[tuple[int, ...]]) -> int:
    """Return the multiply-adds of an Einsum of two factors: the product of the sizes of all its indices."""
    equation = next(one.s.decode() for one in node.attribute if one.name == "equation").replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    if len(terms) == 1:
        return 0
    if len(terms) > 2:
        raise Uncounted(f"Einsum {equation} has {len(terms)} factors")
    indices = dict[str, int]()
    for term, shape in zip(terms, sizes, strict=True):
        before, dots, after = term.partition("...")
        rest = len(shape) - len(before) - len(after)
        names = [*before, *(f"...{place}" for place in range(rest, 0, -1) if dots), *after]
        for name, length in zip(names, shape, strict=True):
            indices[name] = max(indices.get(name, 1), length)
    return prod(indices.values())


def _of_attention(node: Any, sizes: list[tuple[int, ...]], given: dict[str, int]) -> int:
    """Return the multiply-adds of an attention: queries times keys, scores times values, and projections inside it."""
    label = f"{node.op_type} {node.name}".strip()
    if node.domain == "com.microsoft" and node.op_type == "Attention":
        if len(sizes) > 4 and sizes[4]:
            raise Uncounted(f"{label} has a past of earlier keys and values")
        batch, steps, width = sizes[0]
        made = sizes[1][-1]
        return batch * steps * (width * made + steps * sum(_projected(node, made)))
    query, key, value = (*sizes, (), (), ())[:3]
    if len({len(query), len(key), len(value)} - {3, 4}) or len(query) < 3:
        raise Uncounted(f"{label} has packed inputs")
    if any(sizes[place] for place in ((4, 5) if node.domain != "com.microsoft" else (6, 7)) if place < len(sizes)):
        raise Uncounted(f"{label} has a past of earlier keys and values")
    steps, values = key[-2], _width(value, given)
    if len(query) == 4:
        return prod(query[:3]) * steps * (query[3] + values)
    heads = given.get("q_num_heads", given.get("num_heads", 1))
    return prod(query[:2]) * steps * (query[2] + heads * values)


def _projected(node: Any, made: int) -> tuple[int, int]:
    """Return the widths of the queries and the values of com.microsoft's Attention."""
    widths = next((list(one.ints) for one in node.attribute if one.name == "qkv_hidden_sizes"), [made // 3] * 3)
    return int(widths[0]), int(widths[2])


def _width(value: tuple[int, ...], given: dict[str, int]) -> int:
    """Return the width of the values of one head."""
    return value[3] if len(value) == 4 else value[2] // given.get("kv_num_heads", given.get("num_heads", 1))


def _not_plain(proto: Any) -> list[str]:
    """Return a reason for each node whose weights are not plain tensors of the main graph."""
    reasons = [f"{one.values.name} is sparse" for one in proto.graph.sparse_initializer]
    for node in proto.graph.node:
        if node.op_type == "Constant" and any(one.name == "sparse_value" for one in node.attribute):
            reasons.append(f"{node.output[0]} is sparse")
        label = f"{node.op_type} {node.name}".strip()
        if _is_packed(node):
            reasons.append(f"the weights of {label} are packed")
        elif node.domain == "ai.onnx.ml" and _multiplies(node):
            reasons.append(f"the weights of {label} are not tensors")
        elif _has_weights_inside(node):
            reasons.append(f"{label} has weights in a branch or loop")
    return reasons


def _is_packed(node: Any) -> bool:
    return node.domain == _BLOCKED or str(node.op_type).startswith(("MatMulNBits", "MatMulBnb4", "MatMulFpQ4"))


def _has_weights_inside(node: Any) -> bool:
    import onnx

    graphs = [one for at in node.attribute for one in (*([at.g] if at.HasField("g") else []), *at.graphs)]
    held = [one for graph in graphs for one in graph.initializer]
    held += [at.t for one in _inside(node) if one.op_type == "Constant" for at in one.attribute if at.HasField("t")]
    return any(one.dims and one.data_type != onnx.TensorProto.INT64 for one in held) or any(
        _has_weights_inside(inner) for graph in graphs for inner in graph.node
    )
