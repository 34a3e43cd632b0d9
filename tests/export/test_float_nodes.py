"""Which operators of an int8 file compute in float: only those that onnxruntime gives floats."""

from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import helper, numpy_helper

from edgebench.export.formats.onnx.inspect import float_nodes

SHAPE = (1, 4, 4, 4)
HELD = {"s": numpy.float32(0.1), "z": numpy.uint8(100), "twice": numpy.array([1, 1, 2, 2], "f4"),
        "shape": numpy.array([4, 16]), "tiles": numpy.array([1, 1, 2, 2]), "ids": numpy.array([1, 3])}  # fmt: skip
NEAREST = {"coordinate_transformation_mode": "asymmetric", "mode": "nearest", "nearest_mode": "floor"}
MOVERS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "Resize": (["x", "", "twice"], NEAREST),
    "Reshape": (["x", "shape"], {}),
    "Transpose": (["x"], {"perm": [0, 2, 3, 1]}),
    "MaxPool": (["x"], {"kernel_shape": [2, 2]}),
    "Gather": (["x", "ids"], {"axis": 1}),
}


def write(path: Path, operator: str, inputs: list[str], attributes: dict[str, Any], *, typed: str) -> Path:
    """A graph that moves quantized values: in float between two scales that are equal, or as integers (`typed`)."""
    inputs = ["q" if typed == "integers" and name == "x" else name for name in inputs]
    moved = "p" if typed == "integers" else "y"
    nodes = [helper.make_node("QuantizeLinear", ["in", "s", "z"], ["q"])]
    nodes += [helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"])] if typed != "integers" else []
    nodes += [helper.make_node(operator, inputs, [moved], name=operator, **attributes)]
    nodes += [helper.make_node("QuantizeLinear", ["y", "s", "z"], ["p"])] if typed != "integers" else []
    nodes += [helper.make_node("DequantizeLinear", ["p", "s", "z"], ["out"])]
    wanted = {name: value for name, value in HELD.items() if name in ("s", "z", *inputs)}
    held = [numpy_helper.from_array(numpy.asarray(value), name) for name, value in wanted.items()]
    values = (helper.make_tensor_value_info(name, 1, shape) for name, shape in (("in", SHAPE), ("out", None)))
    graph = helper.make_graph(nodes, "moves", [next(values)], [next(values)], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize("typed", ["floats of one scale", "integers"])
@pytest.mark.parametrize("operator", MOVERS)
def test_what_moves_integers_is_not_called_float(tmp_path: Path, operator: str, typed: str) -> None:
    assert float_nodes(write(tmp_path / "net.onnx", operator, *MOVERS[operator], typed=typed)) == ()


def test_what_computes_in_float_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", "Erf", ["x"], {}, typed="floats of one scale")
    assert float_nodes(path) == ("Erf Erf",)
