"""The whole way with images that somebody gave: trained on, measured, listed; and no path in what is kept."""

import json
from pathlib import Path

import numpy
import pytest
from PIL import Image

from tests.support.command import cli

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Red, green and blue pictures with noise, to train and to test on; one is cut off."""
    monkeypatch.setenv("EDGEBENCH_CACHE", str(place.parent / "cache"))
    random = numpy.random.default_rng(0)
    folder = place.parent / "elsewhere" / "photos"
    for part, count in (("train", 40), ("val", 12)):
        for channel, name in enumerate(("red", "green", "blue")):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 100, (40, 50, 3), numpy.uint8)
                pixels[..., channel] += 150
                Image.fromarray(pixels).save(folder / part / name / f"{number}.jpg")
    cut = folder / "val" / "red" / "3.jpg"
    cut.write_bytes(cut.read_bytes()[:500])
    return folder


def test_own_images_are_trained_on_and_measured_and_no_path_is_kept(photos: Path, place: Path) -> None:
    which = ("--model", "lenet5", "--resolution", "32", "--dataset", f"image_folder:{photos}")
    trained = cli("train", *which, "--json")
    assert trained.returncode == 0, trained.stderr
    (card,) = json.loads(trained.stdout)["rows"]
    assert (card["network"], card["dataset"], card["preprocessing"]) == (
        "lenet5-1@32",
        "image_folder:photos",
        "torchvision",
    )
    assert card["images"] == 35
    assert "1 of 156 images cannot be read and are left out: val/red/3.jpg" in trained.stderr
    assert json.loads(cli("weights", "--json").stdout)["rows"] == [card]
    assert "image_folder:photos" in cli("weights").stdout

    done = cli("run", *which, "--preset", "quick", "--precision", "fp32", "--name", "mine", "--json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    (row,) = table["rows"]
    (note,) = [note for note in table["notes"] if note.startswith("Data set")]
    assert note.startswith("Data set image_folder:photos, preprocessing torchvision: ")
    assert note.endswith(" Damaged images that were skipped: 1.")
    assert (row["dataset"], row["images"]) == ("image_folder:photos", 35)
    assert abs(row["top1"] - card["top1_per_cent"]) < 5
    kept = [file for file in (place / "results").rglob("*") if file.is_file()]
    assert [file for file in kept if str(photos.parent) in file.read_text()] == []

    again = cli("run", "results/mine/sweep.toml", "--name", "mine")
    assert again.returncode == 0, again.stderr
    assert "nothing to measure on cpu" in again.stderr
    photos.rename(photos.with_name("moved"))
    moved = cli("run", "results/mine/sweep.toml", "--name", "mine")
    assert (moved.returncode, moved.stderr.count("\n")) == (2, 1)
    assert "image_folder:photos is no longer where it was; restore it, or give its path again" in moved.stderr


def test_what_is_no_data_set_is_one_line_and_exit_code_2(place: Path) -> None:
    for dataset, message in (
        ("image_folder:nowhere", "nothing is at nowhere; wanted a folder of class folders"),
        ("cifar10", "wanted cifar10:path, cifar-10-binary.tar.gz"),
        (
            "imagenette",
            "no data set 'imagenette' (has cifar10, coco, digits, image_folder, imagenet, scenes, scenes_single,"
            " unlabelled, voc, yolo)",
        ),
    ):
        for command in ("run", "train"):
            done = cli(command, "--model", "lenet5", "--resolution", "32", "--dataset", dataset)
            assert done.returncode == 2
            assert message in done.stderr and done.stderr.count("\n") == 1


def test_what_cannot_be_trained_is_told_and_exit_code_1(photos: Path) -> None:
    validation = f"image_folder:{photos / 'val'}"
    for which, message in (
        (("--model", "lenet5", "--dataset", validation), "val has no images to train on: wanted train and val"),
        (("--model", "vgg16", "--resolution", "224", "--epochs", "99"), "training vgg16 at 224 px takes 5e+15 multi"),
    ):
        done = cli("train", "--resolution", "32", *which, "--json")
        assert (done.returncode, json.loads(done.stdout)["rows"]) == (1, [])
        assert message in done.stderr


def test_a_folder_given_as_a_data_set_is_refused_with_the_name_to_use(tmp_path: Path) -> None:
    for name, hint in ((str(tmp_path), f"write image_folder:{tmp_path}"), (f"{tmp_path}/none", "")):
        done = cli("run", "--model", "lenet5", "--resolution", "32", "--dataset", name, "--dry-run")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert hint in done.stderr and ("image_folder:/" in done.stderr) == bool(hint)
