"""Detection's figures: equal to pycocotools', known by hand, and with intervals that hold what they claim."""

import contextlib
import io
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from edgebench.tasks.detection import boxes as grid
from edgebench.tasks.detection import coco
from edgebench.tasks.detection.boxes import Boxes

Image = tuple[NDArray[Any], NDArray[Any], Boxes]  # boxes and classes of its objects, and what was found


def boxes_of(*rows: tuple[float, float, float, float]) -> NDArray[Any]:
    return numpy.array(rows, float).reshape(-1, 4)


def test_the_hand_case() -> None:
    objects = boxes_of((0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10))
    found = boxes_of((0, 0, 10, 10), (0, 0, 10, 10), (20, 0, 26, 10), (40, 0, 47, 10))
    boxes = Boxes(found, numpy.array([0.9, 0.8, 0.7, 0.9]), numpy.array([0, 0, 0, 1]))
    figures = coco.figures([coco.match(boxes, objects, numpy.array([0, 0, 1]))])
    assert f"{figures.map:.6f} {figures.ap50:.6f} {figures.ap75:.6f}" == "0.551980 0.917492 0.252475"


def random_image(random: numpy.random.Generator) -> Image:
    """Objects of all sizes; boxes near most of them, some of a wrong class, some anywhere; scores with ties."""
    count = int(random.integers(0, 8))
    corners = random.uniform(0, 180, (count, 2))
    objects = numpy.concatenate([corners, corners + random.uniform(5, 120, (count, 2))], 1)
    classes = random.integers(0, 10, count)
    near = numpy.repeat(objects, 2, 0) + random.normal(0, 4, (2 * count, 4))
    corners = random.uniform(0, 150, (10, 2))
    anywhere = numpy.concatenate([corners, corners + random.uniform(5, 90, (10, 2))], 1)
    found = numpy.concatenate([near, anywhere])
    found[:, 2:] = numpy.maximum(found[:, 2:], found[:, :2] + 1)
    kept = random.random(2 * count) < 0.8
    labels = numpy.where(kept, numpy.repeat(classes, 2), random.integers(0, 10, 2 * count))
    labels = numpy.concatenate([labels, random.integers(0, 10, 10)])
    return objects, classes, Boxes(found, random.random(len(found)).round(2), labels)


def images_of(seed: int, count: int = 80) -> list[Image]:
    random = numpy.random.default_rng(seed)
    return [random_image(random) for _ in range(count)]


def judged(images: list[Image]) -> list[float]:
    """The first figures of pycocotools: mAP, AP50, AP75, of small and of medium objects."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def entry(box: NDArray[Any], label: int, image: int) -> dict[str, Any]:
        size = box[2:] - box[:2]
        return {"image_id": image, "category_id": int(label), "bbox": [*box[:2], *size], "area": size.prod()}

    truth = [
        entry(box, c, n)
        for n, (objects, classes, _) in enumerate(images)
        for box, c in zip(objects, classes, strict=True)
    ]
    found = [
        entry(box, label, number) | {"score": float(score)}
        for number, (*_, boxes) in enumerate(images)
        for box, score, label in zip(*boxes, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCO()
        judge.dataset = {
            "images": [{"id": number} for number in range(len(images))],
            "annotations": [{"id": 1 + number, "iscrowd": 0, **one} for number, one in enumerate(truth)],
            "categories": [{"id": number} for number in range(10)],
        }
        judge.createIndex()
        evaluation = COCOeval(judge, judge.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats[:5]]


def matched(images: list[Image]) -> list[coco.Matches]:
    return [coco.match(found, objects, classes) for objects, classes, found in images]


@pytest.mark.lengthy
@pytest.mark.filterwarnings("ignore")  # of pycocotools' own
@pytest.mark.parametrize("seed", range(3))
def test_the_figures_are_pycocotools(seed: int) -> None:
    images = images_of(seed)
    figures = coco.figures(matched(images))
    own = [figures.map, figures.ap50, figures.ap75, figures.ap_small, figures.ap_medium]
    assert own == pytest.approx(judged(images), abs=1e-9)


@pytest.mark.lengthy
@pytest.mark.filterwarnings("ignore")
def test_more_than_a_hundred_boxes_of_a_class_are_cut_as_pycocotools_cuts_them() -> None:
    random, images = numpy.random.default_rng(5), images_of(5, 3)
    objects, classes, _ = images[0]
    corners = random.uniform(0, 150, (300, 2))
    many = numpy.concatenate([numpy.repeat(objects, 60, 0)[:300], numpy.concatenate([corners, corners + 40], 1)])
    labels = numpy.concatenate([numpy.repeat(classes, 60)[:300], random.integers(0, 2, 300)])
    images[0] = objects, classes, Boxes(many, random.random(len(many)), labels)
    assert coco.figures(matched(images)).map == pytest.approx(judged(images)[0], abs=1e-9)


@pytest.mark.lengthy
def test_a_resample_of_every_image_once_is_the_figure_itself() -> None:
    images = matched(images_of(1))
    ranked, once = coco._ranked(images), numpy.ones((1, len(images)), "f4")
    mean = numpy.mean([coco._of_all_overlaps(one, once)[0] for one in ranked])
    assert mean == pytest.approx(coco.figures(images).map, abs=1e-6)


@pytest.mark.lengthy
def test_a_resample_is_what_matching_its_images_gives() -> None:
    images = [
        (
            objects,
            classes,
            found._replace(scores=found.scores + 1e-6 * (100 * number + numpy.arange(len(found.scores)))),
        )
        for number, (objects, classes, found) in enumerate(images_of(2, 40))  # without ties, which copies would reorder
    ]
    draws = numpy.random.default_rng(coco.SEED).multinomial(40, numpy.full(40, 1 / 40), 3)
    repeated = [[image for image, times in zip(images, row, strict=True) for _ in range(times)] for row in draws]
    expected = [coco.figures(matched(several)).map for several in repeated]
    assert coco.resampled(matched(images), 3) == pytest.approx(expected, abs=1e-5)


@pytest.mark.lengthy
def test_two_networks_are_compared_on_the_same_resamples() -> None:
    images = images_of(3, 60)
    worse = [(objects, classes, found._replace(boxes=found.boxes + 3)) for objects, classes, found in images]
    one, other = coco.resampled(matched(images), 200), coco.resampled(matched(worse), 200)
    low, high = coco.interval(one - other)
    alone = numpy.subtract(*coco.interval(one)[::-1])
    assert 0 < low < high and high - low < alone


def test_no_object_and_no_box_are_no_error() -> None:
    nothing = Boxes(boxes_of(), numpy.zeros(0), numpy.zeros(0, int))
    empty = coco.match(nothing, boxes_of(), numpy.zeros(0, int))
    assert numpy.isnan(coco.figures([empty]).map)
    missed = coco.match(nothing, boxes_of((0, 0, 9, 9)), numpy.array([4]))
    assert coco.figures([empty, missed]).map == 0.0


def test_suppression_keeps_what_one_box_after_another_keeps() -> None:
    random = numpy.random.default_rng(0)
    for count in (0, 1, 2, 50, 200):
        corners = random.uniform(0, 1, (count, 2))
        boxes = numpy.concatenate([corners, corners + random.uniform(0.05, 0.5, (count, 2))], 1)
        classes, kept = random.integers(0, 3, count), list[int]()
        overlaps = grid.iou(boxes, boxes)
        for place in range(count):
            if not any(overlaps[place, other] > 0.5 and classes[place] == classes[other] for other in kept):
                kept.append(place)
        assert grid.nms(boxes, classes).nonzero()[0].tolist() == kept


@pytest.mark.parametrize("side", [8, 12, 13, 20])
def test_what_heads_should_say_is_decoded_as_the_objects_themselves(side: int) -> None:
    objects = numpy.full((1, 6, 5), -1.0)
    objects[0, 0] = 3, 0.1, 0.1, 0.25, 0.35
    objects[0, 1] = 7, 0.6, 0.55, 0.7, 0.8
    objects[0, 2] = 7, 0.02, 0.8, 0.12, 0.95
    classes, raw = grid.assigned(objects, side)
    scores = numpy.full((11, side * side), -9.0, "f4")
    held = classes[0] >= 0
    scores[0, held] = 9
    scores[classes[0, held] + 1, held.nonzero()[0]] = 9
    found = grid.decode(scores.reshape(11, side, side), raw[0].reshape(4, side, side), 0.5)
    assert sorted(found.classes.tolist()) == [3, 7, 7]
    order = numpy.lexsort((found.boxes[:, 0], found.classes))
    expected = objects[0, :3][numpy.lexsort((objects[0, :3, 1], objects[0, :3, 0]))][:, 1:]
    assert found.boxes[order] == pytest.approx(expected, abs=1e-5)


def test_a_higher_threshold_keeps_the_best_of_the_same_boxes() -> None:
    random = numpy.random.default_rng(4)
    scores, raw = random.normal(0, 2, (11, 12, 12)).astype("f4"), random.normal(0, 0.5, (4, 12, 12)).astype("f4")
    low, high = grid.decode(scores, raw, 0.3), grid.decode(scores, raw, 0.6)
    assert 0 < len(high.scores) < len(low.scores)
    assert high.scores.tolist() == [score for score in low.scores.tolist() if score >= 0.6]
    assert (numpy.diff(low.scores) <= 0).all()
