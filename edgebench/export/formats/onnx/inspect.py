"""An int8 file -> the operators that onnxruntime executes after loading and optimising it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench.export.formats.onnx.count import MULTIPLIES, Uncounted, multiply_adds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT_THE_EDGE = {"QuantizeLinear", "DequantizeLinear"}
CONVERTS = {"Cast", "DequantizeLinear"}  # all other operators give their output the type of their first input
MOVES_DATA = {
    "Concat",
    "Flatten",
    "Gather",
    "MaxPool",
    "NhwcMaxPool",
    "Pad",
    "ReorderInput",
    "ReorderOutput",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}
_INTEGER = {
    "ConvInteger",
    "DynamicQuantizeLSTM",
    "DynamicQuantizeMatMul",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "QGemm",
}
_SUFFIX = re.compile(r"(_token_\d+|_nchwc|_output_0)+$")  # suffixes that onnxruntime's optimiser appends to names


def optimised_operators(path: Path) -> tuple[tuple[str, str], ...]:
    """Return the operator and the name of every node that onnxruntime runs after optimising the graph."""
    with _optimised(path) as file:
        return tuple((node.op_type, node.name) for node in _nodes(file))


@contextmanager
def _optimised(path: Path, *, for_any_processor: bool = False) -> Iterator[Path]:
    """Write a file's graph as onnxruntime optimises it; yield the path of the written file.

    With `for_any_processor`, optimisations for this machine's processor are left out.
    """
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    with TemporaryDirectory() as scratch:
        options = onnxruntime.SessionOptions()
        if for_any_processor:
            options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(Path(scratch) / "optimised.onnx")
        # silences the warning that the file suits only this processor
        options.log_severity_level = 3 + for_any_processor
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        yield Path(options.optimized_model_filepath)


def _nodes(file: Path) -> Sequence[Any]:
    import onnx

    nodes: Sequence[Any] = onnx.load(file).graph.node
    return nodes


def float_nodes(path: Path) -> tuple[str, ...]:
    """Return an int8 file's operators that compute in float, except conversions and operators that only move data."""
    with _optimised(path) as file:
        nodes = _nodes(file)
    integers = _integers(nodes)
    return tuple(
        f"{node.op_type} {layer_name(node.name or node.output[0])}"
        for node in nodes
        if not (_is_integer(node.op_type) or node.output[0] in integers)
        and node.op_type not in AT_THE_EDGE | MOVES_DATA
    )


def _integers(nodes: Sequence[Any]) -> set[str]:
    """Return the names of integer tensors: quantized tensors, and tensors that are computed from quantized tensors."""
    found = set[str]()
    for node in nodes:
        keeps = node.op_type not in CONVERTS and node.input and node.input[0] in found
        if keeps or node.op_type == "QuantizeLinear" or _is_integer(node.op_type):
            found.update(node.output)
    return found


def integers_of(path: Path, *, products_only: bool) -> tuple[tuple[str, ...], float | None]:
    """Return the operators of a user-supplied int8 file that compute in float, and the share of MACs in integers.

    With `products_only`, list only operators that multiply: dynamic quantization leaves all other operators in float.
    """
    left = float_nodes(path)
    if products_only:
        left = tuple(node for node in left if node.partition(" ")[0] in MULTIPLIES)
    try:
        with _optimised(path, for_any_processor=True) as file:
            counted = multiply_adds(file)
    except Uncounted:
        return left, None
    whole = sum(one.macs for one in counted if _is_integer(one.operator))
    return left, whole / (sum(one.macs for one in counted) or 1)


def integer_share(float_path: Path, int8_path: Path) -> float | None:
    """Return the share of multiply-adds that the optimised int8 file computes in integers.

    The share is None if the multiply-adds cannot be counted.
    """
    integer = {_SUFFIX.sub("", name) for operator, name in optimised_operators(int8_path) if _is_integer(operator)}
    try:
        macs = multiply_adds(float_path)
    except Uncounted:
        return None
    return sum(one.macs for one in macs if one.name in integer) / (sum(one.macs for one in macs) or 1)


def _is_integer(operator: str) -> bool:
    return operator.startswith("QLinear") or operator in _INTEGER


def layer_name(node: str) -> str:
    """Return the name that the network gives to a node: `/features/features.0/features.0.1/Conv` is features.0.1.

    The exporter writes a full path in every scope, so of the scopes features, features.0 and features.0.1 only the last
    is used.
    """
    *scopes, operator = _SUFFIX.sub("", node).strip("/").split("/")
    path = list[str]()
    for scope in scopes:
        if path and scope.startswith(f"{path[-1]}."):
            path.pop()
        path.append(scope)
    return ".".join(path) or operator
