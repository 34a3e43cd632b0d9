"""The album of a segmenter: the images with the most wrong pixels, the worst first, with a map from each source."""

from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.foundation import cache
from edgebench.images.contact import COLOURS
from edgebench.images.splits import split
from edgebench.measure.evaluate import album
from edgebench.schema.variant import Variant
from edgebench.tasks import segmentation
from tests.conftest import variant

SIDE, COUNT = 64, 12


def opened(data: str) -> Any:
    from PIL import Image

    return Image.open(BytesIO(b64decode(data)))


@pytest.fixture
def segmenter(place: Path) -> Variant:
    return replace(variant("mobilenet_v1_seg", 0.25, SIDE), dataset="scenes")


def test_the_pictures_with_the_most_wrong_pixels_come_first_with_truth_float_and_int8(segmenter: Variant) -> None:
    images = split(segmenter, "test", 3)
    images = replace(images, kept=images.kept[:COUNT])
    exact = numpy.stack([segmentation.targets([images.truth(index)], SIDE)[0][0] for index in range(COUNT)])
    answers = exact.astype(numpy.uint8)
    for index in range(COUNT):
        answers[index, : index * 2] = 255 if index == 11 else 10  # the later an image, the more rows are wrong
    rows, floats = answers.reshape(COUNT, -1), exact.astype(numpy.uint8).reshape(COUNT, -1)
    album.write("a" * 64, segmenter, images, images.truth, iter([rows[:5], rows[5:]]), iter([floats]))
    found = cache.read(album.place("a" * 64))
    assert found
    names = [page["name"] for page in found["pictures"]]
    assert names == [str(index) for index in range(11, 1, -1)]
    worst, errors = found["pictures"][0], [page["errors"] for page in found["pictures"]]
    assert errors == sorted(errors, reverse=True) and errors[0] > 224 * 224 * 22 / 64 * 0.9
    assert list(worst["maps"]) == ["truth", "this", "float"] and worst["size"] == [224, 224]
    assert (numpy.array(opened(worst["maps"]["truth"])) == images.truth(11).mask).all()
    assert (numpy.array(opened(worst["maps"]["this"])) == answers[11]).all()
    assert opened(worst["jpeg"]).size == (224, 224)
    drawn = numpy.array(opened(found["pictures"][1]["maps"]["this"]).convert("RGBA"))
    assert tuple(drawn[0, 0]) == (*bytes.fromhex(COLOURS[9 % len(COLOURS)][1:]), 255)
    assert set(drawn[answers[10] == 0][:, 3]) == {0}  # the background is transparent


def test_a_classifier_has_no_album(place: Path) -> None:
    of = variant("mobilenet_v1", 0.25, 32)
    album.write("b" * 64, of, split(of, "test", 3), lambda _: pytest.fail("not needed"), iter([]), None)
    assert cache.read(album.place("b" * 64)) is None
