"""Every task: its networks give what it counts, its data sets have its truths, and what it makes of outputs."""

from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from edgebench.foundation.shelf import literal, load, names
from edgebench.images.datasets import scenes
from edgebench.images.loader import Truth
from edgebench.schema.metric import Metric
from edgebench.schema.names import CLASSIFICATION, datasets_for, task
from edgebench.tasks import classification, detection

DETECTORS = [  # with the task's own heads
    name
    for name in names("architectures")
    if task(name) == "detection" and not literal("architectures", name, "DECODER")
]
CLASSES, SIDE = 10, 96


def truths(count: int) -> list[Truth]:
    return [scenes.draw("test", index).truth for index in range(count)]


def ideal(truths: list[Truth]) -> NDArray[Any]:
    """The outputs of a network that knows every object."""
    cells, raw = detection.targets(truths, SIDE)
    side = detection.side(SIDE)
    scores = numpy.full((len(truths), 1 + CLASSES, side * side), -20.0)
    scores[:, 0] = numpy.where(cells >= 0, 20, -20)
    for label in range(CLASSES):
        scores[:, 1 + label][cells == label] = 20
    outputs: NDArray[Any] = numpy.concatenate([heads.reshape(len(truths), -1) for heads in (scores, raw)], 1)
    return outputs.astype("f4")


@pytest.mark.parametrize("name", names("architectures"))
def test_every_network_is_for_a_task_of_the_shelf_that_some_data_set_has_the_truth_for(name: str) -> None:
    assert task(name) in names("tasks")
    assert datasets_for(task(name)) or not load("tasks", task(name)).METRIC


@pytest.mark.parametrize("name", names("datasets"))
def test_the_tasks_of_a_data_set_are_on_the_shelf(name: str) -> None:
    assert set(literal("datasets", name, "TASKS") or ()) <= set(names("tasks"))


def test_what_states_no_task_and_what_is_not_there_is_a_classifier() -> None:
    assert task("vgg16") == task("net.onnx") == task("gone") == CLASSIFICATION
    assert len(DETECTORS) == 2


@pytest.mark.parametrize("name", names("tasks"))
def test_the_chief_metric_is_a_column(name: str) -> None:
    plugin = load("tasks", name)
    assert (plugin.METRIC in plugin.COLUMNS) == (name not in ("null", "score_map"))
    assert literal("tasks", name, "METRIC") == plugin.METRIC


@pytest.mark.slow
@pytest.mark.parametrize("resolution", [64, 72, 100])
@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_has_the_outputs_and_as_many_values_as_its_task_says(name: str, resolution: int) -> None:
    import torch

    network = load("architectures", name).build(name, 0.25, classes=3, resolution=resolution).eval()
    outputs = network(torch.zeros(1, 3, resolution, resolution))
    assert len(outputs) == len(detection.OUTPUTS)
    assert sum(output.numel() for output in outputs) == detection.values(3, resolution)


@pytest.mark.lengthy
def test_the_boxes_of_a_network_that_knows_every_object_are_right() -> None:
    of = truths(20)
    fields = detection.tally([ideal(of)], None, of.__getitem__, CLASSES, SIDE)
    figures = {metric.name: metric for metric in fields["metrics"]}
    assert list(figures) == list(detection.COLUMNS)
    assert figures["map"].value == pytest.approx(1.0)
    assert figures["map"].low == figures["map"].high == pytest.approx(1.0)
    assert figures["ap50"].low is None


@pytest.mark.lengthy
def test_the_sure_boxes_are_those_that_decoding_with_this_score_finds() -> None:
    outputs = numpy.random.default_rng(3).normal(0, 4, (8, detection.values(CLASSES, SIDE))).astype("f4")
    decode = detection.of_heads(CLASSES, SIDE)
    assert any(len(found.scores) > len(detection.sure(found).scores) > 0 for found in decode(outputs))
    for found, wanted in zip(decode(outputs), decode(outputs, detection.SURE), strict=True):
        for part, same in zip(detection.sure(found), wanted, strict=True):
            assert part == pytest.approx(same)


@pytest.mark.lengthy
def test_a_detector_is_compared_with_its_parent_image_by_image() -> None:
    of = truths(30)
    parent = ideal(of)
    same = detection.tally([parent[:7], parent[7:]], [parent[:7], parent[7:]], of.__getitem__, CLASSES, SIDE)
    assert (same["change"], same["agreement"], same["sqnr_db"]) == (Metric(name="map", value=0, low=0, high=0), 1, None)
    worse = parent.copy()
    worse[::2, : detection.side(SIDE) ** 2] = -20  # it sees no object in every second image
    fields = detection.tally([worse], [parent], of.__getitem__, CLASSES, SIDE)
    change = fields["change"]
    assert change.low < change.value < change.high < 0
    objects = [len(truth.classes) for truth in of]
    assert fields["agreement"] == pytest.approx(sum(objects[1::2]) / sum(objects), abs=0.05)
    assert fields["sqnr_db"] > 0


@pytest.mark.lengthy
@pytest.mark.parametrize("value", [numpy.nan, numpy.inf, -numpy.inf])
def test_outputs_that_are_not_finite_have_no_figure(value: float) -> None:
    of = truths(3)
    outputs = ideal(of)
    outputs[1, 5] = value
    assert detection.tally([outputs], None, of.__getitem__, CLASSES, SIDE) == {"correct": 0, "not_finite": 1}
    with_parent = detection.tally([ideal(of)], [outputs], of.__getitem__, CLASSES, SIDE)
    assert with_parent["metrics"] and "change" not in with_parent


def test_images_without_objects_have_no_map() -> None:
    nothing = Truth(classes=numpy.zeros(0, "i8"), boxes=numpy.zeros((0, 4), "f4"), size=(224, 224))
    outputs = numpy.zeros((2, detection.values(CLASSES, SIDE)), "f4")
    assert detection.tally([outputs], None, lambda _: nothing, CLASSES, SIDE)["metrics"] == ()
    assert detection.targets([nothing], SIDE)[0].max() == -1


@pytest.mark.lengthy
def test_a_classifier_is_counted_part_by_part() -> None:
    random = numpy.random.default_rng(0)
    labels = random.integers(0, 7, 50)
    outputs, parent = (random.normal(size=(50, 7)).astype("f4") for _ in range(2))
    of = [Truth(classes=labels[place : place + 1]) for place in range(50)]
    whole = classification.tally([outputs], [parent], of.__getitem__, 7, 32)
    parts = classification.tally([outputs[:20], outputs[20:]], [parent[:20], parent[20:]], of.__getitem__, 7, 32)
    assert {**whole, "sqnr_db": 0} == {**parts, "sqnr_db": 0}
    assert whole["correct"] == (outputs.argmax(1) == labels).sum()
    assert whole["agreement"] == (outputs.argmax(1) == parent.argmax(1)).mean()
    alone = classification.tally([outputs], None, of.__getitem__, 7, 32)
    assert alone["correct"] == whole["correct"]
    assert alone["agreement"] is alone["sqnr_db"] is alone["parent_correct"] is None
