"""A TFLite file that somebody gives -> a copy and what its flatbuffer says of it; nothing in it is run.

Slots are those of TensorFlow's `schema.fbs`, version 3. Every offset is checked against the file's end.
"""

from __future__ import annotations

import shutil
import struct
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgebench.export.custom import shape
from edgebench.export.custom.cost import Cost
from edgebench.export.custom.layers import NAMES, Operator, Tensor, integers, multiply_adds, types, weights
from edgebench.export.custom.precision import computed
from edgebench.foundation import files
from edgebench.foundation.errors import RequestError
from edgebench.schema.cards import CustomModel
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "tflite"
_IDENTIFIER = b"TFL3"
_CUSTOM = 32
_TYPES = (
    *("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64"),
    *("complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16"),
)
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

    def numbers(self, slot: int, layout: str = "<i") -> tuple[int, ...]:
        """Return a vector of numbers, of 32 bits unless `layout` says otherwise."""
        size = struct.calcsize(layout)
        start, count = self._vector(slot, size)
        return tuple(self._read(layout, start + size * index) for index in range(count))

    def tables(self, slot: int) -> list[FlatbufferTable]:
        """Return a vector of tables."""
        start, count = self._vector(slot, 4)
        places = (start + 4 * index for index in range(count))
        return [FlatbufferTable(self.data, place + self._read("<I", place)) for place in places]

    def table(self, slot: int) -> tuple[FlatbufferTable, ...]:
        """Return a table that may not be there."""
        place = self._field(slot)
        return () if place is None else (FlatbufferTable(self.data, place + self._read("<I", place)),)

    def count(self, slot: int) -> int:
        """Return how many bytes a vector of them has."""
        return self._vector(slot, 1)[1]

    def text(self, slot: int) -> str:
        """Return a string."""
        start, count = self._vector(slot, 1)
        return self.data[start : start + count].decode(errors="backslashreplace")


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
    codes, buffers = [_code(name, one) for one in model.tables(1)], model.tables(4)
    tensors = [_tensor(place, one, buffers) for place, one in enumerate(graphs[0].tables(0))]
    given = _only(name, "input, of images", [tensors[index] for index in graphs[0].numbers(1)])
    scores = _only(name, "output, of class scores", [tensors[index] for index in graphs[0].numbers(2)])
    if given.dtype not in (*_IMAGES, "int16"):
        raise RequestError(f"{name}: wanted images as {', '.join(_IMAGES)}, found input {given.name} of {given.dtype}")
    image = shape.image(name, shape.fit(name, given.name, given.dims, asked))
    if image.layout != "NHWC":
        raise RequestError(f"{name}: wanted images as ?x224x224x3, found {shape.said(given.dims)}")
    return (
        _image(image, given)
        | _graph(name, [_operator(one, codes, tensors) for one in graphs[0].tables(3)])
        | {
            "classes": shape.classes(name, scores.dims),
        }
    )


def _image(image: shape.Image, given: Tensor) -> dict[str, Any]:
    return {
        "layout": image.layout,
        "channels": image.channels,
        "resolution": image.resolution,
        "dtype": given.dtype,
        "input_scale": given.scale,
        "input_zero": given.zero,
        "batch": 0,  # the interpreter resizes it, or says why not
    }


def _graph(name: str, operators: list[Operator]) -> dict[str, Any]:
    """Say what the operators compute in, and what they cost."""
    precision, quantized = computed(name, *types(operators))
    cost = Cost.of(
        weights=lambda: weights(operators), multiply_adds=lambda: (count for _, count in multiply_adds(operators))
    )
    left, share = integers(operators) if precision == Precision.INT8 and not quantized else ((), None)
    return {"precision": precision, "given": quantized, "float_nodes": left, "integer_share": share, **asdict(cost)}


def _code(name: str, table: FlatbufferTable) -> int:
    """Return an operator's number: newer ones have a slot of their own."""
    code = max(table.number(0, "<b"), table.number(3))
    if code == _CUSTOM:
        raise RequestError(
            f"{name}: operator {table.text(1)} is a custom one, which no runtime here has; convert without it"
        )
    return code


def _tensor(place: int, table: FlatbufferTable, buffers: list[FlatbufferTable]) -> Tensor:
    sizes, signature = table.numbers(0), table.numbers(7)
    dims = tuple(0 if size < 0 else size for size in signature) or sizes
    if any(size < 0 for size in dims):
        raise _Cut
    number, buffer = table.number(1, "<b"), buffers[table.number(2, "<I")]
    scales = [scale for quantized in table.table(4) for scale in quantized.numbers(2, "<f")]
    zeros = [zero for quantized in table.table(4) for zero in quantized.numbers(3, "<q")]
    return Tensor(
        place=place,
        name=table.text(3),
        dims=dims,
        dtype=_TYPES[number] if 0 <= number < len(_TYPES) else "another type",
        scale=float(scales[0]) if scales else 0.0,
        zero=zeros[0] if zeros else 0,
        is_constant=bool(buffer.count(0) or buffer.number(1, "<Q") > 1),  # inside, or behind the flatbuffer
    )


def _operator(table: FlatbufferTable, codes: list[int], tensors: list[Tensor]) -> Operator:
    code, options = codes[table.number(0, "<I")], table.table(4)
    label = NAMES.get(code, f"operator {code}")
    return Operator(
        name=label,
        inputs=tuple(tensors[index] if index >= 0 else None for index in table.numbers(1)),
        output=tensors[table.numbers(2)[0]],
        is_turned=label == "BATCH_MATMUL" and bool(options and options[0].number(0, "<b")),
    )


def _only(name: str, wanted: str, found: list[Tensor]) -> Tensor:
    if len(found) != 1:
        raise RequestError(f"{name}: wanted one {wanted}; found {len(found)}: {', '.join(one.name for one in found)}")
    return found[0]
