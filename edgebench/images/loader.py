"""Labelled pictures and a preprocessing recipe -> a network's inputs, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from edgebench.foundation.prefetch import ahead
from edgebench.images.preprocessing import cut, frame, keeps_levels, margins, normalization

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy import float32, int64, uint8
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgebench.schema.normalization import Normalization
    from edgebench.schema.variant import Preprocessing

THREADS = 4  # number of threads that decode; they run in parallel, because Pillow releases Python's global lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The true labels of one picture; a field is None if the data set has no such labels.

    Attributes:
        classes: the class, from 0, of each object, (n,), or of the whole picture, (1,), if `boxes` is None.
        boxes: left, top, right and bottom of each object, (n, 4), in pixels; right and bottom are exclusive.
        mask: a number for each pixel, (H, W): 0 for the background, 255 for pixels that metrics ignore, otherwise the
            pixel's class plus 1.
        size: width and height, in pixels, of the picture that `boxes` refer to; unused without boxes.
    """

    classes: NDArray[int64]
    boxes: NDArray[float32] | None = None
    mask: NDArray[uint8] | None = None
    size: tuple[float, float] = (0, 0)


class Pictures(Protocol):
    """One split of a data set, read picture by picture."""

    @property
    def labels(self) -> NDArray[int64]:
        """The class of each picture, from 0, (N,)."""

    @property
    def white(self) -> float:
        """The value of a white pixel."""

    @property
    def depth(self) -> str:
        """The type of a pixel in memory: `uint8` or `float32`."""

    @property
    def digests(self) -> Sequence[str]:
        """The hash of each picture's file; an empty sequence if pictures are not files of their own."""

    def name(self, index: int) -> str:
        """Return a picture's name in the data set."""

    def picture(self, index: int) -> Image:
        """Decode a picture, to 8-bit RGB or to grey floats."""

    def truth(self, index: int) -> Truth:
        """Return a picture's true labels."""


class Labelled:
    """Pictures that have one class each, and no other labels."""

    __slots__ = ()
    labels: NDArray[int64]

    def truth(self, index: int) -> Truth:
        """Return a picture's class, its only true label."""
        return Truth(classes=self.labels[index : index + 1])


class KeptPixels(Protocol):
    """A cache for the cropped pixels of a split's images."""

    @property
    def file(self) -> Path | None:
        """The file with the pixels of all images, in order; None if they are not cached."""

    def read(self, places: NDArray[int64]) -> NDArray[Any] | None:
        """Return the pixels of the images at these indices; None if they are not cached."""

    def keep(self, parts: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Yield the `parts`, which are the pixels of all images in order; after the last part, cache the pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The result of decoding a picture for the first time: whether it is usable, and how decoding changes it.

    Attributes:
        is_damaged: whether the picture cannot be used; `reason` says why, or is an empty text if decoding failed.
        remarks: what decoding changes in the picture. A remark is the rest of a notice that begins with a number of
            pictures.
    """

    is_damaged: bool = False
    reason: str = ""
    remarks: tuple[str, ...] = ()


class FileBacked(Protocol):
    """Pictures, each stored in a file of its own."""

    @property
    def names(self) -> Sequence[str]:
        """The name of each picture's file."""

    def name(self, index: int) -> str:
        """Return a picture's name in its data set."""

    def inspect(self, indices: Sequence[int]) -> list[Inspected]:
        """Decode each of the pictures at these indices once; return, in the same order, whether each is usable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A complete data set.

    Attributes:
        sha256: hash of the data set's content; an empty text for a bundled data set.
        part: a function that takes a split's name and returns the split's pictures; raises CaseError if there is no
            such split.
        files: all pictures, if each picture is a file of its own, otherwise an empty tuple; they are not checked yet,
            so some may be damaged.
        notices: what the user should know about how the data set was read.
    """

    classes: int
    sha256: str
    part: Callable[[str], Pictures]
    files: tuple[FileBacked, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """A split, read on demand as inputs for a network, (N, C, R, R) float32.

    Attributes:
        kept: indices of the pictures that are used; `damaged` is the number of pictures that are left out because they
            cannot be read.
        channels: number of channels of the network's input: 3 for colour, 1 for grey.
        memory: the cache of the pictures' pixels; None if decoding is cheap.
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
        """The class of each image, (N,), as the index of the network's output for this class."""
        return self.pictures.labels[self.kept] + self.recipe.label_offset

    @property
    def depth(self) -> str:
        """The type of a cropped pixel in memory: `uint8` or `float32`."""
        return self.pictures.depth if keeps_levels(self.recipe) else "float32"

    @property
    def pixel_bytes(self) -> int:
        """Size in bytes of one image's pixels in memory, before normalization."""
        import numpy

        return 3 * self.resolution**2 * numpy.dtype(self.depth).itemsize

    @property
    def normalization(self) -> Normalization:
        """The normalization that turns pixels into input values."""
        return normalization(self.recipe, self.pictures.white, grey=self.channels == 1)

    @property
    def file(self) -> Path | None:
        """The cache file with the pixels of all images, in order; None if there is no such file."""
        return self.memory.file if self.memory else None

    def __len__(self) -> int:
        return len(self.kept)

    def read(self, indices: Sequence[int] | NDArray[int64]) -> NDArray[float32]:
        """Return the images at these indices, in the order of the indices, as inputs, (n, C, R, R) float32."""
        return self._normalized(self.pixels(indices))

    def truth(self, index: int) -> Truth:
        """Return an image's true labels; boxes refer to the part that the network sees, including any grey margins."""
        return _padded(self._of_part(index), self.recipe, self.resolution)

    def _of_part(self, index: int) -> Truth:
        """Return an image's true labels, cut to the part of the picture that preprocessing keeps.

        Classes are numbered like the network's outputs. An object whose centre is cropped away is left out. In the
        mask, the background stays 0 and ignored pixels stay 255.
        """
        import numpy

        truth = self.pictures.truth(int(self.kept[index]))
        classes = truth.classes + self.recipe.label_offset
        if truth.boxes is None and truth.mask is None:
            return Truth(classes=classes)
        whole = truth.size if truth.mask is None else truth.mask.shape[::-1]
        left, top, right, bottom = frame((int(whole[0]), int(whole[1])), self.recipe, self.resolution)
        size, mask = (right - left, bottom - top), None if truth.mask is None else truth.mask[top:bottom, left:right]
        if truth.boxes is None:
            return Truth(classes=classes, mask=mask, size=size)
        boxes = truth.boxes - numpy.array((left, top, left, top), numpy.float32)
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        is_inside = ((middle >= 0) & (middle <= size)).all(1)
        return Truth(classes=classes[is_inside], boxes=boxes[is_inside].clip(0, size * 2), mask=mask, size=size)

    def part(self, index: int) -> tuple[float, float, float, float]:
        """Return the rectangle of a picture that a network sees: left, top, right and bottom, in pixels.

        The rectangle is larger than the picture if a letterbox adds grey margins.
        """
        width, height = self.pictures.picture(int(self.kept[index])).size
        left, top, right, bottom = frame((width, height), self.recipe, self.resolution)
        around = margins((right - left, bottom - top), self.recipe, self.resolution)
        return left - around[0], top - around[1], right + around[2], bottom + around[3]

    def _normalized(self, pixels: NDArray[Any]) -> NDArray[float32]:
        return self.normalization.apply(pixels, pixels if self.depth == "float32" else None)

    def pixels(self, indices: Sequence[int] | NDArray[int64]) -> NDArray[Any]:
        """Return the cropped pixels at these indices, (n, 3, R, R), before normalization."""
        import numpy

        places = numpy.asarray(indices, numpy.int64)
        cached = self.memory.read(places) if self.memory else None
        return self._decoded(self.kept[places]) if cached is None else cached

    def _decoded(self, numbers: NDArray[int64]) -> NDArray[Any]:
        import numpy

        pixels = numpy.empty((len(numbers), 3, self.resolution, self.resolution), self.depth)

        def fill(place: int) -> None:
            pixels[place] = cut(self.pictures.picture(int(numbers[place])), self.recipe, self.resolution)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(fill, range(len(pixels))))
        return pixels

    def parts(self, size: int) -> Iterator[NDArray[Any]]:
        """Yield the pixels, not normalized, of all images in order, `size` images at a time; cache them if possible."""
        count = len(self)
        parts = (self.pixels(range(start, min(start + size, count))) for start in range(0, count, size))
        return self.memory.keep(parts) if self.memory else parts

    def batches(self, size: int, indices: NDArray[int64] | None = None) -> Iterator[NDArray[float32]]:
        """Yield all images, or the images at `indices`, in batches of `size`; a thread reads one batch ahead."""
        if indices is None:
            return ahead(map(self._normalized, self.parts(size)))
        return ahead(self.read(indices[start : start + size]) for start in range(0, len(indices), size))


def _padded(truth: Truth, recipe: Preprocessing, resolution: int) -> Truth:
    """Return labels whose boxes and size are converted to a picture that includes a letterbox's grey margins."""
    import numpy

    left, top, right, bottom = margins(truth.size, recipe, resolution) if truth.boxes is not None else (0.0,) * 4
    if truth.boxes is None or not any((left, top, right, bottom)):
        return truth
    size = truth.size[0] + left + right, truth.size[1] + top + bottom
    return replace(truth, boxes=truth.boxes + numpy.array((left, top, left, top), numpy.float32), size=size)
