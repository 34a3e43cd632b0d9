"""A small model file that unfolds to a large one, or points beyond its parts, is refused at once and in one line."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from edgebench.export.custom import onnx as reader
from edgebench.export.custom import tflite
from edgebench.export.custom.inspect import inspect
from edgebench.foundation.errors import RequestError

onnx: Any = pytest.importorskip("onnx")
OPSETS = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("own", 1)]


def call(name: str, source: str, result: str) -> Any:
    return onnx.helper.make_node(name, [source], [result], domain="own")


def function(name: str, nodes: list[Any]) -> Any:
    return onnx.helper.make_function("own", name, ["a"], ["b"], nodes, OPSETS)


def written(path: Path, functions: list[Any], first: str, constants: tuple[Any, ...] = ()) -> Path:
    value = onnx.helper.make_tensor_value_info
    nodes = [call(first, "x", "y") if functions else onnx.helper.make_node(first, ["x"], ["y"])]
    sides = [value("x", onnx.TensorProto.FLOAT, [1, 3, 8, 8])], [value("y", onnx.TensorProto.FLOAT, None)]
    graph = onnx.helper.make_graph(nodes, "graph", *sides, list(constants))
    path.write_bytes(
        onnx.helper.make_model(graph, opset_imports=OPSETS, functions=functions, ir_version=9).SerializeToString()
    )
    return path


def levels(count: int, calls: int, innermost: str = "Relu") -> list[Any]:
    """Functions of which each calls the next several times."""
    made = [function(f"f{count}", [onnx.helper.make_node(innermost, ["a"], ["b"])])]
    for level in range(count):
        names = ["a", *(f"t{place}" for place in range(1, calls)), "b"]
        made.append(function(f"f{level}", [call(f"f{level + 1}", names[at], names[at + 1]) for at in range(calls)]))
    return made


FUNCTIONS = {
    "2 calls in 30 levels": (levels(30, 2), "are inlined to more than 20000 operators"),
    "10 calls in 6 levels": (levels(6, 10), "are inlined to more than 20000 operators"),
    "300 calls in 2 levels": (levels(2, 300), "are inlined to more than 20000 operators"),
    "5,000 levels": (levels(5000, 1), "nested more than 64 levels deep"),
    "65 levels": (levels(65, 1), "nested more than 64 levels deep"),
    "a function calls itself": ([function("f0", [call("f0", "a", "b")])], "function f0 calls itself"),
    "two call each other": (
        [function("f0", [call("f1", "a", "b")]), function("f1", [call("f0", "a", "b")])],
        "function f0 calls itself",
    ),
}


@pytest.mark.lengthy
@pytest.mark.parametrize("case", FUNCTIONS)
def test_functions_that_unfold_without_end_are_refused(case: str, tmp_path: Path) -> None:
    functions, words = FUNCTIONS[case]
    path = written(tmp_path / "net.onnx", functions, "f0")
    for read in (lambda: inspect(str(path)), lambda: reader.content(path, 2**30)):
        with pytest.raises(RequestError, match=words) as refused:
            read()
        assert "\n" not in str(refused.value)


def test_a_few_functions_are_read(tmp_path: Path) -> None:
    reader.content(written(tmp_path / "net.onnx", levels(3, 5), "f0"), 2**30)


def field(number: int, content: bytes) -> bytes:
    """A message's field of bytes."""
    size, length = len(content), b""
    while size > 127:
        size, length = size >> 7, length + bytes([size & 127 | 128])
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


@pytest.mark.parametrize("name", ["If", "Loop"])
@pytest.mark.parametrize("depth", [40, 1000])
def test_branches_nested_too_deeply_are_refused(name: str, depth: int, tmp_path: Path) -> None:
    graph = b""
    for _ in range(depth):
        graph = field(1, field(4, name.encode()) + field(5, field(1, b"body") + field(6, graph) + b"\xa0\x01\x05"))
    path = written(tmp_path / "net.onnx", [], "Relu")
    path.write_bytes(path.read_bytes() + field(7, graph))
    with pytest.raises(RequestError, match="is not a complete ONNX file"):
        inspect(str(path))


EXTERNAL = {
    "a giant length": ({"length": str(2**59)}, "end at byte"),
    "a giant offset": ({"offset": str(2**59), "length": "4"}, "end at byte"),
    "a negative offset": ({"offset": "-5"}, "wanted whole numbers"),
    "a length of words": ({"length": "x"}, "wanted whole numbers"),
    "a length of 5,000 digits": ({"length": "9" * 5000}, "wanted whole numbers"),
    "not there": ({"location": "v.bin"}, "which is missing"),
    "outside": ({"location": "../w.bin"}, "outside the model's folder"),
}


@pytest.mark.parametrize("case", EXTERNAL)
def test_external_values_lie_within_their_file(case: str, tmp_path: Path) -> None:
    stated, words = EXTERNAL[case]
    (tmp_path / "w.bin").write_bytes(bytes(64))
    constant = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    for key, text in ({"location": "w.bin"} | stated).items():
        constant.external_data.add(key=key, value=text)
    path = written(tmp_path / "net.onnx", [], "Relu", (constant,))
    assert words in inspect(str(path)).way.refusal
    with pytest.raises(RequestError, match=words):
        reader.content(path, 2**30)


def flat(operators: int, inputs: int) -> bytes:
    """A flatbuffer with operators that are all one table, which has many inputs."""
    content = bytearray(struct.pack("<I4s", 0, b"TFL3"))

    def vector(values: list[int]) -> int:
        at = len(content)
        content.extend(struct.pack(f"<I{len(values)}i", len(values), *values))
        return at

    def table(slots: int) -> int:
        """Write a table of offsets; what they point to comes after it."""
        at = len(content)
        directory = struct.pack(f"<HH{slots}H", 4 + 2 * slots, 4, *(4 + 4 * slot for slot in range(slots)))
        content.extend(directory + bytes(-len(directory) % 4))
        here = len(content)
        content.extend(struct.pack("<i", here - at) + bytes(4 * slots))
        return here

    def point(here: int, slot: int, place: int) -> None:
        struct.pack_into("<I", content, here + 4 + 4 * slot, place - (here + 4 + 4 * slot))

    def tables(here: int, slot: int, slots: int, count: int = 1) -> int:
        """Write a vector whose entries are all the same table."""
        at = vector([0] * count)
        point(here, slot, at)
        same = table(slots)
        for entry in range(at + 4, at + 4 + 4 * count, 4):
            struct.pack_into("<I", content, entry, same - entry)
        return same

    model = table(5)
    struct.pack_into("<I", content, 0, model)
    graph = tables(model, 2, 4)
    tables(model, 1, 0)
    tables(model, 4, 0)
    tables(graph, 0, 0)
    point(graph, 1, none := vector([]))
    point(graph, 2, none)
    step = tables(graph, 3, 3, operators)
    point(step, 1, many := vector([0] * inputs))
    point(step, 2, many)
    return bytes(content)


@pytest.mark.lengthy
def test_offsets_to_the_same_parts_are_not_followed_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(flat(100_000, 100_000))  # 800 KB that would be 20,000,000,000 numbers
    with pytest.raises(RequestError, match="its offsets point to the same parts too often"):
        tflite.graph_of(path, path.name)
