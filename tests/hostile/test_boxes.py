"""Boxes and names of classes as other programs write them: read right or refused, never wrong in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from edgebench.foundation.errors import RequestError
from edgebench.images.datasets import coco, yolo
from edgebench.images.datasets._annotated import Annotated

SIDE = 10
NAMES = {
    "a list in one line": ("names: [cat, dog]", ("cat", "dog")),
    "a comma in quotes": ("names: [cat, 'big, grey dog']", ("cat", "big, grey dog")),
    "a list over two lines": ('names: ["cat",\n  "dog"]', ("cat", "dog")),
    "a mapping in one line": ("names: {0: cat, 1: dog}", ("cat", "dog")),
    "a mapping in another order": ("names:\n  1: dog\n  0: cat", ("cat", "dog")),
    "a mapping in one line, in another order": ("names: {1: dog, 0: cat}", ("cat", "dog")),
    "a mapping with a gap": ("names:\n  0: cat\n  2: dog", ("cat", "1", "dog")),
    "an apostrophe": ("names:\n  - l'eau\n  - dog", ("l'eau", "dog")),
    "a comma without quotes": ("names:\n  - cat\n  - dog, grey", ("cat", "dog, grey")),
    "a name that begins like a mapping": ("names:\n  - cat\n  - 7: up", ("cat", "7: up")),
    "Windows' line ends and a mark": ("\ufeffnames:\r\n  0: cat\r\n  1: dog\r\n", ("cat", "dog")),
    "remarks": ("names:\n  0: cat  # felis\n  1: dog  # canis\nnc: 2", ("cat", "dog")),
}


def labelled(place: Path, line: str, yaml: str = "") -> Path:
    """Write two pictures, of which the first has one object."""
    for folder in ("images", "labels"):
        (place / folder).mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (SIDE, SIDE), (ord(name), 0, 0)).save(place / "images" / f"{name}.png")
    (place / "labels" / "a.txt").write_text(line)
    (place / "data.yaml").write_bytes(yaml.encode())
    return place


def boxes(place: Path) -> list[tuple[float, ...]]:
    """Return the boxes of all pictures, of all parts of a data set."""
    parts = [part for part in yolo.open(place).files if isinstance(part, Annotated)]
    return [one.box for part in parts for objects in part.objects for one in objects]


@pytest.mark.parametrize("way", NAMES)
def test_the_names_of_classes_are_the_same_however_they_were_written(way: str, place: Path) -> None:
    yaml, names = NAMES[way]
    (pictures, *_) = yolo.open(labelled(place, "0 0.5 0.5 0.2 0.4", yaml)).files
    assert isinstance(pictures, Annotated) and pictures.classes == names


def test_a_number_beyond_all_classes_is_refused(place: Path) -> None:
    with pytest.raises(RequestError, match="wanted at most 100000 classes, found the number 99999999; correct it"):
        yolo.open(labelled(place, "0 0.5 0.5 0.2 0.4", "names:\n  99999999: cat"))


@pytest.mark.parametrize("keypoints", ["0.1 0.1 0.9 0.9", "0.1 0.1 2 0.9 0.9 2", "0.1 0.1 0.9 0.9 0.3 0.2"])
def test_keypoints_behind_a_box_are_no_polygon(keypoints: str, place: Path) -> None:
    yaml = "names: [cat]\nkpt_shape: [2, 2]\n"
    assert boxes(labelled(place, f"0 0.5 0.5 0.2 0.4 {keypoints}", yaml)) == [pytest.approx((4, 3, 6, 7))]


def test_corners_of_a_turned_box_give_the_box_around_them(place: Path) -> None:
    assert boxes(labelled(place, "0 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5")) == [pytest.approx((1, 1, 9, 9))]


@pytest.mark.parametrize("box", [[0.1, 0.2, 0.5, 0.5], [0, 0, 1, 1], [0.4, 0.4, 0.6, 0.6]])
def test_boxes_in_fractions_are_no_boxes_in_pixels(box: list[float], place: Path) -> None:
    folder = labelled(place, "")
    entries = [{"id": number, "file_name": f"{name}.png"} for number, name in enumerate("ab")]
    content = {"images": entries, "categories": [{"id": 1, "name": "cat"}]}
    objects = [{"id": number, "image_id": number, "category_id": 1, "bbox": box} for number in range(2)]
    (folder / "images" / "val.json").write_text(json.dumps(content | {"annotations": objects}))
    with pytest.raises(
        RequestError, match="wanted boxes in pixels, found only boxes in fractions; multiply by the size"
    ):
        coco.open(folder / "images" / "val.json")
