"""Packed files of others -> their content, within a bound: a kilobyte can hold a gigabyte of zeros."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import IO, TYPE_CHECKING, Any
from zipfile import ZipFile, is_zipfile

if TYPE_CHECKING:
    from pathlib import Path

_GZIP = 31  # zlib's number for a header of gzip
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
_MOST_RATIO = 20  # of a zip's content to its size: weights and pixels hardly shrink, zeros a thousand times
_SMALL = 2**20


class TooLarge(OSError):
    """It unpacks to more than it may: what was wanted, and what was found."""

    def __init__(self, most: int) -> None:
        super().__init__(f"wanted at most {most / 2**20:.0f} MiB when unpacked, found more")


def gunzip(content: bytes, most: int) -> bytes:
    """Unpack gzip, of one or several members.

    Raises:
        TooLarge: there are more than `most` bytes.
        EOFError, zlib.error: it is damaged.
    """
    unpacked = bytearray()
    while content:
        member = zlib.decompressobj(_GZIP)
        unpacked += member.decompress(content, most + 1 - len(unpacked))
        if len(unpacked) > most:
            raise TooLarge(most)
        if not member.eof:
            raise EOFError("it is cut off")
        content = member.unused_data.lstrip(b"\0")
    return bytes(unpacked)


class Capped:
    """A stream, packed or not, of which no more than `most` unpacked bytes can be read or skipped."""

    def __init__(self, path: Path, most: int) -> None:
        with path.open("rb") as stream:
            opener: Any = _OPENERS.get(stream.read(2), open)
        self._stream: IO[bytes] = opener(path, "rb")
        self._most = most

    def read(self, size: int = -1) -> bytes:
        """Read bytes.

        Raises:
            TooLarge: they would be beyond the bound.
        """
        left = self._most - self._stream.tell()
        content = self._stream.read(min(size, left + 1) if size >= 0 else left + 1)
        if len(content) > left:
            raise TooLarge(self._most)
        return content

    def seek(self, place: int) -> int:
        """Go to a place.

        Raises:
            TooLarge: it is beyond the bound.
        """
        if place > self._most:
            raise TooLarge(self._most)
        return self._stream.seek(place)

    def tell(self) -> int:
        """Return the place."""
        return self._stream.tell()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def require_little(path: Path) -> None:
    """Refuse a zip that declares far more than it can hold of what does not shrink; any other file passes.

    Raises:
        TooLarge: it declares more.
        BadZipFile: it is damaged.
    """
    if not is_zipfile(path):
        return
    most = _SMALL + _MOST_RATIO * path.stat().st_size
    with ZipFile(path) as packed:
        if sum(entry.file_size for entry in packed.infolist()) > most:
            raise TooLarge(most)
