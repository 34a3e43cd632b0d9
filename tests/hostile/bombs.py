"""Small files whose opening, folding, shape inference or checking would take all memory, or never end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

from tests.hostile.graphs import node, write

HUGE = 2**30  # floats: 4 GiB


def _sizes(*sizes: int) -> Any:
    return numpy.array(sizes, numpy.int64)


def _scored(path: Path, nodes: list[Any], constants: dict[str, Any], wide: str) -> Path:
    """Add what is wide, brought down to one figure, to the scores of an image."""
    tail = [
        node("ReduceMean", [wide], "one", keepdims=0),
        node("ReduceMean", ["image"], "means", axes=[2, 3], keepdims=0),
        node("Add", ["means", "one"], "scores"),
    ]
    return write(path, [*nodes, *tail], constants, shape=(1, 3, 8, 8), classes=3)


def constant_of_shape(path: Path) -> Path:
    return _scored(path, [node("ConstantOfShape", ["size"], "wide")], {"size": _sizes(HUGE)}, "wide")


def expand(path: Path) -> Path:
    constants = {"size": _sizes(HUGE), "one_": numpy.ones(1, numpy.float32)}
    return _scored(path, [node("Expand", ["one_", "size"], "wide")], constants, "wide")


def tile(path: Path) -> Path:
    constants = {"times": _sizes(HUGE), "one_": numpy.ones(1, numpy.float32)}
    return _scored(path, [node("Tile", ["one_", "times"], "wide")], constants, "wide")


def range_(path: Path) -> Path:
    ends = {name: numpy.float32(value) for name, value in {"from": 0, "to": HUGE, "step": 1}.items()}
    return _scored(path, [node("Range", ["from", "to", "step"], "wide")], ends, "wide")


def pad(path: Path) -> Path:
    constants = {"pads": _sizes(0, HUGE), "one_": numpy.ones(1, numpy.float32)}
    return _scored(path, [node("Pad", ["one_", "pads"], "wide")], constants, "wide")


def laughs(path: Path) -> Path:
    doubled = [node("Concat", [f"x{step}"] * 2, f"x{step + 1}", axis=0) for step in range(30)]
    return _scored(path, doubled, {"x0": numpy.ones(1, numpy.float32)}, "x30")


def outer_product(path: Path) -> Path:
    constants = {"column": numpy.ones((2**15, 1), numpy.float32), "row": numpy.ones((1, 2**15), numpy.float32)}
    return _scored(path, [node("MatMul", ["column", "row"], "wide")], constants, "wide")


def one_hot(path: Path) -> Path:
    constants = {
        "at": _sizes(*range(16)),
        "depth": numpy.int64(HUGE // 16),
        "values": numpy.array([0, 1], numpy.float32),
    }
    return _scored(path, [node("OneHot", ["at", "depth", "values"], "wide")], constants, "wide")


def resize(path: Path) -> Path:
    constants = {"x0": numpy.ones((1, 1, 2, 2), numpy.float32), "to": _sizes(1, 1, 2**15, 2**15)}
    return _scored(path, [node("Resize", ["x0", "", "", "to"], "wide")], constants, "wide")


def sparse(path: Path) -> Path:
    """A constant of 2**30 figures of which one is written."""
    import onnx
    from onnx import helper, numpy_helper

    _scored(path, [], {}, "wide")
    proto = onnx.load(path)
    values = numpy_helper.from_array(numpy.ones(1, numpy.float32), "wide")
    indices = numpy_helper.from_array(_sizes(0), "at")
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [HUGE]))
    onnx.save(proto, path)
    return path


def long_loop(path: Path) -> Path:
    """A loop of 2**40 turns over a constant."""
    import onnx
    from onnx import TensorProto, helper

    body = helper.make_graph(
        [node("Identity", ["go"], "on"), node("Add", ["sum", "sum"], "next")],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1]),
        ],
    )
    constants = {"turns": numpy.int64(2**40), "yes": numpy.bool_(True), "start": numpy.ones(1, numpy.float32)}
    _scored(path, [node("Loop", ["turns", "yes", "start"], "wide", body=body)], constants, "wide")
    assert onnx.load(path)
    return path


def nested(path: Path, depth: int = 14) -> Path:
    """Branches in branches."""
    from onnx import TensorProto, helper

    def branch(level: int) -> Any:
        made = helper.make_tensor_value_info(f"o{level}", TensorProto.FLOAT, None)
        inner = (
            [node("If", ["flag"], f"o{level}", then_branch=branch(level + 1), else_branch=branch(level + 1))]
            if level < depth
            else [node("Identity", ["x0"], f"o{level}")]
        )
        return helper.make_graph(inner, f"g{level}", [], [made])

    nodes = [node("If", ["flag"], "wide", then_branch=branch(1), else_branch=branch(1))]
    return _scored(path, nodes, {"flag": numpy.bool_(True), "x0": numpy.ones(1, numpy.float32)}, "wide")


def empty_nodes(path: Path) -> Path:
    """Millions of empty operators: two bytes each in the file, hundreds in memory."""
    import onnx

    _scored(path, [], {"wide": numpy.ones(1, numpy.float32)}, "wide")
    proto = onnx.load(path).SerializeToString()
    graph = b"\x0a\x00" * 2**24
    length, varint = len(graph), b""
    while length:
        varint += bytes([length & 127 | (128 if length > 127 else 0)])
        length >>= 7
    path.write_bytes(proto + b"\x3a" + varint + graph)
    return path


BOMBS: dict[str, Callable[[Path], Path]] = {
    function.__name__: function
    for function in (
        constant_of_shape, expand, tile, range_, pad, laughs, outer_product, one_hot, resize, sparse, long_loop, nested,
        empty_nodes,
    )
}  # fmt: skip
