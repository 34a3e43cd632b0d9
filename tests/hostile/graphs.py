"""ONNX files of a test's own: a few nodes between an image and its scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy

OPSETS = (("", 17), ("com.microsoft", 1))


def node(operator: str, inputs: Sequence[str], output: str, *, domain: str = "", **attributes: Any) -> Any:
    from onnx import helper

    outputs = [output] if output else []
    return helper.make_node(operator, list(inputs), outputs, domain=domain, **attributes)


def write(
    path: Path,
    nodes: Sequence[Any],
    constants: Mapping[str, Any],
    *,
    shape: Sequence[int | str] = ("n", 3, 8, 8),
    classes: int | str = "k",
) -> Path:
    """Write the nodes, which make `scores` of `image`."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    held = [numpy_helper.from_array(numpy.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])],
        held,
    )
    opsets = [helper.make_opsetid(*one) for one in OPSETS]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def floats(*shape: int) -> Any:
    return numpy.random.default_rng(0).normal(size=shape).astype(numpy.float32)


def integers(*shape: int, kind: str = "int8") -> Any:
    return numpy.random.default_rng(0).integers(0, 100, shape).astype(kind)
