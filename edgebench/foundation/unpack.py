"""Compressed files of unknown origin -> the unpacked content, up to a size limit.

Without a limit, a small file could unpack to gigabytes of zeros and fill the memory.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from typing import IO, TYPE_CHECKING, Any
from zipfile import ZipFile, is_zipfile

if TYPE_CHECKING:
    from pathlib import Path

_GZIP = 31  # zlib's `wbits` for the gzip format
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
# The highest accepted ratio of unpacked to packed size. Weights and pixels have a ratio near 1, but zeros near 1000.
_MOST_RATIO = 20
_SMALL = 2**20


class TooLarge(OSError):
    """The content is larger than the limit."""

    def __init__(self, most: int) -> None:
        super().__init__(f"wanted at most {most / 2**20:.0f} MiB when unpacked, found more")


def gunzip(content: bytes, most: int) -> bytes:
    """Unpack gzip data, which may consist of several members.

    Raises:
        TooLarge: the content has more than `most` bytes.
        EOFError, zlib.error: the data are damaged.
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
    """A stream that reads a file, compressed or not, and refuses to go beyond `most` unpacked bytes."""

    def __init__(self, path: Path, most: int) -> None:
        with path.open("rb") as stream:
            opener: Any = _OPENERS.get(stream.read(2), open)
        self._stream: IO[bytes] = opener(path, "rb")
        self._most = most

    def read(self, size: int = -1) -> bytes:
        """Read bytes.

        Raises:
            TooLarge: the read would pass the limit.
        """
        left = self._most - self._stream.tell()
        content = self._stream.read(min(size, left + 1) if size >= 0 else left + 1)
        if len(content) > left:
            raise TooLarge(self._most)
        return content

    def seek(self, place: int) -> int:
        """Seek to a position.

        Raises:
            TooLarge: the position is beyond the limit.
        """
        if place > self._most:
            raise TooLarge(self._most)
        return self._stream.seek(place)

    def tell(self) -> int:
        """Return the position in the unpacked content."""
        return self._stream.tell()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def most_unpacked(path: Path) -> int:
    """Return the largest unpacked size, in bytes, that is accepted for a compressed file of weights or pixels."""
    return _SMALL + _MOST_RATIO * path.stat().st_size


def require_little(path: Path) -> None:
    """Refuse a zip file that declares far more content than weights or pixels could have; any other file passes.

    Raises:
        TooLarge: the declared content is too large.
        BadZipFile: the zip is damaged.
    """
    if not is_zipfile(path):
        return
    most = most_unpacked(path)
    with ZipFile(path) as packed:
        if sum(entry.file_size for entry in packed.infolist()) > most:
            raise TooLarge(most)
