"""Albums: the images with the most wrong pixels, or with wrong boxes and classes; the worst first, from each source."""

from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy import float32
from numpy.typing import NDArray

from edgebench.foundation import cache
from edgebench.images.contact import COLOURS
from edgebench.images.loader import Truth
from edgebench.images.splits import split
from edgebench.measure.evaluate import album
from edgebench.schema.variant import Variant
from edgebench.tasks import localization, segmentation
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


@pytest.fixture
def localizer(place: Path) -> Variant:
    return replace(variant("mobilenet_v1_loc", 0.25, SIDE), dataset="scenes_single")


def outputs(truths: list[Truth], shifts: list[float], wrong: set[int]) -> NDArray[float32]:
    """Outputs of a localizer: each true box, moved to the right by a share of its width; some classes are wrong."""
    rows = numpy.zeros((len(truths), 14), numpy.float32)
    for index, (row, truth, shift) in enumerate(zip(rows, truths, shifts, strict=True)):
        label, box = localization.object_of(truth)
        row[(label + (index in wrong)) % 10] = 1
        row[10:] = box + numpy.array([shift, 0, shift, 0]) * (box[2] - box[0])
    return rows


@pytest.mark.lengthy
def test_a_localizers_pictures_have_one_box_from_each_source_and_those_with_two_errors_come_first(
    localizer: Variant,
) -> None:
    images = split(localizer, "test", 3)
    images = replace(images, kept=images.kept[:COUNT])
    truths = [images.truth(index) for index in range(COUNT)]
    truths[5] = Truth(classes=numpy.array([], "i8"), boxes=numpy.zeros((0, 4), "f4"), size=truths[5].size)
    inward = [-1 if localization.object_of(truth)[1][2] > 0.5 else 1 for truth in truths]
    shifts = [side * share for side, share in zip(inward, (0, 0, 0, 0.9, 0.5, 0, 0.1, 0, 0, 0, 0, 0.8), strict=True)]
    rows, floats = outputs(truths, shifts, wrong={2, 11}), outputs(truths, [0.0] * COUNT, wrong=set())
    album.write("c" * 64, localizer, images, truths.__getitem__, iter([rows[:5], rows[5:]]), iter([floats]))
    found = cache.read(album.place("c" * 64))
    assert found
    names = [page["name"] for page in found["pictures"]]
    assert names[:5] == ["11", "3", "4", "2", "6"] and len(set(names)) == 10 and "5" not in names
    assert [page["errors"] for page in found["pictures"]] == [2, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    worst = found["pictures"][0]
    assert worst["iou"] == {"this": pytest.approx(0.2 / 1.8, abs=2e-3), "float": pytest.approx(1, abs=2e-3)}
    label, box = localization.object_of(truths[11])
    assert worst["truth"] == worst["float"] == [[label, None, *(pytest.approx(value, abs=1e-3) for value in box)]]
    assert worst["this"][0][0] == (label + 1) % 10 and worst["size"] == [224, 224]


def test_a_classifier_has_no_album(place: Path) -> None:
    of = variant("mobilenet_v1", 0.25, 32)
    album.write("b" * 64, of, split(of, "test", 3), lambda _: pytest.fail("not needed"), iter([]), None)
    assert cache.read(album.place("b" * 64)) is None
