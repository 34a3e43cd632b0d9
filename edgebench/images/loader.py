"""Labelled pictures and a recipe -> images as a network takes them, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edgebench.foundation.prefetch import ahead
from edgebench.images.preprocessing import cut, keeps_levels, normalization

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy import float32, int64
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgebench.schema.normalization import Normalization
    from edgebench.schema.variant import Preprocessing

THREADS = 4  # that decode at once; Pillow computes without Python's lock


class Pictures(Protocol):
    """One split of a data set, read a picture at a time."""

    @property
    def labels(self) -> NDArray[int64]:
        """The class of every picture, from 0, (N,)."""

    @property
    def white(self) -> float:
        """The brightest value that a pixel can have."""

    @property
    def depth(self) -> str:
        """What a pixel is in memory: `uint8`, or `float32`."""

    @property
    def digests(self) -> Sequence[str]:
        """A hash of every picture's file; of none where they are not files of their own."""

    def name(self, index: int) -> str:
        """Name a picture as its owner knows it."""

    def picture(self, index: int) -> Image:
        """Decode a picture: RGB of 8 bits, or grey in float."""


class KeptPixels(Protocol):
    """Where a split's cut pixels are kept, if they are."""

    @property
    def file(self) -> Path | None:
        """The file of all of them, in order; None where none are kept."""

    def read(self, places: NDArray[int64]) -> NDArray[Any] | None:
        """Return the pixels of images, by their places among all; None where none are kept."""

    def keep(self, parts: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Pass on the pixels of all images in order; those that are seen to the end are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What decoding a picture's file for a first time showed.

    Attributes:
        is_damaged: it cannot be used, for a reason that is empty where it just cannot be decoded.
        remarks: what decoding does to it, each as the end of a sentence that starts with how many pictures.
    """

    is_damaged: bool = False
    reason: str = ""
    remarks: tuple[str, ...] = ()


class FileBacked(Protocol):
    """Pictures of which each is a file."""

    @property
    def names(self) -> Sequence[str]:
        """Of every picture's file."""

    def name(self, index: int) -> str:
        """Name a picture as its owner knows it."""

    def inspect(self, indices: Sequence[int]) -> list[Inspected]:
        """Decode these for a first time, in order, to find those that are damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A data set that was found whole.

    Attributes:
        sha256: of its content, wherever it lies; empty for a bundled one.
        part: a split's pictures by its name; a CaseError where there is none.
        files: all pictures, where each is a file that may be damaged.
        notices: what a person should know of how it was read.
    """

    classes: int
    sha256: str
    part: Callable[[str], Pictures]
    files: tuple[FileBacked, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """A split as a network takes it, (N, C, R, R) float32, of which only what is asked for is ever in memory.

    Attributes:
        kept: which of the pictures these are; `damaged` counts those left out because they cannot be read.
        channels: 3, or 1 for grey.
        memory: where their pixels are kept; None where decoding is cheap.
    """

    pictures: Pictures
    kept: NDArray[int64]
    recipe: Preprocessing
    resolution: int
    channels: int
    damaged: int = 0
    memory: KeptPixels | None = None

    @property
    def labels(self) -> NDArray[int64]:
        """The class of every image as the network counts them, (N,)."""
        return self.pictures.labels[self.kept] + self.recipe.label_offset

    @property
    def depth(self) -> str:
        """What a cut pixel is in memory: `uint8`, or `float32`."""
        return self.pictures.depth if keeps_levels(self.recipe) else "float32"

    @property
    def pixel_bytes(self) -> int:
        """What one image takes in memory before it is normalised."""
        import numpy

        return 3 * self.resolution**2 * numpy.dtype(self.depth).itemsize

    @property
    def normalization(self) -> Normalization:
        """What makes values of the pixels."""
        return normalization(self.recipe, self.pictures.white, grey=self.channels == 1)

    @property
    def file(self) -> Path | None:
        """The file that the pixels of all images lie in, in order; None where there is none."""
        return self.memory.file if self.memory else None

    def __len__(self) -> int:
        return len(self.kept)

    def read(self, indices: Sequence[int] | NDArray[int64]) -> NDArray[float32]:
        """Return these images, (n, C, R, R), in this order."""
        return self._normalised(self._pixels(indices))

    def _normalised(self, pixels: NDArray[Any]) -> NDArray[float32]:
        return self.normalization.apply(pixels, pixels if self.depth == "float32" else None)

    def _pixels(self, indices: Sequence[int] | NDArray[int64]) -> NDArray[Any]:
        """Return what is cut out of these pictures, (n, 3, R, R), before it is normalised."""
        import numpy

        places = numpy.asarray(indices, numpy.int64)
        kept = self.memory.read(places) if self.memory else None
        return self._decoded(self.kept[places]) if kept is None else kept

    def _decoded(self, numbers: NDArray[int64]) -> NDArray[Any]:
        import numpy

        pixels = numpy.empty((len(numbers), 3, self.resolution, self.resolution), self.depth)

        def fill(place: int) -> None:
            pixels[place] = cut(self.pictures.picture(int(numbers[place])), self.recipe, self.resolution)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(fill, range(len(pixels))))
        return pixels

    def parts(self, size: int) -> Iterator[NDArray[Any]]:
        """Yield the pixels of all images in order, `size` at a time, not normalised; another time they may be kept."""
        count = len(self)
        parts = (self._pixels(range(start, min(start + size, count))) for start in range(0, count, size))
        return self.memory.keep(parts) if self.memory else parts

    def batches(self, size: int, indices: NDArray[int64] | None = None) -> Iterator[NDArray[float32]]:
        """Yield all images, or these, in order, `size` at a time; the next ones are read meanwhile."""
        if indices is None:
            return ahead(map(self._normalised, self.parts(size)))
        return ahead(self.read(indices[start : start + size]) for start in range(0, len(indices), size))
