"""An int8 file -> what onnxruntime makes of it when it loads it."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from edgebench.export.formats.onnx.count import Uncounted, multiply_adds

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


def integer_share(float_path: Path, int8_path: Path) -> float | None:
    """Return the share of the float file's multiply-adds that the int8 file, once optimised, computes in integers.

    None where they cannot be counted.
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
