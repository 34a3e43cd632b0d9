"""A picture's file -> 8-bit RGB as a person sees it: upright, scaled from its bit depth, on a white background.

Pictures without a defined brightness range, or with too many pixels, are refused. Importing this module loads Pillow.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from PIL import Image

from edgebench.images.loader import Inspected

if TYPE_CHECKING:
    from pathlib import Path

    from numpy import uint8
    from numpy.typing import NDArray

# Pillow's warning about too many pixels becomes an error, and its warnings about damaged metadata are hidden.
# Both filters are set once per process, because all threads share them.
warnings.filterwarnings("ignore", module=r"PIL\b")
warnings.simplefilter("error", Image.DecompressionBombWarning)

# Tags of TIFF files, and values of these tags; source: TIFF 6.0, sections 4, 8 and 19.
BITS, PHOTOMETRIC, WHITE_IS_ZERO, SAMPLE_FORMAT, SIGNED = 258, 262, 0, 339, 2
# Formats whose values Pillow returns as 32-bit integers although they range over 16 bits.
# If the values of a PPM have a smaller range, Pillow scales them to 16 bits.
WHOLE_16_BITS = ("PNG", "PPM")
DEEP = ("I", "F")

ORIENTATION = 274  # tag of the orientation: Exif 2.32, 4.6.4
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

SIGNED_OR_WIDE = "signed or 32-bit integers without a known range"
TURNED = "are turned upright as their EXIF orientation says"
FIRST_FRAME = "have several frames, of which the first is used"
SCALED = "have more than 8 bits per channel; their values are scaled to 8 bits"
ON_WHITE = "have transparent pixels and are laid on white"


class UnknownRange(ValueError):
    """The picture can be decoded, but its values have no defined range from black to white."""


def decode(file: Path) -> Image.Image:
    """Read a picture as RGB of 8 bits.

    Raises:
        UnknownRange: the picture's values have no defined range from black to white.
        Exception: the picture is damaged; each decoder raises different errors.
    """
    with Image.open(file) as image:
        return _upright(image)


def size(file: Path) -> tuple[int, int]:
    """Return a picture's width and height after it is turned upright, from the file's header.

    Raises:
        Exception: the header is damaged; each decoder raises different errors.
    """
    with Image.open(file) as image:
        width, height = image.size
        # The orientations 5 to 8 exchange width and height.
        return (height, width) if _orientation(image) >= 5 else (width, height)


def inspect(file: Path) -> Inspected:
    """Decode a picture just enough to find damage; return whether the picture is usable and how decoding alters it."""
    try:
        with Image.open(file) as image:
            image.draft("RGB", (1, 1))  # saves time: a JPEG is then decoded at an eighth of its width and height
            return _inspected(image)
    except UnknownRange as error:
        return Inspected(is_damaged=True, reason=str(error))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return Inspected(is_damaged=True, reason=f"more than {(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels")
    except Exception:  # each decoder raises different errors
        return Inspected(is_damaged=True)


def _inspected(image: Image.Image) -> Inspected:
    is_turned = _orientation(image) in TURNS  # read now, since `load` rotates a TIFF upright and drops its orientation
    _upright(image)
    remarks = {
        TURNED: is_turned,
        SCALED: image.mode.startswith(DEEP),
        ON_WHITE: _has_transparent_pixels(image),
        # An MPO is a JPEG whose further frames are other views of the same picture; they are not reported.
        FIRST_FRAME: image.format != "MPO" and getattr(image, "is_animated", False),
    }
    return Inspected(remarks=tuple(remark for remark, holds in remarks.items() if holds))


def _upright(image: Image.Image) -> Image.Image:
    """Convert the picture to RGB, and turn it upright by its EXIF orientation."""
    pixels = _rgb(image)
    turn = TURNS.get(_orientation(image))
    return pixels if turn is None else pixels.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if the metadata cannot be read, as the pixels may be intact."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged metadata raises many kinds of errors
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to RGB, with a white background behind transparent pixels."""
    image.load()  # the pixels are loaded first, because a PNG may state its transparent colour after the pixels
    if SIGNED in getattr(image, "tag_v2", {}).get(SAMPLE_FORMAT, ()):
        raise UnknownRange(SIGNED_OR_WIDE)
    if image.has_transparency_data:
        layered = _with_alpha(image)
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return (_scaled(image) if image.mode.startswith(DEEP) else image).convert("RGB")


def _has_transparent_pixels(image: Image.Image) -> bool:
    if not image.has_transparency_data:
        return False
    darkest, _ = _with_alpha(image).getchannel("A").getextrema()
    return bool(darkest != 255)


def _with_alpha(image: Image.Image) -> Image.Image:
    """Convert a picture to RGBA.

    Pillow needs two steps for two kinds of pictures: grey with premultiplied alpha, and grey of more than 8 bits.
    """
    if not image.mode.startswith(DEEP):
        return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    import numpy

    layered = _scaled(image).convert("RGBA")
    opaque = numpy.asarray(image) != image.info["transparency"]
    layered.putalpha(Image.fromarray(opaque.astype(numpy.uint8) * 255))
    return layered


def _scaled(image: Image.Image) -> Image.Image:
    """Scale grey values of more than 8 bits to 256 levels, with rounding."""
    import numpy

    white = _white(image)
    values = numpy.asarray(image).astype(numpy.int64).clip(0, white)
    levels: NDArray[uint8] = ((values * 255 + white // 2) // white).astype(numpy.uint8)
    tags = getattr(image, "tag_v2", {})
    is_inverted = tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    return Image.fromarray(255 - levels if is_inverted else levels)


def _white(image: Image.Image) -> int:
    """Return the largest value that a picture's pixels can have; it follows from the picture's bit depth.

    Raises:
        UnknownRange: the largest value is not defined.
    """
    if image.mode.startswith("F"):
        raise UnknownRange("floating point without a known range")
    if image.mode == "I" and image.format not in WHOLE_16_BITS:
        raise UnknownRange(SIGNED_OR_WIDE)
    bits = getattr(image, "tag_v2", {}).get(BITS, (16,))[0]
    return int(2**bits - 1)
