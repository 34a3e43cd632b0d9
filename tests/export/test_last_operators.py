"""`float_outputs` leaves in float what follows the last products with weights."""

from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from edgebench.export.formats.onnx.quantize import last_operators
from tests.hostile.graphs import node

F = TensorProto.FLOAT
CONV = node("Conv", ["x", "w"], "c")


@pytest.mark.parametrize(
    ("nodes", "outputs", "left"),
    [
        ([CONV, node("Relu", ["c"], "y")], ["y"], ["c", "y"]),
        ([CONV], ["c"], ["c"]),
        ([CONV, node("Conv", ["c", "v"], "d"), node("Concat", ["c", "d"], "y")], ["y"], ["y"]),
        ([CONV, node("Sigmoid", ["c"], "s"), node("Concat", ["s", "c"], "j"), node("Exp", ["j"], "y")], ["y"],
         ["s", "j", "y"]),
        ([CONV, node("Conv", ["c", "v"], "d"), node("Concat", ["c", "d"], "y")], ["y", "d"], ["y", "d"]),
        ([CONV, node("Relu", ["c"], "r"), node("MatMul", ["r", "v"], "y")], ["y"], ["y"]),
        ([node("Relu", ["x"], "r"), node("Concat", ["r", "r"], "y")], ["y"], ["r", "y"]),
        ([CONV], ["x"], []),
    ],
)  # fmt: skip
def test_the_last_operators_end_at_products(nodes: list[Any], outputs: list[str], left: list[str]) -> None:
    named = [onnx.NodeProto.FromString(one.SerializeToString()) for one in nodes]
    for one in named:
        one.name = one.output[0]
    graph = helper.make_graph(named, "net", [], [helper.make_tensor_value_info(name, F, None) for name in outputs])
    assert sorted(last_operators(graph)) == sorted(left)
