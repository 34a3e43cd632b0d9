"""An int8 file -> what onnxruntime makes of it when it loads it."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_THE_EDGE = {"QuantizeLinear", "DequantizeLinear"}
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
_INTEGER = {"ConvInteger", "MatMulInteger", "QGemm"}
_WEIGHT = {  # which input of an operator that multiplies is its weights
    "Conv": 1,
    "ConvInteger": 1,
    "Gemm": 1,
    "MatMul": 1,
    "MatMulInteger": 1,
    "QGemm": 3,
    "QLinearConv": 3,
    "QLinearMatMul": 3,
}
_SUFFIX = re.compile(r"(_token_\d+|_nchwc|_output_0)+$")  # what onnxruntime's optimiser appends to names


def optimised_operators(path: Path) -> tuple[tuple[str, str], ...]:
    """Return (operator, name) of every node that onnxruntime really runs, after its own optimisation."""
    import onnx
    import onnxruntime

    with TemporaryDirectory() as scratch:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(Path(scratch) / "optimised.onnx")
        options.log_severity_level = 3
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    return tuple((node.op_type, node.name) for node in nodes)


def float_nodes(path: Path) -> tuple[str, ...]:
    """Name the operators of an int8 file that compute in float: neither integer, nor at the edge, nor moving data."""
    return tuple(
        f"{operator} {layer_name(name)}"
        for operator, name in optimised_operators(path)
        if not _is_integer(operator) and operator not in AT_THE_EDGE | MOVES_DATA
    )


def integer_share(float_path: Path, int8_path: Path) -> float:
    """Return the share of the float file's multiply-adds that the int8 file, once optimised, computes in integers."""
    integer = {_SUFFIX.sub("", name) for operator, name in optimised_operators(int8_path) if _is_integer(operator)}
    macs = dict(multiply_adds(float_path))
    return sum(count for name, count in macs.items() if name in integer) / (sum(macs.values()) or 1)


def _is_integer(operator: str) -> bool:
    return operator.startswith("QLinear") or operator in _INTEGER


def multiply_adds(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name of every convolution and matrix product of a file, and its multiply-adds for one image."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    # The batch axis has no size in the file: 0 by protobuf's default, counted as one image.
    for one in (*graph.value_info, *graph.output):
        shapes[one.name] = tuple(size.dim_value or 1 for size in one.type.tensor_type.shape.dim)
    for node in graph.node:
        if node.op_type in _WEIGHT:
            yield node.name, _multiply_adds(node, shapes)


def _multiply_adds(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    """Multiply the output's elements by the products that each is the sum of."""
    weight, output = shapes[node.input[_WEIGHT[node.op_type]]], shapes[node.output[0]]
    return prod(output) * (prod(weight[1:]) if "Conv" in node.op_type else prod(weight[-2:]) // output[-1])


def layer_name(node: str) -> str:
    """Return the network's own name of a node: `/features/features.0/features.0.1/Conv` is features.0.1.

    The exporter writes every scope in full: one that continues the one before takes its place.
    """
    *scopes, operator = _SUFFIX.sub("", node).strip("/").split("/")
    path = list[str]()
    for scope in scopes:
        if path and scope.startswith(f"{path[-1]}."):
            path.pop()
        path.append(scope)
    return ".".join(path) or operator
