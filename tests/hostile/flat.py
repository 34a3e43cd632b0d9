"""TFLite files of a test's own, of any tensors and operators: flatbuffers by the slots of TensorFlow's schema.fbs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pytest

flatbuffers: Any = pytest.importorskip("flatbuffers")

ADD, CONV, DEPTHWISE, DEQUANTIZE, DENSE, MEAN, CAST, QUANTIZE, TRANSPOSED = 0, 3, 4, 6, 9, 40, 53, 114, 67
LSTM, SOFTMAX = 16, 25
TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int16": 7, "int8": 9}


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


def write(path: Path, tensors: Sequence[Flat], operators: Sequence[Operator], source: str, result: str) -> Path:
    """Write a file of one graph from one tensor to another."""
    b = flatbuffers.Builder(0)
    places = {tensor.name: place for place, tensor in enumerate(tensors)}
    codes = sorted({operator for operator, _, _ in operators})

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

    def made(place: int, tensor: Flat) -> int:
        shape, name = vector(tensor.shape), b.CreateString(tensor.name)
        scaled, signed = quantized(tensor) if tensor.scale else 0, vector(tensor.signature) if tensor.signature else 0
        return table(
            ("UOffsetTRelative", shape), ("Int8", TYPES[tensor.dtype]), ("Uint32", place + 1),
            ("UOffsetTRelative", name), ("UOffsetTRelative", scaled), ("Int8", 0), ("UOffsetTRelative", 0),
            ("UOffsetTRelative", signed),
        )  # fmt: skip

    def buffer(tensor: Flat) -> int:
        if tensor.values is None:
            return table()
        return table(("UOffsetTRelative", b.CreateByteVector(numpy.ascontiguousarray(tensor.values).tobytes())))

    def step(code: int, reads: Sequence[str], makes: Sequence[str]) -> int:
        inputs, outputs = vector([places[name] for name in reads]), vector([places[name] for name in makes])
        return table(("Uint32", codes.index(code)), ("UOffsetTRelative", inputs), ("UOffsetTRelative", outputs))

    graph = table(
        tables([made(place, tensor) for place, tensor in enumerate(tensors)]),
        ("UOffsetTRelative", vector([places[source]])), ("UOffsetTRelative", vector([places[result]])),
        tables([step(*operator) for operator in operators]),
    )  # fmt: skip
    named = [table(("Int8", min(code, 127)), ("UOffsetTRelative", 0), ("Int32", 1), ("Int32", code)) for code in codes]
    buffers = [table(), *map(buffer, tensors)]
    parts = [tables(named), tables([graph]), ("UOffsetTRelative", b.CreateString("net")), tables(buffers)]
    b.Finish(table(("Uint32", 3), *parts), b"TFL3")
    path.write_bytes(b.Output())
    return path
