"""A picture and a preprocessing recipe -> resized and cropped pixels, and how they are normalized to input values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgebench.foundation.errors import require
from edgebench.schema.normalization import Normalization
from edgebench.schema.variant import Preprocessing

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray
    from PIL.Image import Image

# TF-Slim's evaluation of MobileNet and Inception: `preprocess_for_eval` in inception_preprocessing.py.
# The first of the 1001 outputs of TF-Slim's networks is the background class.
_TF = Preprocessing(
    name="tf",
    first="crop",
    crop=0.875,
    interpolation="plain bilinear",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    label_offset=1,
)
# torchvision's evaluation: `ClassificationPresetEval` in references/classification/presets.py.
# There, 256 pixels are cropped to 224; the same ratio is used here at every resolution.
_TORCHVISION = Preprocessing(
    name="torchvision", first="resize", crop=0.875, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
# In Caffe, VGG and ResNet subtract ImageNet's mean of each channel; the first channel is blue.
_CAFFE = Preprocessing(
    name="caffe", first="resize", shorter_side=256, white=255.0, channels="BGR", mean=(103.939, 116.779, 123.68)
)
# For networks whose first layers normalize the pixels.
_RAW = replace(_TORCHVISION, name="raw", white=255.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
# The whole picture becomes a square, which changes its proportions; edgebench's detectors and TensorFlow's SSD do this.
_WHOLE = Preprocessing(name="whole", first="crop", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
# The picture keeps its proportions, and the rest of the square is grey, as in Ultralytics' function `letterbox`.
_LETTERBOX = Preprocessing(name="letterbox", first="letterbox", mean=(0.0, 0.0, 0.0))
_ALL = (_TORCHVISION, _TF, replace(_TF, name="tf_1000", label_offset=0), _CAFFE, _RAW, _WHOLE, _LETTERBOX)
WHITE = 255.0  # value of a white pixel in a picture with 8 bits per channel, as files of cameras have
GREY = 114  # grey value of a letterbox's margins
PRESETS = {recipe.name: recipe for recipe in _ALL}


def preset(name: str) -> Preprocessing:
    """Return a preset recipe by name.

    Raises:
        UnknownName: there is no such preset.
    """
    require("preprocessing", name, PRESETS)
    return PRESETS[name]


def of_integers(recipe: Preprocessing, dtype: str, scale: float, zero: int) -> Preprocessing:
    """Return a recipe for a model with an integer input of this scale and zero point.

    The runtime quantizes the values that the recipe gives, and so restores the original pixels (minus 128 for int8).
    """
    offset, name = (128, "raw-128") if dtype == "int8" else (0, "raw")
    mean, std = float(zero + offset), 1 / scale if scale else 1.0
    return replace(
        recipe,
        name=name if recipe.name == _RAW.name else f"{recipe.name} {name}",
        white=255.0,
        mean=(mean, mean, mean),
        std=(std, std, std),
    )


def read_as(recipe: Preprocessing) -> str:
    """Return a text on the values that unchanged pixels stand for in a model's integer input; empty without a scale."""
    if not recipe.name.endswith(("raw", "raw-128")) or recipe.std[0] == 1:
        return ""
    low, high = ((level - recipe.mean[0]) / recipe.std[0] for level in (0, 255))
    less = " less 128" if recipe.name.endswith("-128") else ""
    return f"fed unchanged pixels{less}, which stand for {low:.3g} to {high:.3g} by the scale of its input"


def cut(picture: Image, recipe: Preprocessing, resolution: int) -> NDArray[Any]:
    """Return a picture's resized and cropped pixels, (3, R, R), not normalized, in the recipe's order of channels.

    The picture is 8-bit RGB, or grey floats, which become three equal channels.
    """
    import numpy

    layers = numpy.atleast_3d(_CUTS[recipe.first](picture, resolution, recipe)).transpose(2, 0, 1)
    in_order = layers[:: -1 if recipe.channels == "BGR" else 1]
    return numpy.broadcast_to(in_order, (3, resolution, resolution))


def keeps_levels(recipe: Preprocessing) -> bool:
    """Return whether 8-bit pixels are still whole numbers after the function `cut` has resized and cropped them."""
    return recipe.interpolation != "plain bilinear"


def normalization(recipe: Preprocessing, white: float, *, grey: bool) -> Normalization:
    """Return the normalization for pixels in which a white pixel has the value `white`."""
    return Normalization(divisor=white / recipe.white, mean=recipe.mean, deviation=recipe.std, grey=grey)


def _resized(picture: Image, resolution: int, recipe: Preprocessing) -> NDArray[float32]:
    """Resize the shorter side, then crop the centre; sizes and offsets are rounded as in torchvision."""
    import numpy

    (width, height), (left, top) = _sizes(picture.size, resolution, recipe)
    pixels = _interpolated(picture, width, height, recipe)
    return numpy.asarray(pixels)[top : top + resolution, left : left + resolution]


def _sizes(size: tuple[int, int], resolution: int, recipe: Preprocessing) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the size to which a picture is resized, and the upper left corner of the central crop in it."""
    shorter = max(recipe.shorter_side or int(resolution / recipe.crop), resolution)
    width, height = (int(shorter * side / min(size)) for side in size)
    return (width, height), (round((width - resolution) / 2), round((height - resolution) / 2))


def frame(size: tuple[int, int], recipe: Preprocessing, resolution: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the part that preprocessing keeps, in pixels of a picture of this size."""
    if recipe.first == "resize":
        resized, corner = _sizes(size, resolution, recipe)
        places = (*corner, *(start + resolution for start in corner))
        left, top, right, bottom = (
            round(place * side / whole) for place, side, whole in zip(places, size * 2, resized * 2, strict=True)
        )
        return left, top, right, bottom
    left, top = (int((side - side * recipe.crop) / 2) for side in size)
    return left, top, size[0] - left, size[1] - top


def _cropped(picture: Image, resolution: int, recipe: Preprocessing) -> NDArray[float32]:
    """Crop each side to its central share, rounded as in tf.image.central_crop, then resize the crop to a square."""
    box = frame(picture.size, recipe, resolution)
    centre = picture.crop(box) if box[0] or box[1] else picture
    return _interpolated(centre, resolution, resolution, recipe)


def margins(size: tuple[float, float], recipe: Preprocessing, resolution: int) -> tuple[float, float, float, float]:
    """Return the grey margins (left, top, right, bottom), in pixels of the cropped picture before it is resized."""
    if recipe.first != "letterbox":
        return 0.0, 0.0, 0.0, 0.0
    inner, corner = _inner(size, resolution)
    left, top = (start * side / length for start, side, length in zip(corner, size, inner, strict=True))
    width, height = (resolution * side / length for side, length in zip(size, inner, strict=True))
    return left, top, width - left - size[0], height - top - size[1]


def _inner(size: tuple[float, float], resolution: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the resized picture's size, and its upper left corner in a letterbox, rounded as in Ultralytics' code."""
    width, height = (max(1, round(side * resolution / max(size))) for side in size)
    return (width, height), (round((resolution - width) / 2 - 0.1), round((resolution - height) / 2 - 0.1))


def _letterboxed(picture: Image, resolution: int, recipe: Preprocessing) -> NDArray[Any]:
    """Resize the longer side to the resolution and pad the shorter side with equal grey margins."""
    import numpy

    (width, height), (left, top) = _inner(picture.size, resolution)
    pixels = numpy.atleast_3d(_interpolated(picture, width, height, recipe))
    whole = numpy.full((resolution, resolution, pixels.shape[2]), GREY, pixels.dtype)
    whole[top : top + height, left : left + width] = pixels
    return whole


def _interpolated(picture: Image, width: int, height: int, recipe: Preprocessing) -> NDArray[float32]:
    import numpy
    from PIL.Image import Resampling

    if recipe.interpolation == "plain bilinear":
        return _plain_bilinear(numpy.asarray(picture, numpy.float32), width, height)
    return numpy.asarray(picture.resize((width, height), Resampling[recipe.interpolation.upper()]))


def _plain_bilinear(pixels: NDArray[float32], width: int, height: int) -> NDArray[float32]:
    """Resize as TensorFlow 1 does: bilinear interpolation at x·W/w and y·H/h, without antialiasing.

    Pixel 0 maps to pixel 0, because a pixel's coordinates are the coordinates of its upper left corner.
    """
    for axis, side in enumerate((height, width)):
        pixels = _along(pixels, axis, side)
    return pixels


def _along(pixels: NDArray[float32], axis: int, side: int) -> NDArray[float32]:
    import numpy

    places = numpy.arange(side) * (pixels.shape[axis] / side)
    low = places.astype(int)
    high = numpy.minimum(low + 1, pixels.shape[axis] - 1)
    shares = (places - low).astype(numpy.float32)
    shares = shares.reshape([-1 if dimension == axis else 1 for dimension in range(pixels.ndim)])
    first, second = pixels.take(low, axis), pixels.take(high, axis)
    between: NDArray[float32] = first + (second - first) * shares
    return between


_CUTS = {"resize": _resized, "crop": _cropped, "letterbox": _letterboxed}
