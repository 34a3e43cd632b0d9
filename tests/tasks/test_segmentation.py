"""Segmentation's figures: known by hand, also without a class, without pixels and with pixels that are not judged."""

from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from edgebench.foundation.errors import CaseError
from edgebench.images.loader import Truth
from edgebench.schema.metric import Metric
from edgebench.tasks import segmentation

CLASSES, SIDE = 3, 4


def truth(mask: Any) -> Truth:
    array = numpy.array(mask, numpy.uint8)
    return Truth(classes=numpy.zeros(0, "i8"), mask=array, size=(array.shape[1], array.shape[0]))


def figures(*pairs: tuple[Any, Any]) -> dict[str, float]:
    """The figures of pairs of an answer and a truth."""
    return segmentation.figures(
        [segmentation.seen(numpy.array(answer, numpy.uint8), truth(mask)) for answer, mask in pairs]
    )


@pytest.mark.parametrize(
    ("answer", "mask", "expected"),
    [
        ([[0, 1], [0, 1]], [[0, 0], [0, 1]], (7 / 12, 1 / 2, 3 / 4)),  # the background has 2/3, class 1 has 1/2
        ([[0, 0], [0, 0]], [[0, 0], [0, 0]], (1.0, None, 1.0)),  # everything is background: no class to judge
        ([[0, 0], [0, 0]], [[0, 0], [0, 1]], (3 / 8, 0.0, 3 / 4)),  # the object is missed
        ([[0, 2], [0, 1]], [[0, 0], [0, 1]], (5 / 9, 1 / 2, 3 / 4)),  # class 2 is in no truth, and counts with 0
        ([[1, 1], [1, 1]], [[255, 255], [255, 1]], (1.0, 1.0, 1.0)),  # three pixels are not judged
        ([[1, 1], [1, 1]], [[255, 255], [255, 255]], (None, None, None)),  # no pixel is
        ([[2]], [[2]], (1.0, 1.0, 1.0)),  # one pixel
        ([[0]], [[3]], (0.0, 0.0, 0.0)),
        ([[1]], [[1, 1, 0], [1, 1, 0]], (1 / 3, 2 / 3, 2 / 3)),  # compared in the truth's six pixels
    ],
)
def test_the_hand_cases(answer: Any, mask: Any, expected: tuple[float | None, ...]) -> None:
    found = figures((answer, mask))
    wanted = dict(zip(segmentation.COLUMNS, expected, strict=True))
    assert found == pytest.approx({name: value for name, value in wanted.items() if value is not None})


def test_an_image_with_boxes_alone_is_refused() -> None:
    with pytest.raises(CaseError, match="found an image with boxes alone"):
        segmentation.targets([Truth(classes=numpy.array([1]), mask=None)], 8)


def test_miou_is_of_the_summed_matrix_and_not_the_mean_of_images() -> None:
    first, second = ([[1, 1], [1, 1]], [[1, 1], [1, 1]]), ([[0, 0], [0, 0]], [[0, 0], [0, 1]])
    assert figures(first, second)["miou"] == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert figures(first)["miou"] / 2 + figures(second)["miou"] / 2 == pytest.approx((1 + 3 / 8) / 2)


def test_the_counts_are_those_of_the_confusion_matrix() -> None:
    random = numpy.random.default_rng(0)
    answer, mask = random.integers(0, 4, (2, 20, 20)).astype("u1")
    matrix = numpy.zeros((4, 4), int)
    numpy.add.at(matrix, (mask.ravel(), answer.ravel()), 1)
    union = matrix.sum(0) + matrix.sum(1) - numpy.diag(matrix)
    assert figures((answer, mask))["miou"] == pytest.approx((numpy.diag(matrix) / union).mean())


def test_no_images_have_no_figure() -> None:
    assert segmentation.figures([]) == {}
    assert segmentation.intervals([]) == {}


def scores(maps: NDArray[Any]) -> NDArray[Any]:
    """The values of a network that gives these maps, (N, SIDE, SIDE)."""
    planes = numpy.stack([maps == number for number in range(1 + CLASSES)], 1)
    values: NDArray[Any] = planes.reshape(len(maps), -1).astype("f4")
    return values


def maps(seed: int, count: int = 30) -> NDArray[Any]:
    return numpy.random.default_rng(seed).integers(0, 1 + CLASSES, (count, SIDE, SIDE)).astype("u1")


def test_what_travels_is_the_map_of_the_largest_scores() -> None:
    random = numpy.random.default_rng(1)
    values = random.normal(size=(5, segmentation.values(CLASSES, SIDE))).astype("f4")
    reduced = segmentation.reduced(values, CLASSES, SIDE)
    assert reduced.dtype == numpy.uint8
    assert reduced.shape == (5, SIDE * SIDE)
    assert (reduced.reshape(5, SIDE, SIDE) == values.reshape(5, 1 + CLASSES, SIDE, SIDE).argmax(1)).all()
    assert (segmentation.reduced(numpy.zeros_like(values), CLASSES, SIDE) == 0).all()  # of equal scores the first class


@pytest.mark.parametrize("value", [numpy.nan, numpy.inf, -numpy.inf])
def test_scores_that_are_not_finite_have_no_figure(value: float) -> None:
    answers = maps(2, 3)
    values = scores(answers)
    values[1, 5] = value
    reduced = segmentation.reduced(values, CLASSES, SIDE)
    of = [truth(mask) for mask in answers]
    assert segmentation.tally([reduced], None, of.__getitem__, CLASSES, SIDE) == {"correct": 0, "not_finite": 1}
    sound = segmentation.reduced(scores(answers), CLASSES, SIDE)
    assert "change" not in segmentation.tally([sound], [reduced], of.__getitem__, CLASSES, SIDE)


def test_a_segmenter_is_compared_with_its_parent_image_by_image() -> None:
    masks = maps(3)
    of, parent = [truth(mask) for mask in masks], masks.reshape(len(masks), -1)
    same = segmentation.tally([parent[:7], parent[7:]], [parent[:7], parent[7:]], of.__getitem__, CLASSES, SIDE)
    assert (same["change"], same["agreement"]) == (Metric(name="miou", value=0, low=0, high=0), 1)
    worse = parent.copy()
    worse[::2, :8] = 0
    fields = segmentation.tally([worse], [parent], of.__getitem__, CLASSES, SIDE)
    assert fields["change"].low < fields["change"].value < fields["change"].high < 0
    assert fields["agreement"] == pytest.approx((worse == parent).mean())
    (miou, foreground, accuracy) = fields["metrics"]
    assert miou.low < miou.value < miou.high and foreground.low is accuracy.low is None


@pytest.mark.lengthy
def test_the_interval_holds_the_figure_of_many_images() -> None:
    """On average: of 40 samples of images, about 38 intervals hold mIoU of all."""
    random = numpy.random.default_rng(4)
    masks = maps(5, 2000)
    answers = numpy.where(random.random(masks.shape) < random.random((2000, 1, 1)), masks, maps(6, 2000)).astype("u1")
    images = [segmentation.seen(answer, truth(mask)) for answer, mask in zip(answers, masks, strict=True)]
    whole, held = segmentation.figures(images)["miou"], 0
    for start in range(0, 2000, 50):
        low, high = segmentation.intervals(images[start : start + 50])["miou"]
        held += low <= whole <= high
    assert 34 <= held <= 40


def test_more_classes_than_a_byte_holds_are_refused() -> None:
    assert segmentation.values(254, 2) == 255 * 4
    with pytest.raises(CaseError, match="wanted at most 254 classes, found 255"):
        segmentation.values(255, 2)


@pytest.mark.slow
def test_the_loss_ignores_pixels_and_weighs_the_background_less() -> None:
    import torch

    given = torch.zeros(1, 2, 1, 2)
    given[0, 1, 0, 0] = 2.0
    both = segmentation.loss([given], [torch.tensor([[[1, 0]]])])
    alone = segmentation.loss([given], [torch.tensor([[[1, 255]]])])
    right, even = numpy.log(1 + numpy.exp(-2)), numpy.log(2)
    assert float(alone) == pytest.approx(right)
    assert float(both) == pytest.approx((right + 0.2 * even) / 1.2)
    assert float(segmentation.loss([given], [torch.tensor([[[255, 255]]])])) == 0.0


def test_targets_are_the_mask_at_the_centres_of_pixels() -> None:
    mask = numpy.arange(36).reshape(6, 6)
    (target,) = segmentation.targets([truth(mask)], 2)
    assert target.tolist() == [[[7, 10], [25, 28]]]
