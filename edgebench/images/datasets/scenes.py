"""Composed pictures of 224x224 pixels: 1 to 6 real handwritten digits, 16 to 56 pixels high, on crops of real photos.

The class, the tight box and the mask of every digit are known exactly, because this module draws the digit. A scene is
a pure function of (SEED, split, index). The digits are split as in the data set `digits`. The left part of
each photo is for training, the right part for calibration and test.

Digits and photos come with scikit-learn. The digits are from Alpaydin and Kaynak, Optical Recognition of Handwritten
Digits, UCI, 1998, CC BY 4.0. The photos are cropped, mirrored, dimmed and drawn on; they are china.jpg by
danielbuechele, flickr.com/photos/danielbuechele/6061409035, and flower.jpg, flickr.com/photos/vultilion/6056698931,
both CC BY 2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from edgebench.foundation.errors import CaseError
from edgebench.images.datasets.digits import open as open_digits
from edgebench.images.loader import Opened, Truth
from edgebench.schema.variant import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy import float32, int64, uint8
    from numpy.random import Generator
    from numpy.typing import NDArray
    from PIL import Image

CLASSES = 10
TASKS = ("detection", "segmentation")
SOURCE = (
    "composed here of handwritten digits (Alpaydin and Kaynak, UCI, 1998, CC BY 4.0) and two photos (china.jpg by"
    " danielbuechele, flower.jpg from flickr.com/photos/vultilion, CC BY 2.0), all as bundled with scikit-learn"
)
PLACE = ""
PREPROCESSING = Preprocessing(name="whole", first="crop", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
AUGMENTATION: tuple[str, ...] = ()  # without augmentation, because no scene is seen twice
TOOLS = ("scikit-learn", "pillow", "numpy")
NOTE = (
    "500 test scenes of 224x224 pixels, composed of real handwritten digits, 16 to 56 pixels high, on crops of real"
    " photos. A mAP here is no COCO figure: it compares networks with each other, not with published ones."
)

SEED = 0
SIDE = 224
# The default number of scenes in each split; scenes with higher indices can be drawn, too.
COUNTS = {"train": 12_000, "calibration": 500, "test": 500}
ORDER = tuple(COUNTS)
TRAIN_COLUMNS = 416  # this many columns of a photo, from the left, are for training; a photo has 640 columns
CROPS = range(112, SIDE + 1, 16)  # sides of a photo's crop in pixels; each background has a random one of them
CONTRAST, LEVEL = (0.3, 0.8), (40.0, 110.0)  # ranges of the background's contrast factor and of its mean grey level
MOST = 6  # the largest number of digits in a scene
LIFT = (80.0, 140.0)  # range of grey levels by which a digit is lighter than the background
TINT = (0.75, 1.0)  # range of the random factors by which the channels of a digit's colour are multiplied
GAP = 2  # minimum gap between the boxes of two digits, pixels
TRIES = 20  # number of attempts to find a free place for a digit
FINE = 64  # side of a smoothly enlarged digit, before it is scaled to the size in the scene, pixels
INK = 128  # lowest coverage, of 255, at which a pixel belongs to the digit


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of scene: it has 1 to `most` digits, whose heights are in the range `sizes`, in pixels."""

    most: int
    sizes: tuple[float, float]


SEVERAL = Kind(most=MOST, sizes=(16.0, 56.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A composed picture, (224, 224, 3), with the mask, and with the class and box of each digit."""

    pixels: NDArray[uint8]
    truth: Truth

    @property
    def boxes(self) -> NDArray[float32]:
        """The boxes of the scene's digits, (n, 4), in pixels."""
        assert self.truth.boxes is not None
        return self.truth.boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a split's scenes are composed of: tightly cropped digits with their classes, and parts of the photos.

    Attributes:
        photos: enlarged copies of each photo, (H, W, 3), one for each side in `CROPS`. A background is cut out of such
            a copy, so that no photo is enlarged for a scene.
    """

    photos: tuple[NDArray[uint8], ...]
    glyphs: tuple[Image.Image, ...]
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """The scenes of a split; each is drawn when it is read."""

    split: str
    labels: NDArray[int64]
    white: float = 255.0
    depth: str = "uint8"
    digests: tuple[str, ...] = ()
    kind: Kind = SEVERAL

    def name(self, index: int) -> str:
        """Return the scene's number as its name."""
        return str(index)

    def picture(self, index: int) -> Image.Image:
        """Draw the scene."""
        from PIL.Image import fromarray

        return fromarray(_kept(self.split, index, self.kind).pixels)

    def truth(self, index: int) -> Truth:
        """Return classes, boxes and mask of the scene's digits."""
        return _kept(self.split, index, self.kind).truth


def open(place: Path | None) -> Opened:
    """Open the data set; each scene is drawn when it is read."""
    return Opened(classes=CLASSES, sha256="", part=part)


def part(split: str, count: int = 0, kind: Kind = SEVERAL) -> Scenes:
    """Return the first `count` scenes of a split; if `count` is None, the number of scenes that `COUNTS` states.

    Raises:
        CaseError: there is no such split.
    """
    import numpy

    if split not in COUNTS:
        raise CaseError(f"scenes: wanted a split of {', '.join(COUNTS)}, found {split}")
    return Scenes(split=split, labels=numpy.zeros(count or COUNTS[split], numpy.int64), kind=kind)


def draw(split: str, index: int, kind: Kind = SEVERAL) -> Scene:
    """Draw one scene: a pure function of SEED, split, index and kind."""
    import numpy

    random, parts = numpy.random.default_rng((SEED, ORDER.index(split), index)), parts_of(split)
    pixels = _background(random, parts)
    mask = numpy.zeros((SIDE, SIDE), numpy.uint8)
    drawn = [_drawn(glyph, label, pixels, mask, random) for glyph, label in _placed(random, parts, kind)]
    classes, boxes = numpy.array([label for label, _ in drawn]), numpy.array([box for _, box in drawn], numpy.float32)
    return Scene(pixels=pixels, truth=Truth(classes=classes, boxes=boxes, mask=mask, size=(SIDE, SIDE)))


# For each batch, all pictures are read first, and then all labels; without this cache, each scene would be drawn twice.
@lru_cache(maxsize=160)
def _kept(split: str, index: int, kind: Kind) -> Scene:
    return draw(split, index, kind)


@cache
def parts_of(split: str) -> Parts:
    """Return the digits and photos for a split's scenes; those for training are used in no other split."""
    from sklearn.datasets import load_sample_images

    is_training, source = split == "train", open_digits(None).part(split)
    columns = slice(0, TRAIN_COLUMNS) if is_training else slice(TRAIN_COLUMNS, None)
    return Parts(
        photos=tuple(_enlarged(photo[:, columns], crop) for photo in load_sample_images().images for crop in CROPS),
        glyphs=tuple(_fine(pixels) for pixels in source.pixels),  # type: ignore[attr-defined]
        classes=tuple(source.labels.tolist()),
    )


def _enlarged(photo: NDArray[uint8], crop: int) -> NDArray[uint8]:
    """Enlarge a photo so that a square of `crop` pixels in it becomes as large as a scene."""
    import numpy
    from PIL.Image import Resampling, fromarray

    height, width = (length * SIDE // crop for length in photo.shape[:2])
    return numpy.array(fromarray(photo.copy()).resize((width, height), Resampling.BILINEAR))


def _fine(pixels: NDArray[float32]) -> Image.Image:
    """Enlarge a digit of 8x8 pixels smoothly, sharpen and crop it; a pixel's value is how far the digit covers it."""
    import numpy
    from PIL.Image import Resampling, fromarray

    smooth = numpy.asarray(fromarray(numpy.pad(pixels, 1) / 16).resize((FINE, FINE), Resampling.BICUBIC))
    fine = (numpy.clip((smooth - 0.2) / 0.4, 0, 1) * 255).astype(numpy.uint8)
    left, top, right, bottom = _tight(fine >= INK)
    return fromarray(fine[top:bottom, left:right].copy())


def _tight(ink: NDArray[Any]) -> tuple[int, int, int, int]:
    """Return the smallest box around the true pixels: left, top, right and bottom; right and bottom are exclusive."""
    columns, rows = ink.any(0).nonzero()[0], ink.any(1).nonzero()[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _background(random: Generator, parts: Parts) -> NDArray[uint8]:
    """Return a random crop of a photo, possibly mirrored, with lower contrast and a new mean level."""
    import numpy

    photo = parts.photos[random.integers(len(parts.photos))]
    shares = random.random(5)
    top, left = (int(share * (length - SIDE + 1)) for share, length in zip(shares[:2], photo.shape, strict=False))
    piece = photo[top : top + SIDE, left : left + SIDE][:, :: -1 if shares[2] < 0.5 else 1]
    contrast, level = numpy.interp(shares[3], (0, 1), CONTRAST), numpy.interp(shares[4], (0, 1), LEVEL)
    # With integers this takes a quarter of the time, and the result is the same on every machine.
    factor = numpy.uint16(256 * contrast)
    dimmed = (piece.astype(numpy.uint16) * factor >> 8).view(numpy.int16)
    return numpy.clip(dimmed + numpy.int16(level - dimmed[::8, ::8].mean()), 0, 255).astype(numpy.uint8)


def _placed(random: Generator, parts: Parts, kind: Kind) -> Iterator[tuple[_Glyph, int]]:
    """Yield digits, each with a random size and a random place, that do not overlap."""
    import numpy

    taken = list[tuple[int, int, int, int]]()
    low, high = numpy.log(kind.sizes)
    for _ in range(int(random.integers(1, kind.most + 1))):
        number, height = int(random.integers(len(parts.glyphs))), round(float(numpy.exp(random.uniform(low, high))))
        fine = parts.glyphs[number]
        width = max(3, round(height * fine.width / fine.height))
        for x, y in random.integers(0, (SIDE - width + 1, SIDE - height + 1), (TRIES, 2)).tolist():
            if all(_apart((x, y, x + width, y + height), other) for other in taken):
                taken.append((x, y, x + width, y + height))
                yield _Glyph(fine=fine, x=x, y=y, width=width, height=height), parts.classes[number]
                break


def _apart(box: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    """Return whether there are at least GAP pixels between two boxes."""
    beside = box[2] + GAP <= other[0] or other[2] + GAP <= box[0]
    return beside or box[3] + GAP <= other[1] or other[3] + GAP <= box[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Glyph:
    """A digit with its place in the scene; all positions are in pixels."""

    fine: Image.Image
    x: int
    y: int
    width: int
    height: int


def _drawn(
    glyph: _Glyph, label: int, pixels: NDArray[uint8], mask: NDArray[uint8], random: Generator
) -> tuple[int, tuple[int, int, int, int]]:
    """Draw a digit, lighter than the background, into picture and mask; return the digit's class and tight box."""
    import numpy
    from PIL.Image import Resampling

    place = slice(glyph.y, glyph.y + glyph.height), slice(glyph.x, glyph.x + glyph.width)
    coverage = numpy.asarray(glyph.fine.resize((glyph.width, glyph.height), Resampling.BILINEAR))
    behind = pixels[place]
    light = behind.reshape(-1, 3).mean(0) + random.uniform(*LIFT) * random.uniform(*TINT, 3)
    share = coverage[:, :, None] * numpy.float32(1 / 255)
    pixels[place] = behind + share * (numpy.minimum(light, 255).astype(numpy.float32) - behind)
    ink = coverage >= INK
    mask[place][ink] = label + 1
    left, top, right, bottom = _tight(ink)
    return label, (glyph.x + left, glyph.y + top, glyph.x + right, glyph.y + bottom)
