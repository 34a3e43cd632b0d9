"""Copy a user-supplied TFLite file, and describe it by what its flatbuffer contains; nothing in the file is run.

The numbers of fields, called slots, follow TensorFlow's `schema.fbs`, version 3. An offset that points beyond the file
is an error.
"""

from __future__ import annotations

import mmap
import shutil
import struct
from contextlib import closing
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from edgebench.export.custom import detector, inputs, shape
from edgebench.export.custom.cost import Cost
from edgebench.export.custom.inputs import Declared
from edgebench.export.custom.layers import NAMES, Operator, Tensor, integers, macs, tables, types, weights
from edgebench.export.custom.precision import computed
from edgebench.foundation import files
from edgebench.foundation.errors import RequestError
from edgebench.schema.cards import CustomModel
from edgebench.schema.names import file_and_function
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FORMAT = "tflite"
_IDENTIFIER = b"TFL3"
_CUSTOM, _CUSTOM_NAME = 32, "custom "
_BROUGHT = ("AudioSpectrogram", "Mfcc", "TFLite_Detection_PostProcess")  # custom operators that the runtimes include
_TYPES = (
    *("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64"),
    *("complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16"),
)
# Limit on the bytes that are read from a file's vectors: a multiple of the file's size, plus a constant.
# The last number is how many bytes are counted for each table in a vector.
_READINGS, _LEAST_ALLOWANCE, _TABLE_BYTES = 4, 2**20, 16


class _Cut(Exception):
    """An offset points outside the file."""


class _Repeated(Exception):
    """Too many offsets point to the same parts, so that following all offsets would exceed the file's allowance."""


@dataclass(slots=True)
class _Allowance:
    """The number of bytes of vectors that may still be read; a vector to which two offsets point is counted twice."""

    left: int

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise _Repeated


@dataclass(frozen=True, slots=True)
class FlatbufferTable:
    """A table of a flatbuffer; its fields are read by their numbers, which are called slots."""

    data: bytes | mmap.mmap
    place: int
    allowance: _Allowance

    @classmethod
    def root(cls, data: bytes | mmap.mmap) -> FlatbufferTable:
        """Return the outermost table of a file."""
        start = cls(data, 0, _Allowance(_READINGS * len(data) + _LEAST_ALLOWANCE))
        return start._at(start._read("<I", 0))

    def _at(self, place: int) -> FlatbufferTable:
        return FlatbufferTable(self.data, place, self.allowance)

    def _read(self, layout: str, place: int) -> int:
        if not 0 <= place <= len(self.data) - struct.calcsize(layout):
            raise _Cut
        value: int = struct.unpack_from(layout, self.data, place)[0]
        return value

    def _field(self, slot: int) -> int | None:
        """Return the position of a field; None if it is absent."""
        directory = self.place - self._read("<i", self.place)
        if 4 + 2 * slot >= self._read("<H", directory):
            return None
        offset = self._read("<H", directory + 4 + 2 * slot)
        return self.place + offset if offset else None

    def number(self, slot: int, layout: str = "<i") -> int:
        """Return the number in a field; 0 if the field is absent."""
        place = self._field(slot)
        return 0 if place is None else self._read(layout, place)

    def _vector(self, slot: int, size: int) -> tuple[int, int]:
        """Return the start of a vector and the number of its elements, each of `size` bytes."""
        field = self._field(slot)
        if field is None:
            return 0, 0
        place = field + self._read("<I", field)
        count = self._read("<I", place)
        if place + 4 + count * size > len(self.data):
            raise _Cut
        return place + 4, count

    def numbers(self, slot: int, layout: str = "<i") -> tuple[int, ...]:
        """Return the vector of numbers in a field; the numbers are 32-bit integers by default."""
        size = struct.calcsize(layout)
        start, count = self._vector(slot, size)
        self.allowance.spend(count * size)
        return struct.unpack_from(f"<{count}{layout[1:]}", self.data, start)

    def tables(self, slot: int) -> list[FlatbufferTable]:
        """Return the vector of tables in a field."""
        start, count = self._vector(slot, 4)
        self.allowance.spend(count * _TABLE_BYTES)
        places = (start + 4 * index for index in range(count))
        return [self._at(place + self._read("<I", place)) for place in places]

    def table(self, slot: int) -> tuple[FlatbufferTable, ...]:
        """Return a tuple with the table in a field; an empty tuple if the field is absent."""
        place = self._field(slot)
        return () if place is None else (self._at(place + self._read("<I", place)),)

    def count(self, slot: int) -> int:
        """Return the length of the vector of bytes in a field."""
        return self._vector(slot, 1)[1]

    def text(self, slot: int) -> str:
        """Return the string in a field."""
        start, count = self._vector(slot, 1)
        self.allowance.spend(count)
        return self.data[start : start + count].decode(errors="backslashreplace")


def content(path: Path, most_bytes: int) -> str:
    """Hash the file."""
    return files.sha256(path)


def read(
    path: Path,
    place: Path,
    *,
    name: str,
    asked: str,
    content: str,
    source: str,
    is_fed: bool = False,
    decode: str = "",
) -> CustomModel:
    """Copy the file to `place` and return the model's card; `net.tflite:encode` selects the signature `encode`.

    Raises:
        RequestError: the file is damaged, an input axis is open, or the file has several signatures and the name
            selects none.
    """
    graph = graph_of(path, name)
    require_measurable(name, graph)
    shapes = inputs.settle(name, graph.inputs, asked)
    require_bounded(name, graph.tensors)
    shutil.copyfile(path, place)
    return CustomModel(
        file="",
        sha256="",
        name=name,
        format=FORMAT,
        content_sha256=content,
        source=source,
        **_takes(graph, shapes, is_fed=is_fed, name=name, decode=decode),
        **_computes(list(graph.operators)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The graph that is run: the first graph of a file, or the graph of a signature.

    Attributes:
        places: the index of each input in the list of tensors.
        outputs: mapping from the name of each output to the output's tensor.
        custom: operators that no runtime includes.
    """

    signature: str
    signatures: tuple[str, ...]
    inputs: tuple[Declared, ...]
    places: tuple[int, ...]
    outputs: dict[str, Tensor]
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    custom: tuple[str, ...]


def graph_of(path: Path, name: str, *, is_any: bool = False) -> Graph:
    """Read the graph that a name such as `net.tflite` or `net.tflite:encode` selects.

    With `is_any`, a name without a signature selects the first of several signatures.

    Raises:
        RequestError: the file is damaged or lacks the signature, or it has several signatures and the name selects
            none.
    """
    try:
        with path.open("rb") as stream, closing(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)) as data:
            return _graph(data, name, is_any=is_any)
    except _Repeated as error:
        raise RequestError(
            f"{path} is a damaged TFLite file: its offsets point to the same parts too often; write it again"
        ) from error
    except (_Cut, IndexError) as error:
        raise RequestError(f"{path} is not a complete TFLite file: it points beyond its end; write it again") from error


def _graph(data: mmap.mmap, name: str, *, is_any: bool) -> Graph:
    if data[4:8] != _IDENTIFIER:
        raise RequestError(f"{name} is not a TFLite file: its identifier is missing; correct the suffix")
    model = FlatbufferTable.root(data)
    graphs, signatures = model.tables(2), {table.text(2): table for table in model.tables(7)}
    if not graphs:
        raise RequestError(f"{name}: wanted a graph, found none; write it again")
    is_first = is_any and not file_and_function(name)[1] and len(signatures) > 1
    signature = next(iter(signatures)) if is_first else _chosen(name, signatures)
    graph = graphs[signatures[signature].number(4, "<I")] if signature else graphs[0]
    codes, buffers = [_code(one) for one in model.tables(1)], model.tables(4)
    tensors = tuple(_tensor(place, one, buffers) for place, one in enumerate(graph.tables(0)))
    operators = tuple(_operator(one, codes, tensors) for one in graph.tables(3) if one.numbers(2))
    if signature:
        taken, made = (_mapped(signatures[signature], slot) for slot in (0, 1))
    else:
        taken, made = ({tensors[place].name: place for place in graph.numbers(slot)} for slot in (1, 2))
    _require_names(name, len(taken), 0 if signature else len(graph.numbers(1)))
    return Graph(
        signature=signature,
        signatures=tuple(signatures),
        inputs=_declared({label: tensors[place] for label, place in taken.items()}, operators),
        places=tuple(taken.values()),
        outputs={label: tensors[place] for label, place in made.items()},
        tensors=tensors,
        operators=operators,
        custom=tuple(name for name in codes if name.startswith(_CUSTOM_NAME)),
    )


def require_measurable(name: str, graph: Graph) -> None:
    """Refuse operators that no runtime includes, and inputs or outputs that are not numbers.

    Raises:
        RequestError: an operator, an input or an output of the graph is refused.
    """
    if graph.custom:
        operator = graph.custom[0].removeprefix(_CUSTOM_NAME)
        raise RequestError(
            f"{name}: operator {operator} is a custom one, which no runtime here has; convert the model without it"
        )
    inputs.require_types(name, graph.inputs)
    for label, tensor in graph.outputs.items():
        if tensor.dtype not in inputs.DTYPES:
            raise RequestError(
                f"{name}: output {label} is of {tensor.dtype}, wanted numbers; convert the model without this output"
            )


def _chosen(name: str, signatures: Mapping[str, FlatbufferTable]) -> str:
    """Return the name of the signature to run; an empty text if the file's first graph is run instead."""
    file, wanted = file_and_function(name)
    if wanted or len(signatures) > 1:
        if wanted in signatures:
            return wanted
        known = ", ".join(signatures) or "none"
        found = f"no signature {wanted}" if wanted else f"{len(signatures)} of them"
        example = next((f"{file}:{signature}" for signature in signatures), file)
        raise RequestError(f"{name}: wanted a signature to run, found {found} (has {known}); use --model {example}")
    return ""


def _mapped(signature: FlatbufferTable, slot: int) -> dict[str, int]:
    return {entry.text(0): entry.number(1, "<I") for entry in signature.tables(slot)}


def _require_names(name: str, named: int, numbered: int) -> None:
    if numbered > named:
        raise RequestError(f"{name}: two of its {numbered} inputs have the same name; convert it with different names")


def _declared(tensors: Mapping[str, Tensor], operators: Sequence[Operator]) -> tuple[Declared, ...]:
    """Return the inputs as the file declares them."""
    most = tables(operators)
    return tuple(
        Declared(
            name=label,
            dtype=tensor.dtype,
            axes=tuple("" if size == 0 and tensor.is_open else size for size in tensor.dims),
            most=most.get(tensor.place),
            is_scaled=bool(tensor.scale),
        )
        for label, tensor in tensors.items()
    )


def require_bounded(name: str, tensors: Sequence[Tensor]) -> None:
    """Refuse a graph with a tensor too large for a small machine, before a runtime allocates it.

    Raises:
        RequestError: a tensor is too large.
    """
    for tensor in tensors:
        if (values := prod(tensor.dims)) > inputs.MOST_VALUES:
            raise RequestError(
                f"{name}: tensor {tensor.name} of {shape.said(tensor.dims)} would have {values} values, wanted at most"
                f" {inputs.MOST_VALUES}; convert it for smaller inputs"
            )


def _takes(graph: Graph, shapes: Sequence[shape.Dimensions], *, is_fed: bool, name: str, decode: str) -> dict[str, Any]:
    """Return the card's fields that describe the inputs of a file.

    A classifier and a detector take images; any other model takes a feed, which is a set of arrays. With `is_fed`, a
    classifier takes a feed, too.
    """
    if decode:
        described = _detector(graph, shapes, name, decode)
        given = graph.tensors[graph.places[0]]
        return described | {"input_scale": given.scale, "input_zero": given.zero, "batch": 0}
    outputs = [(tensor.dtype, tensor.dims) for tensor in graph.outputs.values()]
    described = inputs.kind(graph.inputs, shapes, outputs, is_fed=is_fed)
    if graph.signature or described["layout"] == "NCHW":
        described = inputs.fed(inputs.feed(graph.inputs, shapes, graph.signature))
    if described["classes"]:
        given = graph.tensors[graph.places[0]]
        # The interpreter can resize the batch, or reports why it cannot.
        described |= {"input_scale": given.scale, "input_zero": given.zero, "batch": 0}
    return described


def _detector(graph: Graph, shapes: Sequence[shape.Dimensions], name: str, decode: str) -> dict[str, Any]:
    """Return the card's fields for a detector.

    The file has output maps with channels last, but the runtime's session returns these maps with channels first.
    """
    if graph.signature:
        raise RequestError(
            f"{name}: --decode reads the first graph of a file, not a signature; name the file without a signature"
        )
    sizes = {
        label: (tensor.dims[0], tensor.dims[3], *tensor.dims[1:3]) if len(tensor.dims) == 4 else tensor.dims
        for label, tensor in graph.outputs.items()
    }
    described = detector.described(name, graph.inputs, shapes, sizes, decode)
    if described["layout"] == "NCHW":
        raise RequestError(
            f"{name}: wanted an input with channels last, NHWC, with --decode, found NCHW; convert it to NHWC"
        )
    return described


def _computes(operators: list[Operator]) -> dict[str, Any]:
    """Return the card's fields for the precision and the cost of the operators."""
    precision, quantized = computed(*types(operators))
    cost = Cost.of(weights=lambda: weights(operators), multiply_adds=lambda: macs(operators))
    left, share = integers(operators) if precision == Precision.INT8 and not quantized else ((), None)
    return {"precision": precision, "given": quantized, "float_nodes": left, "integer_share": share, **asdict(cost)}


def _code(table: FlatbufferTable) -> str:
    """Return an operator's name.

    The name of a custom operator is stored in the file. The codes of newer operators are in a separate slot.
    """
    code = max(table.number(0, "<b"), table.number(3))
    if code == _CUSTOM:
        name = table.text(1)
        return name if name in _BROUGHT else f"{_CUSTOM_NAME}{name}"
    return NAMES[code] if 0 <= code < len(NAMES) else f"operator {code}"


def _tensor(place: int, table: FlatbufferTable, buffers: list[FlatbufferTable]) -> Tensor:
    sizes, signature = table.numbers(0), table.numbers(7)
    is_open = any(size < 0 for size in signature or sizes)
    dims = tuple(max(0, size) for size in signature or sizes)
    number, buffer = table.number(1, "<b"), buffers[table.number(2, "<I")]
    scales = [scale for quantized in table.table(4) for scale in quantized.numbers(2, "<f")]
    zeros = [zero for quantized in table.table(4) for zero in quantized.numbers(3, "<q")]
    return Tensor(
        place=place,
        name=table.text(3),
        dims=dims,
        is_open=is_open,
        dtype=_TYPES[number] if 0 <= number < len(_TYPES) else "another type",
        scale=float(scales[0]) if scales else 0.0,
        zero=zeros[0] if zeros else 0,
        # A constant's values are inside the flatbuffer, or after it.
        is_constant=bool(buffer.count(0) or buffer.number(1, "<Q") > 1),
    )


def _operator(table: FlatbufferTable, codes: list[str], tensors: Sequence[Tensor]) -> Operator:
    label, options = codes[table.number(0, "<I")], table.table(4)
    return Operator(
        name=label,
        inputs=tuple(tensors[index] if index >= 0 else None for index in table.numbers(1)),
        output=tensors[table.numbers(2)[0]],
        is_turned=label == "BATCH_MATMUL" and bool(options and options[0].number(0, "<b")),
    )
