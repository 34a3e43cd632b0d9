"""A split's decoded and cropped pixels -> a raw file in the cache, written when the split is first read completely.

The file gets its final name after its last byte is written, so it is always complete. The hash of the raw file is
stored in a second file, the seal, and verified before the pixels are used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

from edgebench.foundation import cache, files
from edgebench.foundation.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy import int64
    from numpy.typing import NDArray

FOLDER = "pixels"
CONTENT = "sha256"  # the seal's key for the hash of the raw file
MOST_BYTES = 16 * 2**30  # larger files are not cached; ImageNet's 50,000 images at 299x299 need 13 GiB
FREE_SHARE = 0.5  # the largest share of the free disk space that one file is allowed to take


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """The cache file for the pixels of a split's images, (N, 3, R, R); the file may not exist yet."""

    stem: str
    count: int
    resolution: int
    depth: str

    @property
    def file(self) -> Path | None:
        """The file with the pixels of all images, in order; None if they are not cached."""
        if not (kept := cache.read(self._seal)):
            return None
        files.used(self._path)
        return self._path if cache.has_hash(self._path, str(kept.get(CONTENT))) else None

    @property
    def _path(self) -> Path:
        return files.place(FOLDER) / f"{self.stem}.{self.depth}"

    @property
    def _seal(self) -> Path:
        return self._path.with_suffix(".seal")

    @property
    def _shape(self) -> tuple[int, int, int]:
        return 3, self.resolution, self.resolution

    @property
    def _row_bytes(self) -> int:
        import numpy

        return prod(self._shape) * numpy.dtype(self.depth).itemsize

    def read(self, places: NDArray[int64]) -> NDArray[Any] | None:
        """Return the pixels of the images at these indices; None if they are not cached.

        The file is read, not mapped, because mapped pages would be included in the memory of this process.
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
        """Yield the `parts`, which are the pixels of all images in order; after the last part, cache the pixels.

        The pixels are not cached if the disk has too little space or another process is writing the file.
        """
        from filelock import FileLock, Timeout

        if not self.file and self._has_room():
            path = files.lock_file(self._path.with_suffix(".lock"))
            lock = FileLock(path, thread_local=False)  # each step of this generator can run in another thread of a pool
            with suppress(Timeout), lock.acquire(timeout=0):
                yield from self._written(parts)
                return
        yield from parts

    def _has_room(self) -> bool:
        """Return whether the file would be small enough for the size limit and for the free disk space."""
        free = shutil.disk_usage(files.folder(FOLDER)).free
        return self.count * self._row_bytes <= min(MOST_BYTES, FREE_SHARE * free)

    def _written(self, parts: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        had_room, missing, digest = True, self.count, hashlib.sha256()
        with TemporaryDirectory(dir=self._path.parent, prefix=files.SCRATCH) as scratch:
            made = Path(scratch) / "made"
            with made.open("xb", buffering=0) as stream:
                for part in parts:
                    digest.update(part.data)
                    had_room, missing = had_room and _write(stream, part), missing - len(part)
                    if had_room and not missing:  # the caller may leave the loop after the last part
                        self._appear(made, digest.hexdigest())
                    yield part

    def _appear(self, made: Path, sha256: str) -> None:
        """Give a complete file its final name, then write its seal; without the seal, the file is not used."""
        self._seal.unlink(missing_ok=True)
        files.settle(made, self._path)
        with suppress(RequestError):  # the seal cannot be written, as on a full disk
            cache.write_sealed(self._seal, {CONTENT: sha256})


def _write(stream: IO[bytes], part: NDArray[Any]) -> bool:
    """Write pixels; return whether the disk had space for them."""
    try:
        return stream.write(part.data) == part.nbytes
    except OSError:
        return False
