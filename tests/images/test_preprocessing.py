"""Each preset against values worked out without Pillow: pixel by pixel, from what its source says."""

from math import floor
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgebench.foundation.errors import UnknownName
from edgebench.images.preprocessing import PRESETS, cut, normalization, preset

Pixels = NDArray[Any]
ONE_LEVEL = 1.01  # of 255: Pillow rounds to whole levels after each of two passes

WITHOUT_MARGINS = sorted(name for name, recipe in PRESETS.items() if recipe.first != "letterbox")


def picture(width: int, height: int) -> Pixels:
    """Smooth in both directions, another slope a channel, no symmetry."""
    x, y = numpy.meshgrid(numpy.arange(width) / width, numpy.arange(height) / height)
    channels = [40 + 150 * x + 30 * y, 200 - 90 * x * y, 20 + 100 * numpy.sin(3 * x + y) ** 2]
    pixels: Pixels = numpy.stack(channels, -1).round().astype(numpy.uint8)
    return pixels


def triangle(values: Pixels, side: int) -> Pixels:
    """Resize the first axis: every output is the mean of its inputs under a triangle as wide as two outputs."""
    scale = len(values) / side
    reach = max(scale, 1.0)
    rows = []
    for place in range(side):
        centre = (place + 0.5) * scale
        weights = [max(0.0, 1 - abs((index + 0.5 - centre) / reach)) for index in range(len(values))]
        rows.append(numpy.tensordot(numpy.array(weights) / sum(weights), values, 1))
    resized: Pixels = numpy.stack(rows)
    return resized


def antialiased(pixels: Pixels, width: int, height: int) -> Pixels:
    across = triangle(pixels.astype(float).swapaxes(0, 1), width).swapaxes(0, 1)
    return triangle(across, height)


def prepared(pixels: Pixels, name: str, resolution: int) -> Pixels:
    return normalised(Image.fromarray(pixels), name, resolution, 255.0)


def normalised(image: Image.Image, name: str, resolution: int, white: float) -> Pixels:
    recipe = PRESETS[name]
    values: Pixels = normalization(recipe, white, grey=False).apply(cut(image, recipe, resolution)[None])[0]
    return values


@pytest.mark.parametrize(("size", "resized", "left", "top"), [((60, 45), (48, 36), 8, 2), ((40, 80), (36, 72), 2, 20)])
def test_torchvision_resizes_the_shorter_side_and_cuts_the_centre_out(
    size: tuple[int, int], resized: tuple[int, int], left: int, top: int
) -> None:
    pixels, side = picture(*size), 32  # 32 · 256 / 224 is 36.57: the shorter side becomes 36
    cut = antialiased(pixels, *resized)[top : top + side, left : left + side]
    wanted = (cut / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert numpy.abs(prepared(pixels, "torchvision", side) - wanted.transpose(2, 0, 1)).max() < ONE_LEVEL / 255 / 0.224


def test_torchvision_makes_256_pixels_of_the_shorter_side_at_224() -> None:
    edges = numpy.zeros((256, 300, 3), numpy.uint8)
    edges[16:240, 38:262] = 255  # nothing to resize: the crop is the white square, up to its last row
    edges[16, 38] = 0
    values = prepared(edges, "torchvision", 224)
    assert values[0].min() == values[0, 0, 0] == pytest.approx(-0.485 / 0.229)
    assert numpy.isclose(values[0], (1 - 0.485) / 0.229).sum() == 224 * 224 - 1


def test_tf_crops_seven_eighths_and_samples_four_neighbours_from_the_upper_left() -> None:
    pixels, side = picture(50, 40), 24
    # tf.image.central_crop: int((50 - 43.75) / 2) = 3 off each side, int((40 - 35) / 2) = 2: 44 by 36 pixels
    kept, height, width = pixels[2:38, 3:47].astype(float), 36, 44
    wanted = numpy.zeros((side, side, 3))
    for row in range(side):
        for column in range(side):
            y, x = row * height / side, column * width / side
            y0, x0 = floor(y), floor(x)
            y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
            above = kept[y0, x0] * (1 - (x - x0)) + kept[y0, x1] * (x - x0)
            below = kept[y1, x0] * (1 - (x - x0)) + kept[y1, x1] * (x - x0)
            wanted[row, column] = above * (1 - (y - y0)) + below * (y - y0)
    assert numpy.allclose(prepared(pixels, "tf", side), (wanted / 127.5 - 1).transpose(2, 0, 1), atol=1e-5)


def test_tf_counts_the_background_first_unless_told_otherwise() -> None:
    assert (PRESETS["tf"].label_offset, PRESETS["tf_1000"].label_offset) == (1, 0)
    pixels = picture(30, 30)
    assert numpy.array_equal(prepared(pixels, "tf", 16), prepared(pixels, "tf_1000", 16))


@pytest.mark.lengthy
def test_caffe_resizes_to_256_and_subtracts_blue_green_and_red() -> None:
    pixels, side = picture(128, 160), 224
    cut = antialiased(pixels, 256, 320)[48 : 48 + side, 16 : 16 + side]
    wanted = (cut[..., ::-1] - [103.939, 116.779, 123.68]).transpose(2, 0, 1)
    assert numpy.abs(prepared(pixels, "caffe", side) - wanted).max() < ONE_LEVEL


@pytest.mark.lengthy
@settings(deadline=None)
@given(
    st.sampled_from(WITHOUT_MARGINS), st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(0, 255)
)
def test_a_picture_of_one_colour_stays_so_at_any_size(
    name: str, width: int, height: int, resolution: int, level: int
) -> None:
    recipe = PRESETS[name]
    values = prepared(numpy.full((height, width, 3), level, numpy.uint8), name, resolution)
    assert values.shape == (3, resolution, resolution)
    assert values.dtype == numpy.float32
    wanted = (level / 255 * recipe.white - numpy.array(recipe.mean)) / recipe.std
    assert numpy.allclose(values, wanted[:, None, None], atol=1e-4)


def test_a_grey_picture_in_float_becomes_three_channels() -> None:
    grey = Image.fromarray(numpy.full((8, 8), 16, numpy.float32))
    values = normalised(grey, "torchvision", 4, 16.0)
    assert numpy.allclose(values[:, 0, 0], (1 - numpy.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225])


def test_an_unknown_preset_says_which_there_are() -> None:
    with pytest.raises(UnknownName, match="no preprocessing 'tv' .has torchvision, tf, tf_1000, caffe"):
        preset("tv")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_level_becomes_what_plain_single_precision_arithmetic_makes_of_it(name: str) -> None:
    recipe, levels = PRESETS[name], numpy.arange(256, dtype=numpy.uint8)
    values = normalization(recipe, 255.0, grey=False).apply(levels.reshape(1, 1, 16, 16).repeat(3, 1))
    for channel in range(3):
        mean, deviation = numpy.float32(recipe.mean[channel]), numpy.float32(recipe.std[channel])
        wanted = (levels.astype(numpy.float32) / numpy.float32(255.0 / recipe.white) - mean) / deviation
        assert values[0, channel].tobytes() == wanted.tobytes()
