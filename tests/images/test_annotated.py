"""Annotated folders, drawn by `scenes`: their truth is read as it was drawn, and what is wrong is counted and named."""

import json
from pathlib import Path
from time import process_time
from typing import Any

import numpy
import pytest

from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.images import catalogue
from edgebench.images.datasets import _annotated, coco
from edgebench.images.loader import Truth
from edgebench.tasks import detection, segmentation
from edgebench.tasks.detection.boxes import Boxes
from tests.support import annotated

COUNT = 6


def opened(plugin: str, place: Path) -> Any:
    return load("datasets", plugin).open(place)


def truths(of: Any) -> dict[str, Truth]:
    """The truths of all pictures by name: those set aside for calibration, too."""
    parts = [of.part("calibration"), of.part("test")]
    return {part.name(index): part.truth(index) for part in parts for index in range(len(part.labels))}


def in_order(truth: Truth) -> list[tuple[Any, ...]]:
    assert truth.boxes is not None
    return sorted((label, *box) for label, box in zip(truth.classes.tolist(), truth.boxes.tolist(), strict=True))


@pytest.fixture
def home(place: Path) -> Path:
    return place / "data"


@pytest.mark.lengthy
@pytest.mark.parametrize("plugin", annotated.WRITERS)
def test_the_truth_that_is_read_is_the_one_that_was_drawn(plugin: str, home: Path) -> None:
    scenes = annotated.drawn(COUNT)
    home.mkdir()
    annotated.WRITERS[plugin](home, scenes)
    of = opened(plugin, home)
    found = truths(of)
    assert (of.classes, len(found)) == (10, COUNT)
    for index, (name, truth) in enumerate(sorted(found.items())):
        drawn = scenes[index].truth
        assert Path(name).stem == f"{index:04}"
        assert truth.size == drawn.size
        assert numpy.allclose(in_order(truth), in_order(drawn), atol=1e-4)
        if plugin == "yolo":  # boxes alone
            assert truth.mask is None
        else:
            assert truth.mask is not None and drawn.mask is not None
            assert (truth.mask == drawn.mask).all()


@pytest.mark.lengthy
def test_compressed_run_lengths_are_those_of_the_mask(home: Path) -> None:
    scenes = annotated.drawn(COUNT)
    home.mkdir()
    annotated.coco(home, scenes, compress=True)
    for index, (_, truth) in enumerate(sorted(truths(opened("coco", home)).items())):
        assert truth.mask is not None and scenes[index].truth.mask is not None
        assert (truth.mask == scenes[index].truth.mask).all()


@pytest.mark.lengthy
def test_a_polygon_covers_the_pixels_whose_centre_it_encloses(home: Path) -> None:
    home.mkdir()
    content = annotated.coco(home, annotated.drawn(2))
    for entry in content["annotations"]:
        left, top, width, height = entry["bbox"]
        entry["segmentation"] = [[left, top, left + width, top, left + width, top + height, left, top + height]]
    (home / "annotations" / "instances_val.json").write_text(json.dumps(content))
    for truth in truths(opened("coco", home)).values():
        assert truth.mask is not None and truth.boxes is not None
        filled = numpy.zeros(truth.mask.shape, int)
        for label, (left, top, right, bottom) in zip(truth.classes, truth.boxes.astype(int), strict=True):
            filled[top:bottom, left:right] = label + 1
        assert (filled == truth.mask).all()


@pytest.mark.lengthy
@pytest.mark.parametrize("plugin", annotated.WRITERS)
def test_the_map_of_the_same_answers_is_the_same(plugin: str, home: Path) -> None:
    scenes, random = annotated.drawn(12), numpy.random.default_rng(1)
    home.mkdir()
    annotated.WRITERS[plugin](home, scenes)
    read = [truth for _, truth in sorted(truths(opened(plugin, home)).items())]
    answers = []
    for scene in scenes:
        noisy = (scene.boxes + random.normal(0, 2, scene.boxes.shape)) / annotated.SIDE
        answers.append(Boxes(noisy, random.random(len(noisy)), scene.truth.classes))
    figures = [
        detection.figures([detection.seen(*pair) for pair in zip(answers, of, strict=True)])
        for of in (read, [scene.truth for scene in scenes])
    ]
    assert figures[0] == pytest.approx(figures[1], abs=1e-6)
    assert 0.2 < figures[0]["map"] < 0.95


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "plugin", [name for name in annotated.WRITERS if "segmentation" in load("datasets", name).TASKS]
)
def test_the_miou_of_the_same_maps_is_the_same(plugin: str, home: Path) -> None:
    scenes, random = annotated.drawn(12), numpy.random.default_rng(1)
    home.mkdir()
    annotated.WRITERS[plugin](home, scenes)
    read = [truth for _, truth in sorted(truths(opened(plugin, home)).items())]
    maps = []
    for scene in scenes:
        assert scene.truth.mask is not None
        is_wrong = random.random(scene.truth.mask.shape) < 0.1
        maps.append(numpy.where(is_wrong, 3, scene.truth.mask).astype(numpy.uint8))
    figures = [
        segmentation.figures([segmentation.seen(*pair) for pair in zip(maps, of, strict=True)])
        for of in (read, [scene.truth for scene in scenes])
    ]
    assert figures[0] == figures[1]
    assert 0.2 < figures[0]["miou"] < 0.95


def test_a_data_set_says_that_it_has_masks_if_it_has() -> None:
    assert {name for name in annotated.WRITERS if "segmentation" in load("datasets", name).TASKS} == {"coco", "voc"}


def changed(home: Path, change: Any) -> Any:
    home.mkdir(exist_ok=True)
    content = annotated.coco(home, annotated.drawn(4))
    change(content)
    file = home / "annotations" / "instances_val.json"
    file.write_text(json.dumps(content))
    coco._parsed.cache_clear()
    return opened("coco", home)


def first(content: Any, **fields: Any) -> None:
    content["annotations"][0] |= fields


BAD = {
    _annotated.OUTSIDE: lambda c: first(c, bbox=[500, 500, 10, 10]),
    _annotated.CUT: lambda c: first(c, bbox=[200, 200, 100, 100]),
    _annotated.EMPTY: lambda c: first(c, bbox=[5, 5, 0, 10]),
    _annotated.ODD: lambda c: first(c, bbox=[float("nan"), 5, 10, 10]),
    _annotated.TWICE: lambda c: c["annotations"].append(c["annotations"][0] | {"id": 9999}),
    _annotated.MASK_SIZE: lambda c: first(c, segmentation={"size": [10, 10], "counts": [100]}),
    _annotated.OTHER_SIZE: lambda c: c["images"][0].update(width=100),
    _annotated.MISSING: lambda c: c["images"].append({"id": 7, "file_name": "gone.png"}),
    _annotated.UNNAMED: lambda c: c["images"].pop(0),
    _annotated.WITHOUT: lambda c: c.update(annotations=c["annotations"][-1:]),
    coco.CROWDS: lambda c: first(c, iscrowd=1),
    coco.NO_CATEGORY: lambda c: first(c, category_id=2),
    coco.NO_PICTURE: lambda c: first(c, image_id=5),
    coco.NO_BOX: lambda c: first(c, bbox=[1, 2, 3]),
}


@pytest.mark.lengthy
@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_counted_and_named(what: str, home: Path) -> None:
    before = sum(len(truth.classes) for truth in truths(changed(home, lambda _: None)).values())
    of = changed(home, BAD[what])
    said = [notice for notice in of.notices if what in notice]
    assert len(said) == 1 and int(said[0].split()[0]) >= 1
    after = truths(of)
    for truth in after.values():
        assert truth.boxes is not None and numpy.isfinite(truth.boxes).all()
        assert (truth.boxes >= 0).all() and (truth.boxes <= annotated.SIDE).all()
    stays = (_annotated.CUT, _annotated.TWICE, _annotated.MASK_SIZE, _annotated.MISSING)
    objects = sum(len(truth.classes) for truth in after.values())
    assert objects == before if what in stays else objects < before


@pytest.mark.lengthy
def test_gaps_in_the_ids_of_categories_are_counted(home: Path) -> None:
    of = changed(home, lambda _: None)
    assert any("18 category ids between 1 and 28 are unused" in notice for notice in of.notices)


REFUSED = {
    "two of its images have the id 100": lambda c: c["images"][1].update(id=100),
    "two of its categories have the id 1": lambda c: c["categories"][1].update(id=1),
    "wanted COCO's lists": lambda c: c.pop("categories"),
    "found none of its images": lambda c: [entry.update(file_name="gone.png") for entry in c["images"]],
    "as the id of each of its images": lambda c: c["images"][0].update(id="one"),
}


@pytest.mark.lengthy
@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(why: str, home: Path) -> None:
    with pytest.raises(RequestError, match=why) as refused:
        changed(home, REFUSED[why])
    assert "\n" not in str(refused.value)


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("plugin", "file", "text"),
    [
        ("coco", "annotations/instances_val.json", '{"images": ['),
        ("coco", "annotations/instances_val.json", "[" * 100_000),
        ("voc", "Annotations/0000.xml", "<annotation><object>"),
        ("voc", "Annotations/0000.xml", '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'),
    ],
)
def test_a_file_that_is_no_whole_one_is_refused_in_one_line(plugin: str, file: str, text: str, home: Path) -> None:
    home.mkdir()
    annotated.WRITERS[plugin](home, annotated.drawn(3))
    (home / file).write_text(text)
    with pytest.raises(RequestError) as refused:
        opened(plugin, home)
    assert Path(file).name in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("plugin", annotated.WRITERS)
def test_a_folder_of_another_layout_is_refused_in_one_line(plugin: str, home: Path) -> None:
    home.mkdir()
    with pytest.raises(RequestError) as refused:
        opened(plugin, home)
    assert load("datasets", plugin).PLACE in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("3 0.5 0.5 0.2 0.2", 1),
        ("3 0.5 0.5 0.2 0.2 0.9", 0),
        ("3 0.1 0.1 0.4 0.1 0.4 0.4", 1),
        ("-1 0.5 0.5 0.2 0.2", 0),
        ("1.5 0.5 0.5 0.2 0.2", 0),
        ("nan 0.5 0.5 0.2 0.2", 0),
        ("cat 0.5 0.5 0.2 0.2", 0),
        ("3 nan 0.5 0.2 0.2", 0),
        ("3 0.5 0.5 0 0.2", 0),
        ("3 1.5 1.5 0.2 0.2", 0),
        ("", 0),
    ],
)
def test_a_line_of_yolo_is_an_object_or_is_counted(line: str, kept: int, home: Path) -> None:
    home.mkdir()
    annotated.yolo(home, annotated.drawn(3))
    (home / "labels" / "val" / "0000.txt").write_text(line + "\n")
    of = opened("yolo", home)
    assert len(truths(of)["0000.png"].classes) == kept
    assert kept or any("left out" in notice or "no object" in notice for notice in of.notices)


@pytest.mark.lengthy
def test_a_hundred_thousand_annotations_take_seconds(home: Path) -> None:
    def many(content: Any) -> None:
        one = content["annotations"][0] | {"segmentation": []}
        content["annotations"] = [
            one | {"id": number, "image_id": 100 + number % 4, "bbox": [number % 200, number / 1000, 10, 10]}
            for number in range(100_000)
        ]

    home.mkdir()
    started = process_time()
    of = changed(home, many)
    assert sum(len(truth.classes) for truth in truths(of).values()) == 100_000
    assert process_time() - started < 30  # about 3 s; a loop over pairs would take hours


@pytest.mark.lengthy
@pytest.mark.parametrize("plugin", annotated.WRITERS)
def test_a_data_set_is_known_by_its_content(plugin: str, home: Path) -> None:
    home.mkdir()
    annotated.WRITERS[plugin](home, annotated.drawn(3))
    card = catalogue.adopt(f"{plugin}:{home}")
    (home.parent / "other").mkdir()
    moved = home.rename(home.parent / "other" / "data")
    assert catalogue.adopt(f"{plugin}:{moved}").sha256 == card.sha256
    assert (card.name, card.classes) == (f"{plugin}:data", 10)
