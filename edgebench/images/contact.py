"""Pictures and their labels -> one contact sheet, so that people can check the labels by eye."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from edgebench.foundation.errors import CaseError, RequestError, require
from edgebench.images.catalogue import adopt, damaged, find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from edgebench.images.loader import Pictures, Truth

SPLITS = ("train", "calibration", "test")
TILE, GAP, CAPTION = 224, 8, 16  # a picture's side, the gap around it, and the height of the text below it, in pixels
MOST = 400  # the largest number of pictures on a sheet
# Colours of classes; if there are more classes than colours, the colours repeat.
# Most are from Okabe and Ito's palette, which was made for colour-blind readers.
COLOURS = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#ffffff", "#999999", "#ee3333",
)  # fmt: skip


def png(dataset: str, split: str, count: int, columns: int = 6) -> bytes:
    """Return a PNG of pictures chosen evenly from a whole split, each with its name, classes, boxes and mask.

    Raises:
        RequestError: the data set or the split does not exist, or the count is not between 1 and 400.
    """
    require("split", split, SPLITS)
    if not 1 <= count <= MOST:
        raise RequestError(f"wanted 1 to {MOST} pictures on a sheet, found {count}")
    pictures, usable = _pictures(dataset, split)
    count = min(count, len(usable))
    tiles = [tile(pictures, usable[place * len(usable) // count]) for place in range(count)]
    buffer = BytesIO()
    _arranged(tiles, min(columns, count)).save(buffer, "PNG")
    return buffer.getvalue()


def _pictures(dataset: str, split: str) -> tuple[Pictures, list[int]]:
    """Return a split's pictures, and the indices of the pictures that can be decoded."""
    named = adopt(dataset)
    card, opened = find(named.name, named.sha256)
    try:
        pictures = opened.part(split)
    except CaseError as error:
        raise RequestError(str(error)) from error
    bad = set(damaged(card, opened, lambda _: None))
    usable = [index for index in range(len(pictures.labels)) if pictures.name(index) not in bad]
    if not usable:
        raise RequestError(f"{dataset}: no image for {split} can be decoded; restore the images, or name another split")
    return pictures, usable


def _arranged(tiles: Sequence[Image], columns: int) -> Image:
    from PIL import Image

    rows, width, height = -(-len(tiles) // columns), TILE + GAP, TILE + CAPTION + GAP
    whole = Image.new("RGB", (columns * width + GAP, rows * height + GAP), "#202020")
    for place, one in enumerate(tiles):
        whole.paste(one, (GAP + place % columns * width, GAP + place // columns * height))
    return whole


def tile(pictures: Pictures, index: int) -> Image:
    """Draw one picture with boxes and masks; write the picture's name and classes below."""
    from PIL import Image
    from PIL.ImageDraw import Draw

    truth, picture = pictures.truth(index), coloured(pictures.picture(index), pictures.white)
    scale = TILE / max(picture.size)
    if truth.mask is not None:
        picture = _masked(picture, truth)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    whole = Image.new("RGB", (TILE, TILE + CAPTION), "#202020")
    whole.paste(picture.resize(size, Image.Resampling.NEAREST if scale > 4 else Image.Resampling.BILINEAR))
    draw = Draw(whole)
    _outline(draw, truth, scale)
    classes = " ".join(str(label) for label in truth.classes.tolist())
    draw.text((0, TILE + 2), f"{pictures.name(index)[-24:]}: {classes}", fill="#ffffff")
    return whole


def coloured(picture: Image, white: float) -> Image:
    """Return a picture as 8-bit RGB; a grey float picture gets three equal channels."""
    import numpy
    from PIL.Image import fromarray

    if picture.mode == "RGB":
        return picture
    levels = numpy.asarray(picture, numpy.float32) * (255 / white)
    return fromarray(levels.clip(0, 255).astype(numpy.uint8)).convert("RGB")


def _masked(picture: Image, truth: Truth) -> Image:
    """Tint the pixels of each object: half of the result is the pixel, half is the colour of the object's class."""
    import numpy
    from PIL.Image import fromarray
    from PIL.ImageColor import getrgb

    palette = numpy.array([getrgb(colour) for colour in COLOURS], numpy.float32)
    pixels, mask = numpy.array(picture, numpy.float32), truth.mask
    assert mask is not None
    ink = mask > 0
    pixels[ink] = (pixels[ink] + palette[(mask[ink].astype(int) - 1) % len(COLOURS)]) / 2
    return fromarray(pixels.astype(numpy.uint8))


def _outline(draw: ImageDraw, truth: Truth, scale: float) -> None:
    """Draw each object's box, with the name of the class above the box."""
    if truth.boxes is None:
        return
    for label, (left, top, right, bottom) in zip(truth.classes.tolist(), (truth.boxes * scale).tolist(), strict=True):
        colour = COLOURS[label % len(COLOURS)]
        draw.rectangle((left - 1, top - 1, right, bottom), outline=colour)
        draw.text((left, max(0, top - 12)), str(label), fill=colour)
