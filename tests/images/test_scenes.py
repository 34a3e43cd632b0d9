"""Scenes: a pure function of seed, split and index; nothing of training is in test; boxes and masks fit the ink."""

from itertools import combinations
from pathlib import Path

import numpy
import pytest

from edgebench.foundation import shelf
from edgebench.foundation.errors import CaseError, EdgebenchError
from edgebench.images import contact
from edgebench.images.datasets import scenes

BUNDLED = [name for name in shelf.names("datasets") if not shelf.load("datasets", name).PLACE]


@pytest.mark.lengthy
def test_a_scene_is_a_pure_function_of_split_and_index() -> None:
    first = {(split, index): scenes.draw(split, index) for split in scenes.COUNTS for index in (0, 7, 10**9)}
    scenes.parts_of.cache_clear()
    for (split, index), scene in reversed(first.items()):
        again = scenes.draw(split, index)
        assert (again.pixels == scene.pixels).all() and (again.truth.mask == scene.truth.mask).all()  # type: ignore[union-attr]
        assert (again.truth.boxes == scene.truth.boxes).all() and (again.truth.classes == scene.truth.classes).all()  # type: ignore[union-attr]
    assert len({scene.pixels.tobytes() for scene in first.values()}) == len(first)


@pytest.mark.lengthy
def test_no_digit_of_one_split_is_in_another() -> None:
    glyphs = {
        split: {(glyph.size, glyph.tobytes()) for glyph in scenes.parts_of(split).glyphs} for split in scenes.COUNTS
    }
    counts = {split: len(scenes.parts_of(split).glyphs) for split in scenes.COUNTS}
    assert counts == {"train": 1097, "calibration": 100, "test": 600}
    for one, other in combinations(glyphs.values(), 2):
        assert one.isdisjoint(other)


@pytest.mark.lengthy
def test_no_column_of_a_photo_that_is_trained_on_is_in_a_test_scene() -> None:
    from sklearn.datasets import load_sample_images

    photos = load_sample_images().images
    for split, columns in (("train", slice(0, 416)), ("calibration", slice(416, 640)), ("test", slice(416, 640))):
        uncropped = [photo for photo in scenes.parts_of(split).photos if photo.shape[0] == 427]
        assert all((own == photo[:, columns]).all() for own, photo in zip(uncropped, photos, strict=True))
        for photo in scenes.parts_of(split).photos:  # each enlarged from those columns alone
            assert photo.shape[0] * (columns.stop - columns.start) == pytest.approx(photo.shape[1] * 427, rel=0.01)


@pytest.mark.lengthy
@pytest.mark.parametrize("split", scenes.COUNTS)
def test_boxes_are_as_tight_as_the_ink_in_the_mask_and_apart(split: str) -> None:
    for index in range(60):
        truth = scenes.draw(split, index).truth
        assert truth.boxes is not None and truth.mask is not None
        assert 1 <= len(truth.classes) == len(truth.boxes) <= 6
        covered = numpy.zeros_like(truth.mask, bool)
        for label, (left, top, right, bottom) in zip(truth.classes, truth.boxes.astype(int), strict=True):
            own = truth.mask[top:bottom, left:right] == label + 1
            assert own.any(0)[[0, -1]].all() and own.any(1)[[0, -1]].all()
            assert 16 <= bottom - top <= 56
            assert not covered[top:bottom, left:right].any()
            covered[top:bottom, left:right] = True
        assert not truth.mask[~covered].any()


@pytest.mark.lengthy
def test_every_class_size_and_number_of_digits_occurs() -> None:
    truths = [scenes.draw("test", index).truth for index in range(500)]
    boxes = numpy.concatenate([truth.boxes for truth in truths if truth.boxes is not None])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    classes = numpy.concatenate([truth.classes for truth in truths])
    assert {len(truth.classes) for truth in truths} == {1, 2, 3, 4, 5, 6}
    assert numpy.bincount(classes, minlength=10).min() > 100
    assert 1600 < len(boxes) < 1900 and 0.6 < (areas < 32**2).mean() < 0.85


@pytest.mark.lengthy
def test_digits_are_lighter_than_what_lies_behind() -> None:
    for index in range(50):
        scene = scenes.draw("test", index)
        assert scene.truth.mask is not None
        for left, top, right, bottom in scene.truth.boxes.astype(int):  # type: ignore[union-attr]
            ink, pixels = scene.truth.mask[top:bottom, left:right] > 0, scene.pixels[top:bottom, left:right].mean(2)
            assert ink.all() or pixels[ink].mean() > pixels[~ink].mean() + 15


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(CaseError, match="wanted a split of train, calibration, test, found tset"):
        scenes.part("tset")


@pytest.mark.lengthy
@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("split", contact.SPLITS)
def test_a_contact_sheet_of_every_bundled_data_set_is_a_picture(name: str, split: str, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "sheet.png").write_bytes(contact.png(name, split, 7))
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.size == (6 * 232 + 8, 2 * 248 + 8)
        assert len(picture.getcolors(10**6) or ()) > 2


@pytest.mark.lengthy
def test_a_contact_sheet_shows_each_digits_box_in_its_classs_colour() -> None:
    from PIL.ImageColor import getrgb

    pictures = scenes.part("test")
    truth, tile = pictures.truth(3), numpy.asarray(contact.tile(pictures, 3))
    for label, (left, top, right, _) in zip(truth.classes, truth.boxes.astype(int), strict=True):  # type: ignore[union-attr]
        edge = tile[top - 1, left:right] if top else tile[:1, :1]
        assert (edge == getrgb(contact.COLOURS[label])).all(1).any() or not top


@pytest.mark.parametrize(
    ("dataset", "split", "count"), [("scenes", "tset", 3), ("scenes", "test", 0), ("nope", "test", 3)]
)
def test_a_sheet_that_cannot_be_drawn_is_refused(dataset: str, split: str, count: int) -> None:
    with pytest.raises(EdgebenchError):
        contact.png(dataset, split, count)
