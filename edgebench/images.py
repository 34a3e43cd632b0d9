"""Labelled pictures and a recipe -> images as a network takes them, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from edgebench.preprocessing import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy import float32, int64
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgebench.spec import Preprocessing

T = TypeVar("T")
THREADS = 4  # that decode at once; Pillow computes without Python's lock


class Pictures(Protocol):
    """One split of a data set, read a picture at a time."""

    @property
    def labels(self) -> NDArray[int64]:
        """The class of every picture, from 0, (N,)."""

    @property
    def white(self) -> float:
        """The brightest value that a pixel can have."""

    def name(self, index: int) -> str:
        """Name a picture as its owner knows it."""

    def picture(self, index: int) -> Image:
        """Decode a picture: RGB of 8 bits, or grey in float."""


class Files(Protocol):
    """Pictures of which each is a file."""

    @property
    def names(self) -> Sequence[str]:
        """Of every picture's file."""

    def damaged(self, indices: Sequence[int]) -> list[str]:
        """Name those of these that cannot be decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A data set that was found whole.

    Attributes:
        sha256: of its content, wherever it lies; empty for a bundled one.
        part: a split's pictures by its name; a CaseError where there is none.
        files: all pictures, where each is a file that may be damaged.
    """

    classes: int
    sha256: str
    part: Callable[[str], Pictures]
    files: tuple[Files, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """A split as a network takes it, (N, C, R, R) float32, of which only what is asked for is ever in memory.

    Attributes:
        kept: which of the pictures these are; `damaged` counts those left out because they cannot be read.
        channels: 3, or 1 for grey.
    """

    pictures: Pictures
    kept: NDArray[int64]
    recipe: Preprocessing
    resolution: int
    channels: int
    damaged: int = 0

    @property
    def labels(self) -> NDArray[int64]:
        """The class of every image as the network counts them, (N,)."""
        return self.pictures.labels[self.kept] + self.recipe.label_offset

    def __len__(self) -> int:
        return len(self.kept)

    def read(self, indices: Sequence[int] | NDArray[int64]) -> NDArray[float32]:
        """Return these images, (n, C, R, R), in this order."""
        import numpy

        images = numpy.empty((len(indices), self.channels, self.resolution, self.resolution), numpy.float32)

        def fill(place: int) -> None:
            images[place] = self._image(int(self.kept[indices[place]]))

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(fill, range(len(images))))
        return images

    def _image(self, index: int) -> NDArray[float32]:
        values = prepare(self.pictures.picture(index), self.recipe, self.resolution, self.pictures.white)
        return values if self.channels == len(values) else values.mean(0, keepdims=True)

    def batches(self, size: int, indices: NDArray[int64] | None = None) -> Iterator[NDArray[float32]]:
        """Yield all images, or these, in order, `size` at a time; the next ones are read meanwhile."""
        import numpy

        order = numpy.arange(len(self)) if indices is None else indices
        return ahead(self.read(order[start : start + size]) for start in range(0, len(order), size))


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, of which the next one is made meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
