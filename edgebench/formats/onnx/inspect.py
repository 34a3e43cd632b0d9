"""An int8 file -> what onnxruntime makes of it when it loads it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

_AT_THE_EDGE = {"QuantizeLinear", "DequantizeLinear"}
_MOVES_DATA = {
    "Concat",
    "Flatten",
    "Gather",
    "MaxPool",
    "NhwcMaxPool",
    "Pad",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}
_INTEGER = {"ConvInteger", "MatMulInteger", "QGemm"}


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
        f"{operator} {name}"
        for operator, name in optimised_operators(path)
        if not operator.startswith("QLinear") and operator not in _INTEGER | _AT_THE_EDGE | _MOVES_DATA
    )
