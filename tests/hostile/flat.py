"""TFLite files of a test's own, of any tensors and operators: flatbuffers by the slots of TensorFlow's schema.fbs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pytest

flatbuffers: Any = pytest.importorskip("flatbuffers")

ADD, CONV, DEPTHWISE, DEQUANTIZE, DENSE, MEAN, CAST, QUANTIZE, TRANSPOSED = 0, 3, 4, 6, 9, 40, 53, 114, 67
LSTM, SOFTMAX, CUSTOM, GATHER, LOGISTIC, ABS, NEG, LOGICAL_NOT = 16, 25, 32, 36, 14, 101, 59, 87
TYPES = {
    "float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "string": 5, "bool": 6, "int16": 7, "int8": 9
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat:
    """A tensor: its values where it is a constant, else its type; what its integers stand for where it says so."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    values: Any = None
    scale: float = 0.0
    zero: int = 0
    signature: tuple[int, ...] = ()


Operator = tuple[int, Sequence[str], Sequence[str]]  # its number, what it reads, what it makes


def constant(name: str, values: Any, *, scale: float = 0.0, zero: int = 0) -> Flat:
    return Flat(name=name, shape=values.shape, dtype=values.dtype.name, values=values, scale=scale, zero=zero)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One graph of a file, what it takes and makes; `signature` is how it is called, by the tensors' own names."""

    tensors: Sequence[Flat]
    operators: Sequence[Operator]
    inputs: Sequence[str]
    outputs: Sequence[str]
    signature: str = ""


def write(path: Path, tensors: Sequence[Flat], operators: Sequence[Operator], source: str, result: str) -> Path:
    """Write a file of one graph from one tensor to another."""
    return write_graphs(path, [Graph(tensors=tensors, operators=operators, inputs=[source], outputs=[result])])


def write_graphs(path: Path, graphs: Sequence[Graph], custom: str = "Frobnicate") -> Path:
    """Write a file of graphs; an operator of number 32 is the custom one of that name."""
    b = flatbuffers.Builder(0)
    codes = sorted({operator for graph in graphs for operator, _, _ in graph.operators})

    def table(*fields: tuple[str, Any]) -> int:
        b.StartObject(len(fields))
        for slot, (how, value) in enumerate(fields):
            getattr(b, f"Prepend{how}Slot")(slot, value, 0)
        return int(b.EndObject())

    def vector(values: Sequence[Any], how: str = "Int32", size: int = 4) -> int:
        b.StartVector(size, len(values), size)
        for value in reversed(values):
            getattr(b, f"Prepend{how}")(value)
        return int(b.EndVector())

    def tables(made: Sequence[int]) -> tuple[str, int]:
        return "UOffsetTRelative", vector(made, "UOffsetTRelative")

    def quantized(tensor: Flat) -> int:
        scale, zero = vector([tensor.scale], "Float32"), vector([tensor.zero], "Int64", 8)
        return table(*[("UOffsetTRelative", one) for one in (0, 0, scale, zero)])

    def made(buffer: int, tensor: Flat) -> int:
        shape, name = vector(tensor.shape), b.CreateString(tensor.name)
        scaled, signed = quantized(tensor) if tensor.scale else 0, vector(tensor.signature) if tensor.signature else 0
        return table(
            ("UOffsetTRelative", shape), ("Int8", TYPES[tensor.dtype]), ("Uint32", buffer),
            ("UOffsetTRelative", name), ("UOffsetTRelative", scaled), ("Int8", 0), ("UOffsetTRelative", 0),
            ("UOffsetTRelative", signed),
        )  # fmt: skip

    def buffer(tensor: Flat) -> int:
        if tensor.values is None:
            return table()
        return table(("UOffsetTRelative", b.CreateByteVector(numpy.ascontiguousarray(tensor.values).tobytes())))

    def step(operator: Operator, places: dict[str, int]) -> int:
        code, reads, makes = operator
        inputs, outputs = vector([places[name] for name in reads]), vector([places[name] for name in makes])
        return table(("Uint32", codes.index(code)), ("UOffsetTRelative", inputs), ("UOffsetTRelative", outputs))

    def graph_table(graph: Graph, first: int) -> int:
        places = {tensor.name: place for place, tensor in enumerate(graph.tensors)}
        return table(
            tables([made(first + place, tensor) for place, tensor in enumerate(graph.tensors)]),
            ("UOffsetTRelative", vector([places[name] for name in graph.inputs])),
            ("UOffsetTRelative", vector([places[name] for name in graph.outputs])),
            tables([step(operator, places) for operator in graph.operators]),
        )

    def mapped(graph: Graph, names: Sequence[str]) -> tuple[str, int]:
        places = {tensor.name: place for place, tensor in enumerate(graph.tensors)}
        entries = [(b.CreateString(name), places[name]) for name in names]
        return tables([table(("UOffsetTRelative", name), ("Uint32", place)) for name, place in entries])

    def signed(number: int, graph: Graph) -> int:
        inputs, outputs, key = (
            mapped(graph, graph.inputs),
            mapped(graph, graph.outputs),
            b.CreateString(graph.signature),
        )
        return table(inputs, outputs, ("UOffsetTRelative", key), ("UOffsetTRelative", 0), ("Uint32", number))

    firsts = [1 + sum(len(graph.tensors) for graph in graphs[:place]) for place in range(len(graphs))]
    bodies = [graph_table(graph, first) for graph, first in zip(graphs, firsts, strict=True)]
    label = b.CreateString(custom)
    named = [
        table(
            ("Int8", min(code, 127)),
            ("UOffsetTRelative", label if code == CUSTOM else 0),
            ("Int32", 1),
            ("Int32", code),
        )
        for code in codes
    ]
    buffers = [table(), *(buffer(tensor) for graph in graphs for tensor in graph.tensors)]
    called = [signed(number, graph) for number, graph in enumerate(graphs) if graph.signature]
    parts = [tables(named), tables(bodies), ("UOffsetTRelative", b.CreateString("net")), tables(buffers)]
    signatures = [("UOffsetTRelative", 0), ("UOffsetTRelative", 0), tables(called)] if called else []
    b.Finish(table(("Uint32", 3), *parts, *signatures), b"TFL3")
    path.write_bytes(b.Output())
    return path
