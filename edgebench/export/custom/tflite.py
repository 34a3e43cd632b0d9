"""A TFLite file that somebody gives -> a copy and what its flatbuffer says of it; nothing in it is run.

Slots are those of TensorFlow's `schema.fbs`, version 3. Every offset is checked against the file's end.
"""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from edgebench.export.custom import shape
from edgebench.foundation import files
from edgebench.foundation.errors import RequestError
from edgebench.schema.cards import CustomModel
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = "tflite"
_IDENTIFIER = b"TFL3"
_CUSTOM = 32
# Operators that multiply, and what their weights sum over, by schema.fbs: OHWI, 1HWO and OI.
_CONVOLUTION, _DEPTHWISE, _DENSE = 3, 4, 9
_TYPES = ("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8")
_IMAGES = ("float32", "uint8", "int8")


class _Cut(Exception):
    """An offset points outside of the file."""


@dataclass(frozen=True, slots=True)
class FlatbufferTable:
    """A flatbuffer's table: its fields by their slots, absent ones as None."""

    data: bytes
    place: int

    def _read(self, layout: str, place: int) -> int:
        if not 0 <= place <= len(self.data) - struct.calcsize(layout):
            raise _Cut
        value: int = struct.unpack_from(layout, self.data, place)[0]
        return value

    def _field(self, slot: int) -> int | None:
        """Return where a field lies."""
        directory = self.place - self._read("<i", self.place)
        if 4 + 2 * slot >= self._read("<H", directory):
            return None
        offset = self._read("<H", directory + 4 + 2 * slot)
        return self.place + offset if offset else None

    def number(self, slot: int, layout: str = "<i") -> int:
        """Return a number, 0 where there is none."""
        place = self._field(slot)
        return 0 if place is None else self._read(layout, place)

    def _vector(self, slot: int, size: int) -> tuple[int, int]:
        """Return where a vector's elements begin, and how many of `size` bytes there are."""
        field = self._field(slot)
        if field is None:
            return 0, 0
        place = field + self._read("<I", field)
        count = self._read("<I", place)
        if place + 4 + count * size > len(self.data):
            raise _Cut
        return place + 4, count

    def numbers(self, slot: int) -> tuple[int, ...]:
        """Return a vector of 32-bit numbers."""
        start, count = self._vector(slot, 4)
        return tuple(self._read("<i", start + 4 * index) for index in range(count))

    def tables(self, slot: int) -> list[FlatbufferTable]:
        """Return a vector of tables."""
        start, count = self._vector(slot, 4)
        places = (start + 4 * index for index in range(count))
        return [FlatbufferTable(self.data, place + self._read("<I", place)) for place in places]

    def text(self, slot: int) -> str:
        """Return a string."""
        start, count = self._vector(slot, 1)
        return self.data[start : start + count].decode(errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the graph; `dims` has 0 where a size is open."""

    name: str
    dims: shape.Dimensions
    dtype: str


def content(path: Path, most_bytes: int) -> str:
    """Hash the file."""
    return files.sha256(path)


def read(path: Path, place: Path, *, name: str, asked: str, content: str, source: str) -> CustomModel:
    """Write the copy to `place` and describe it.

    Raises:
        RequestError: it is no whole TFLite file, or no classifier of images.
    """
    try:
        described = _describe(path.read_bytes(), name, asked)
    except (_Cut, IndexError) as error:
        raise RequestError(f"{path} is no whole TFLite file: it points beyond its end; write it again") from error
    shutil.copyfile(path, place)
    return CustomModel(file="", sha256="", name=name, format=FORMAT, content_sha256=content, source=source, **described)


def _describe(data: bytes, name: str, asked: str) -> dict[str, Any]:
    if data[4:8] != _IDENTIFIER:
        raise RequestError(f"{name} is no TFLite file: it does not begin as one; name it by what it is")
    model = FlatbufferTable(data, FlatbufferTable(data, 0)._read("<I", 0))
    graphs = model.tables(2)
    if len(graphs) != 1:
        raise RequestError(f"{name}: wanted one graph, found {len(graphs)}")
    codes = [_code(name, one) for one in model.tables(1)]
    tensors = [_tensor(one) for one in graphs[0].tables(0)]
    given = _only(name, "input, of images", [tensors[index] for index in graphs[0].numbers(1)])
    scores = _only(name, "output, of class scores", [tensors[index] for index in graphs[0].numbers(2)])
    if given.dtype not in _IMAGES:
        raise RequestError(f"{name}: wanted images as {', '.join(_IMAGES)}, found input {given.name} of {given.dtype}")
    image = shape.image(name, shape.fit(name, given.name, given.dims, asked))
    if image.layout != "NHWC":
        raise RequestError(f"{name}: wanted images as ?x224x224x3, found {shape.said(given.dims)}")
    layers = list(_layers(graphs[0], codes, tensors))
    is_integer = any(output.dtype != "float32" for _, _, output in layers)
    return {
        "layout": image.layout,
        "channels": image.channels,
        "resolution": image.resolution,
        "dtype": given.dtype,
        "batch": 0,  # the interpreter resizes it, or says why not
        "classes": shape.classes(name, scores.dims),
        "precision": Precision.INT8 if is_integer else Precision.FP32,
        "params": sum(prod(one.dims) for one in {index: one for _, own, _ in layers for index, one in own}.values()),
        "macs": sum(_multiply_adds(code, own[0][1].dims, output.dims) for code, own, output in layers if own),
    }


def _code(name: str, table: FlatbufferTable) -> int:
    """Return an operator's number: newer ones have a slot of their own."""
    code = max(table.number(0, "<b"), table.number(3))
    if code == _CUSTOM:
        raise RequestError(
            f"{name}: operator {table.text(1)} is a custom one, which no runtime here has; convert without it"
        )
    return code


def _tensor(table: FlatbufferTable) -> Tensor:
    sizes, signature = table.numbers(0), table.numbers(7)
    dims = tuple(0 if size < 0 else size for size in signature) or sizes
    if any(size < 0 for size in dims):
        raise _Cut
    number = table.number(1, "<b")
    return Tensor(table.text(3), dims, _TYPES[number] if 0 <= number < len(_TYPES) else "another type")


def _only(name: str, wanted: str, found: list[Tensor]) -> Tensor:
    if len(found) != 1:
        raise RequestError(f"{name}: wanted one {wanted}; found {len(found)}: {', '.join(one.name for one in found)}")
    return found[0]


def _layers(
    graph: FlatbufferTable, codes: list[int], tensors: list[Tensor]
) -> Iterator[tuple[int, list[tuple[int, Tensor]], Tensor]]:
    """Yield every operator that multiplies: its number, its weights and bias, its output."""
    for operator in graph.tables(3):
        code = codes[operator.number(0, "<I")]
        if code in (_CONVOLUTION, _DEPTHWISE, _DENSE):
            own = [(index, tensors[index]) for index in operator.numbers(1)[1:] if index >= 0]
            yield code, own, tensors[operator.numbers(2)[0]]


def _multiply_adds(code: int, weight: shape.Dimensions, output: shape.Dimensions) -> int:
    """Multiply one image's outputs by the products that each is the sum of."""
    return prod(output[1:]) * prod(weight[1:3] if code == _DEPTHWISE else weight[1:])
