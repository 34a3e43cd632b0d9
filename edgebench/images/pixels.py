"""A split's decoded and cut pixels -> one raw file in the cache, written as they are first read in order.

A file is whole or not there: it gets its name with its last byte.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import IO, TYPE_CHECKING, Any

from edgebench.foundation import files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy import int64
    from numpy.typing import NDArray

FOLDER = "pixels"
MOST_BYTES = 16 * 2**30  # a larger file is not kept: ImageNet's 50,000 at 299x299 need 13
FREE_SHARE = 0.5  # of the free space that a file may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Where the pixels of a split's images are, or may come to be, (N, 3, R, R)."""

    stem: str
    count: int
    resolution: int
    depth: str

    @property
    def file(self) -> Path | None:
        """The file of all of them, in order; None where none are kept."""
        whole = self._path.is_file() and self._path.stat().st_size == self.count * self._row_bytes
        return self._path if whole else None

    @property
    def _path(self) -> Path:
        return files.home() / FOLDER / f"{self.stem}.{self.depth}"

    @property
    def _shape(self) -> tuple[int, int, int]:
        return 3, self.resolution, self.resolution

    @property
    def _row_bytes(self) -> int:
        import numpy

        return prod(self._shape) * numpy.dtype(self.depth).itemsize

    def read(self, places: NDArray[int64]) -> NDArray[Any] | None:
        """Return the pixels of images, by their places among all; None where none are kept.

        They are read, not mapped: what is mapped counts as this process's memory, up to the whole file.
        """
        import numpy

        if (file := self.file) is None:
            return None
        pixels = numpy.empty((len(places), *self._shape), self.depth)
        with file.open("rb", buffering=0) as stream:
            for row, place in zip(pixels, places, strict=True):
                os.preadv(stream.fileno(), [row.data], int(place) * self._row_bytes)
        return pixels

    def keep(self, parts: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Pass on the pixels of all images in order; those that are seen to the end are kept.

        Where there is no room, or another process keeps them already, they are only passed on.
        """
        from filelock import FileLock, Timeout

        if not self.file and self._has_room():
            lock = FileLock(self._path.with_suffix(".lock"), thread_local=False)  # a pool's threads take turns
            with suppress(Timeout), lock.acquire(timeout=0):
                yield from self._written(parts)
                return
        yield from parts

    def _has_room(self) -> bool:
        """Tell whether the file is not too large, for itself or for what is free."""
        free = shutil.disk_usage(files.folder(FOLDER)).free
        return self.count * self._row_bytes <= min(MOST_BYTES, FREE_SHARE * free)

    def _written(self, parts: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        scratch = self._path.with_name(f"making-{self._path.name}")  # one writer at a time: a killed one's is replaced
        had_room, missing = True, self.count
        try:
            with scratch.open("wb", buffering=0) as stream:
                for part in parts:
                    had_room, missing = had_room and _write(stream, part), missing - len(part)
                    if had_room and not missing:  # before the last part is passed on: nobody need ask for another
                        scratch.replace(self._path)
                    yield part
        finally:
            scratch.unlink(missing_ok=True)


def _write(stream: IO[bytes], part: NDArray[Any]) -> bool:
    """Write pixels; tell whether there was room for them."""
    try:
        return stream.write(part.data) == part.nbytes
    except OSError:
        return False
