"""Folders of images: found, labelled, split, and refused with one line where they are no data set."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from PIL import Image

from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.files import folder as cache_folder
from edgebench.foundation.files import sha256 as sha256_of
from edgebench.foundation.progress import Notice, Step
from edgebench.images import catalogue
from edgebench.images.datasets import image_folder
from edgebench.images.splits import inspect
from edgebench.schema.variant import Variant
from tests.conftest import variant
from tests.support.images import split

SYNSETS = ("n01440764", "n01443537", "n02102040")
Told = list[Step | Notice]


def save(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12 + level % 5, 10), (level, 10, 200)).save(path)


@pytest.fixture
def val(place: Path) -> Path:
    """Three synsets of ten images; the red of each says its class and number."""
    for index, synset in enumerate(reversed(SYNSETS)):
        for number in range(10):
            save(place / "val" / synset / f"{synset}_{number}.JPEG", 60 * (2 - index) + number)
    return place / "val"


def opened(folder: Path | str, **changes: object) -> Variant:
    card = catalogue.adopt(f"image_folder:{folder}")
    found = replace(variant(resolution=8), dataset=card.name, dataset_sha256=card.sha256, dataset_classes=card.classes)
    return replace(found, **changes)  # type: ignore[arg-type]


def names(of: Variant, part: str) -> list[str]:
    images = split(of, part)
    return [images.pictures.name(index) for index in images.kept]


@pytest.mark.lengthy
def test_classes_are_the_synsets_in_the_order_of_their_names(val: Path) -> None:
    images = split(opened(val), "test")
    assert images.pictures.classes == SYNSETS  # type: ignore[attr-defined]
    reds = images.read(range(len(images)))[:, 0].mean((1, 2)) * 0.229 + 0.485
    assert [round(red * 255) // 60 for red in reds] == images.labels.tolist()


@pytest.mark.lengthy
def test_some_images_are_set_aside_to_calibrate_with_the_same_each_time(val: Path) -> None:
    test, calibration = names(opened(val), "test"), names(opened(val), "calibration")
    assert (len(test), len(calibration)) == (27, 3)
    assert not set(test) & set(calibration)
    assert names(opened(val), "calibration") == calibration


def test_no_more_than_a_fixed_number_is_set_aside(val: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "CALIBRATION", 2)
    assert len(names(opened(val), "calibration")) == 2


def test_a_validation_set_alone_is_not_trained_on(val: Path) -> None:
    with pytest.raises(CaseError, match="val has no images to train on: wanted train and val folders in it"):
        split(opened(val), "train")


@pytest.mark.lengthy
def test_two_folders_are_trained_on_and_tested_on_apart(val: Path, place: Path) -> None:
    for number in range(40):
        save(place / "train" / SYNSETS[number % 3] / f"{number}.png", number)
    both = opened(place)
    parts = {part: set(names(both, part)) for part in ("train", "calibration", "test")}
    assert {part: len(found) for part, found in parts.items()} == {"train": 36, "calibration": 4, "test": 30}
    assert len(set.union(*parts.values())) == 70
    assert all(name.startswith("val/") for name in parts["test"])


def test_two_folders_of_different_classes_are_refused(val: Path, place: Path) -> None:
    save(place / "train" / SYNSETS[0] / "1.png", 1)
    save(place / "train" / "cat" / "1.png", 1)
    with pytest.raises(RequestError, match="wanted the same classes in train and val, found them to differ in cat"):
        opened(place)


def flat(place: Path, lines: Callable[[int], str], file: str = "labels.txt", count: int = 6) -> Path:
    for number in range(count):
        save(place / "flat" / f"image {number}.png", 40 * number)
    (place / "flat" / file).write_text("".join(f"{lines(number)}\n" for number in range(count)))
    return place / "flat"


@pytest.mark.parametrize("file", ["labels.txt", "val.txt"])
def test_flat_files_are_labelled_by_a_file_beside_them(place: Path, file: str) -> None:
    of = opened(flat(place, lambda number: f"image {number}.png {number % 3}", file))
    images = split(of, "test")
    assert of.dataset_classes == 3
    assert [int(name[6]) % 3 for name in names(of, "test")] == images.labels.tolist()


def test_a_labels_file_may_name_synsets(place: Path) -> None:
    of = opened(flat(place, lambda number: f"image {number}.png {SYNSETS[number % 3]}"))
    assert [int(name[6]) % 3 for name in names(of, "test")] == split(of, "test").labels.tolist()


def test_a_part_of_the_classes_is_counted_by_the_order_written_down(val: Path) -> None:
    (val / "classes.txt").write_text("".join(f"{synset} a fish\n" for synset in ("n0", *SYNSETS[:2], "n1", SYNSETS[2])))
    of = opened(val)
    assert of.dataset_classes == 5
    assert set(split(of, "test").labels) == {1, 2, 4}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("image {}.png -1", "image 0.png has label -1, wanted 0 to 1; correct it"),
        ("image{}.png", "labels.txt:1: wanted an image's name and its class, found 'image0.png'"),
        ("other {}.png 1", "image 0.png has no label"),
        ("image {}.png cat", "wanted 2 to 100000 classes, found cat"),
        ("image {}.png 100000000", "image 0.png has label 100000000, wanted 0 to 99999; correct it"),
    ],
)
def test_labels_that_cannot_be_are_refused(place: Path, line: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        opened(flat(place, line.format))


def test_a_label_beyond_the_classes_written_down_is_refused(place: Path) -> None:
    folder = flat(place, lambda number: f"image {number}.png {number}")
    (folder / "classes.txt").write_text("a\nb\nc\n")
    with pytest.raises(RequestError, match="image 3.png has label 3, wanted 0 to 2; correct it"):
        opened(folder)


def test_what_is_no_data_set_is_refused(val: Path, place: Path) -> None:
    (place / "empty").mkdir()
    (place / "text.txt").write_text("")
    save(place / "one" / "cat" / "1.png", 1)
    save(place / "one" / "cat" / "2.png", 1)
    (val / "n0").mkdir()
    (val / "n0" / "boxes.csv").write_text("")
    save(place / "loose" / "1.png", 1)
    save(place / "loose" / "2.png", 1)
    for folder, message in (
        ("empty", "wanted images in .*empty, found 0: not a data set; give a folder of class folders"),
        ("text.txt", "text.txt is not a folder; wanted a folder of class folders"),
        ("nowhere", "nothing is at nowhere; wanted a folder of class folders"),
        ("one", "wanted 2 to 100000 classes, found cat"),
        ("loose", "2 images have no class, such as 1.png; add a labels.txt"),
        ("val", "found no image in class folder n0; fill it or remove it"),
    ):
        with pytest.raises(RequestError, match=message):
            catalogue.adopt(f"image_folder:{folder}")


def test_a_name_without_a_place_or_a_place_without_need_is_refused() -> None:
    with pytest.raises(RequestError, match="wanted image_folder:path, a folder of class folders"):
        catalogue.adopt("image_folder")
    with pytest.raises(RequestError, match="digits is bundled; wanted digits, found digits:x"):
        catalogue.adopt("digits:x")


def test_imagenet_is_a_folder_of_a_thousand_classes_even_where_some_have_no_image(val: Path) -> None:
    with pytest.raises(RequestError, match="wanted ImageNet's 1000 classes, found 3; list all in a classes.txt, or"):
        catalogue.adopt(f"imagenet:{val}")
    others = (f"n9{number:07}" for number in range(1000 - len(SYNSETS)))
    (val / "classes.txt").write_text("\n".join((*SYNSETS, *others)))
    card = catalogue.adopt(f"imagenet:{val}")
    assert (card.name, card.classes) == ("imagenet:val", 1000)


def damage(val: Path) -> list[str]:
    cut, empty = val / SYNSETS[0] / f"{SYNSETS[0]}_3.JPEG", val / SYNSETS[1] / f"{SYNSETS[1]}_4.JPEG"
    cut.write_bytes(cut.read_bytes()[:-200])
    empty.write_bytes(b"")
    return [str(path.relative_to(val)) for path in (cut, empty)]


@pytest.mark.lengthy
def test_damaged_images_are_counted_named_and_left_out(val: Path) -> None:
    bad, told = damage(val), Told()
    of = opened(val, weights="given.pth", classes=3)
    inspect([of], told.append)
    notices = [event.text for event in told if isinstance(event, Notice)]
    assert notices == [f"image_folder:val: 2 of 30 images cannot be read and are left out: {', '.join(bad)}"]
    whole = {part: split(of, part) for part in ("test", "calibration")}
    assert sum(len(images) for images in whole.values()) == 28
    assert sum(images.damaged for images in whole.values()) == 2
    assert not set(bad) & {*names(of, "test"), *names(of, "calibration")}
    assert sum(len(batch) for images in whole.values() for batch in images.batches(5)) == 28


@pytest.mark.lengthy
def test_images_are_looked_at_once(val: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEBENCH_CACHE", str(place / "cache"))
    damage(val)
    of, first, again = opened(val, weights="given.pth", classes=3), Told(), Told()
    inspect([of], first.append)
    catalogue.adopt(f"image_folder:{val}")
    inspect([of], again.append)
    assert [type(event) for event in (*first, *again)] == [Step, Notice, Notice]


@pytest.mark.lengthy
def test_a_restored_image_of_the_same_size_is_looked_at_again(val: Path) -> None:
    file = val / SYNSETS[0] / f"{SYNSETS[0]}_3.JPEG"
    whole = file.read_bytes()
    file.write_bytes(b"x" * len(whole))
    before, told = opened(val, weights="given.pth", classes=3), Told()
    inspect([before], lambda _: None)
    file.write_bytes(whole)
    after = opened(val, weights="given.pth", classes=3)
    inspect([after], told.append)
    assert after.dataset_sha256 != before.dataset_sha256
    assert not any(isinstance(event, Notice) for event in told)


def test_a_file_is_hashed_once_and_again_when_it_was_written(val: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "SETTLED_S", 0.0)
    first, hashed, hash_file = opened(val), list[str | Path](), sha256_of

    def watched(path: str | Path) -> str:
        hashed.append(path)
        return hash_file(path)

    monkeypatch.setattr(image_folder, "sha256_of", watched)
    assert opened(val) == first
    assert hashed == []
    touched = val / SYNSETS[1] / f"{SYNSETS[1]}_4.JPEG"
    touched.write_bytes(touched.read_bytes())
    os.utime(touched, ns=(1, 1))
    assert opened(val) == first
    assert hashed == [touched]


def test_a_file_written_just_now_is_hashed_again_since_it_may_be_written_again_within_a_tick(val: Path) -> None:
    known = set(cache_folder("digests").iterdir())
    opened(val)
    assert set(cache_folder("digests").iterdir()) == known


def test_a_file_changed_under_its_old_size_and_time_is_hashed_again(val: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "SETTLED_S", 0.0)
    first, file = opened(val), val / SYNSETS[1] / f"{SYNSETS[1]}_4.JPEG"
    status, content = file.stat(), bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert opened(val) != first


@pytest.mark.lengthy
def test_a_link_to_nothing_and_a_name_that_is_no_text_are_no_traceback(val: Path) -> None:
    (val / SYNSETS[0] / "gone.png").symlink_to(val / "nowhere.png")
    (val / SYNSETS[1] / f"{SYNSETS[1]}_4.JPEG").rename(val / SYNSETS[1] / os.fsdecode(b"caf\xe9.jpg"))
    (val / SYNSETS[2] / os.fsdecode(b"cut\xe9.jpg")).write_bytes(b"x")
    of, told = opened(val, weights="given.pth", classes=3), Told()
    inspect([of], told.append)
    (notice,) = [event.text for event in told if isinstance(event, Notice)]
    assert notice.endswith(f": {SYNSETS[0]}/gone.png, {SYNSETS[2]}/cut\\xe9.jpg")
    found = {*names(of, "test"), *names(of, "calibration")}
    assert f"{SYNSETS[1]}/caf\\xe9.jpg" in found and len(found) == 30


@pytest.mark.parametrize("file", ["labels.txt", "classes.txt"])
def test_a_list_that_is_no_utf_8_is_refused(place: Path, file: str) -> None:
    folder = flat(place, lambda number: f"image {number}.png {number % 3}")
    (folder / file).write_bytes(b"caf\xe9 1\n")
    with pytest.raises(
        RequestError, match=f"{file}: wanted text in UTF-8, found an invalid byte at 3; save it as UTF-8"
    ):
        opened(folder)


def test_a_path_that_is_no_text_is_refused(val: Path) -> None:
    moved = val.rename(val.with_name(os.fsdecode(b"caf\xe9")))
    with pytest.raises(RequestError, match="wanted image_folder:path in UTF-8, found .*caf.*; rename it"):
        opened(moved)


@pytest.mark.lengthy
def test_images_of_which_none_can_be_read_are_a_failed_case(val: Path) -> None:
    for file in val.rglob("*.JPEG"):
        file.write_bytes(b"x")
    with pytest.raises(CaseError, match="image_folder:val: none of 27 images for test can be decoded"):
        split(opened(val), "test")


@pytest.mark.parametrize("mode", ["L", "LA", "P", "PA", "CMYK", "RGBA", "1", "I;16"])
def test_every_kind_of_picture_becomes_rgb(val: Path, mode: str) -> None:
    odd = val / SYNSETS[0] / ("odd.tif" if mode in ("CMYK", "PA") else "odd.png")
    image = Image.new("L" if mode == "I;16" else "RGB", (9, 9), 90).convert(mode)
    if mode == "P":
        image.info["transparency"] = b"ab"
    image.save(odd)
    files = image_folder.open(val).files[0]
    assert isinstance(files, image_folder.Files)
    assert files.picture(files.names.index(f"{SYNSETS[0]}/{odd.name}")).mode == "RGB"


def test_the_same_files_elsewhere_are_the_same_data_set(val: Path, place: Path) -> None:
    here = opened(val)
    (place / "moved").mkdir()
    val.rename(place / "moved" / "val")
    with pytest.raises(CaseError, match="image_folder:val is no longer where it was; restore it, or give its path"):
        split(here, "test")
    assert opened("moved/val") == here
    assert len(split(here, "test")) == 27


def test_a_name_stands_for_the_path_that_was_named_before(
    val: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = opened(val)
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    assert opened("val") == here


def test_a_changed_data_set_is_refused(val: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = opened(val)
    next(val.rglob("*.JPEG")).unlink()
    with pytest.raises(CaseError, match="image_folder:val changed since its path was given: other files or labels"):
        split(here, "test")
    monkeypatch.chdir(place.parent)
    with pytest.raises(RequestError, match="image_folder:val changed since its path was given"):
        opened("val")
    monkeypatch.chdir(place)
    assert opened("val") != here


def test_a_class_that_lost_its_images_is_refused_without_a_path(val: Path) -> None:
    here = opened(val)
    for file in (val / SYNSETS[0]).iterdir():
        file.unlink()
    with pytest.raises(CaseError) as caught:
        split(here, "test")
    assert str(val) not in str(caught.value)


@pytest.mark.lengthy
def test_a_background_class_moves_every_label_by_one(val: Path) -> None:
    from edgebench.images.preprocessing import PRESETS

    plain, moved = opened(val), opened(val, preprocessing=PRESETS["tf"])
    assert (split(moved, "test").labels == split(plain, "test").labels + 1).all()
    assert not numpy.array_equal(split(moved, "test").read([0]), split(plain, "test").read([0]))
