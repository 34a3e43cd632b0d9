"""What is in a picture, as a network sees it: boxes go where preprocessing moves their pixels."""

from dataclasses import dataclass, replace
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from edgebench.images.datasets import scenes
from edgebench.images.loader import Images, Truth
from edgebench.images.preprocessing import PRESETS
from edgebench.schema.variant import Preprocessing

RECIPES = {**PRESETS, "whole": scenes.PREPROCESSING, "half": replace(scenes.PREPROCESSING, crop=0.5)}
SIZES = [(224, 224), (300, 200), (160, 240)]
BOX = (90, 80, 130, 125)


@dataclass(frozen=True)
class Marked:
    """One black picture with a white box."""

    size: tuple[int, int]
    labels: NDArray[Any]
    white: float = 255.0
    depth: str = "uint8"
    digests: tuple[str, ...] = ()

    def name(self, index: int) -> str:
        return str(index)

    def picture(self, index: int) -> Any:
        from PIL.Image import fromarray

        pixels = numpy.zeros((self.size[1], self.size[0], 3), numpy.uint8)
        left, top, right, bottom = BOX
        pixels[top:bottom, left:right] = 255
        return fromarray(pixels)

    def truth(self, index: int) -> Truth:
        return Truth(classes=numpy.array([3]), boxes=numpy.array([BOX], numpy.float32), size=self.size)


def images(size: tuple[int, int], recipe: Preprocessing) -> Images:
    pictures = Marked(size=size, labels=numpy.zeros(1, numpy.int64))
    return Images(pictures=pictures, kept=numpy.array([0]), recipe=recipe, resolution=112, channels=3)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", RECIPES)
def test_a_box_is_where_its_pixels_are(name: str, size: tuple[int, int]) -> None:
    of = images(size, RECIPES[name])
    pixels = next(of.parts(1))[0, 0]
    ys, xs = (pixels > pixels.max() / 2).nonzero()
    shown = numpy.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    truth = of.truth(0)
    assert truth.boxes is not None
    box = truth.boxes[0] / (truth.size * 2) * 112
    assert numpy.abs(box - shown).max() <= 1.5
    assert truth.classes.tolist() == [3 + RECIPES[name].label_offset]


def test_an_object_that_is_cut_off_is_left_out() -> None:
    narrow = replace(RECIPES["whole"], crop=0.25)
    truth = images((400, 400), narrow).truth(0)
    assert truth.boxes is not None
    assert (len(truth.classes), len(truth.boxes)) == (0, 0)
