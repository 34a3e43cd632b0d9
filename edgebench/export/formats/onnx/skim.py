"""Read the graph of an ONNX file without the values of its weights: only a few kilobytes of a file of 100 MB.

Field numbers follow onnx.proto3. A tensor keeps its name, type and sizes. Tensors of at most a kilobyte also keep their
values; among them are shapes, axes and scales.
"""

from __future__ import annotations

import mmap
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_VALUES_BYTES = 1024
# Kind of a message -> numbers of its fields that can contain tensors -> kind of the message in such a field.
_WITHIN = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_VALUES = (4, 5, 6, 7, 9, 10, 11)  # fields of a tensor that hold its values
_VARINT, _FIXED64, _MESSAGE, _FIXED32 = 0, 1, 2, 5


def outline(path: Path) -> Any:
    """Return a file as a ModelProto without the values of weights.

    Raises:
        ValueError: the file is cut off, or is not a protobuf.
    """
    import onnx

    proto = onnx.ModelProto()
    with path.open("rb") as stream, closing(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)) as data:
        try:
            proto.ParseFromString(_copied(data, 0, len(data), "model"))
        except Exception as error:  # protobuf raises many kinds of errors on what it cannot parse
            raise ValueError("it is cut off, or not a protobuf") from error
    return proto


def _copied(data: Any, start: int, end: int, kind: str) -> bytes:
    """Return a message without the large values of its tensors."""
    copy = bytearray()
    for number, tag, value, after in _fields(data, start, end):
        if kind == "tensor" and number in _VALUES and after - value > MOST_VALUES_BYTES:
            continue
        within = _WITHIN[kind].get(number)
        if within is None:
            copy += data[tag:after]
            continue
        message = _copied(data, value, after, within)
        copy += _number(number << 3 | _MESSAGE) + _number(len(message)) + message
    return bytes(copy)


def _fields(data: Any, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield each field's number, and the positions of its tag, its value and its end."""
    while at < end:
        tag = at
        key, at = _varint(data, at)
        kind, value = key & 7, at
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind == _MESSAGE:
            size, value = _varint(data, at)
            at = value + size
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        else:
            raise IndexError
        if at > end:
            raise IndexError
        yield key >> 3, tag, value, at


def _varint(data: Any, at: int) -> tuple[int, int]:
    """Return a varint, 7 bits per byte, and the position after it."""
    number = shift = 0
    while shift < 70:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
    raise IndexError


def _number(value: int) -> bytes:
    """Encode a number as a varint, 7 bits per byte."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
