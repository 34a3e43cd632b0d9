"""Localization's figures: known by hand, with empty boxes, boxes outside the image and images without an object."""

from typing import Any

import numpy
import pytest

from edgebench.foundation import stats
from edgebench.images.datasets import scenes, scenes_single
from edgebench.images.loader import Truth
from edgebench.tasks import localization
from edgebench.tasks.localization import Answer, Result

CLASSES, SIZE = 4, (100, 50)


def truth(*objects: tuple[int, tuple[float, ...]]) -> Truth:
    return Truth(
        classes=numpy.array([label for label, _ in objects], "i8"),
        boxes=numpy.array([box for _, box in objects], "f4").reshape(-1, 4),
        size=SIZE,
    )


def answer(label: int, *box: float) -> Answer:
    return Answer(label, numpy.array(box, "f4") / (*SIZE, *SIZE))


@pytest.mark.parametrize(
    ("given", "iou", "is_right"),
    [
        (answer(1, 10, 10, 30, 30), 1.0, True),
        (answer(2, 10, 10, 30, 30), 1.0, False),
        (answer(1, 20, 10, 40, 30), 1 / 3, True),
        (answer(1, 10, 10, 30, 20), 1 / 2, True),
        (answer(1, 60, 10, 80, 30), 0.0, True),
        (answer(1, 20, 20, 20, 20), 0.0, True),  # no area
    ],
)
def test_the_hand_cases(given: Answer, iou: float, is_right: bool) -> None:
    found = localization.seen(given, truth((1, (10, 10, 30, 30))))
    assert found.iou == pytest.approx(iou, abs=1e-6)
    assert found.is_right == is_right


def test_figures_and_intervals_of_five_images() -> None:
    images = [Result(0.8, True), Result(0.6, False), Result(0.5, True), Result(0.1, True), Result(numpy.nan, False)]
    found = localization.figures(images)
    assert found == pytest.approx({"iou": 0.5, "iou50": 0.5, "both_right": 0.25, "top1": 0.75})
    ends = localization.intervals(images)
    assert ends["top1"] == stats.wilson(3, 4)
    assert 0.1 <= ends["iou"][0] < 0.5 < ends["iou"][1] <= 0.8
    assert set(found) == set(ends) == set(localization.COLUMNS)


def test_images_without_an_object_do_not_count() -> None:
    found = localization.seen(answer(1, 10, 10, 30, 30), truth())
    assert numpy.isnan(found.iou) and not found.is_right
    assert localization.figures([found]) == localization.figures([]) == {}
    assert localization.intervals([found]) == {}
    labels, boxes = localization.targets([truth()], 64)
    assert (labels.tolist(), boxes.tolist()) == ([-1], [[0, 0, 0, 0]])


def test_the_largest_of_several_objects_counts() -> None:
    several = truth((0, (0, 0, 10, 10)), (3, (20, 0, 60, 40)))
    found = localization.seen(answer(3, 20, 0, 60, 40), several)
    assert found.iou == pytest.approx(1.0)
    assert found.is_right


@pytest.mark.parametrize(
    ("raw", "box"),
    [
        ((-0.5, 0.2, 1.5, 0.4), (0, 0.2, 1, 0.4)),
        ((0.6, 0.6, 0.4, 0.4), (0.6, 0.6, 0.6, 0.6)),  # it ends before it begins
        ((numpy.nan, 0, 1, 1), (0, 0, 1, 1)),
    ],
)
def test_a_box_is_cut_at_the_edges_of_the_image(raw: tuple[float, ...], box: tuple[float, ...]) -> None:
    (found,) = localization.decode(numpy.array([[0, 9, 1, 1, *raw]], "f4"), CLASSES, 64)
    assert found.label == 1
    assert found.box == pytest.approx(box)


def of_truths(truths: list[Truth]) -> Any:
    """The outputs of a network that knows every object."""
    labels, boxes = localization.targets(truths, 64)
    return numpy.concatenate([numpy.eye(10)[labels], boxes], 1).astype("f4")


@pytest.mark.lengthy
def test_a_localizer_is_compared_with_its_parent_image_by_image() -> None:
    of = [scenes.draw("test", index, scenes_single.SINGLE).truth for index in range(30)]
    parent = of_truths(of)
    same = localization.tally([parent[:7], parent[7:]], [parent[:7], parent[7:]], of.__getitem__, 10, 64)
    assert (same["change"].value, same["agreement"], same["sqnr_db"]) == (0, 1, None)
    assert {metric.name: metric.value for metric in same["metrics"]} == pytest.approx(
        dict.fromkeys(localization.COLUMNS, 1.0)
    )
    worse = parent.copy()
    worse[::2, 10:] = 0
    fields = localization.tally([worse], [parent], of.__getitem__, 10, 64)
    assert fields["change"].low < fields["change"].value < fields["change"].high < 0
    assert fields["change"].value == pytest.approx(-0.5)
    assert fields["agreement"] == 0.5 and fields["sqnr_db"] > 0
    worse[0, 0] = numpy.inf
    assert localization.tally([worse], None, of.__getitem__, 10, 64) == {"correct": 0, "not_finite": 1}


def test_a_single_scene_has_one_digit_of_32_to_112_pixels() -> None:
    for index in range(40):
        scene = scenes.draw("test", index, scenes_single.SINGLE)
        ((left, top, right, bottom),) = scene.boxes
        assert 28 <= bottom - top <= 112 and 0 <= left < right <= 224
        assert scene.truth.mask is not None and scene.truth.mask.max() == scene.truth.classes[0] + 1


@pytest.mark.slow
def test_the_loss_is_cross_entropy_and_25_times_the_squared_error() -> None:
    import torch

    logits, boxes = torch.zeros(2, 4), torch.full((2, 4), 0.5)
    labels, wanted = torch.tensor([1, -1]), torch.tensor([[0.5, 0.5, 0.5, 0.9], [9.0, 9.0, 9.0, 9.0]])
    found = localization.loss([logits, boxes], [labels, wanted])
    assert float(found) == pytest.approx(numpy.log(4) + 25 * 0.16 / 4)
    assert float(localization.loss([logits, boxes], [torch.tensor([-1, -1]), wanted])) == 0.0
