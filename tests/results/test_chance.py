"""A network that learned nothing: SUSPECT, no star, no agreement; and figures that name the metric of their task."""

from dataclasses import replace

import pytest

from edgebench.results.measurement import summarize
from edgebench.results.measurement.verdict import Verdict
from edgebench.results.reports import heat_maps, pareto
from edgebench.results.table import ranking
from edgebench.results.table.row import Row
from edgebench.results.table.rows import row as row_of
from edgebench.schema.metric import Metric
from edgebench.schema.quantization import Quantization
from edgebench.schema.record import Accuracy
from edgebench.schema.variant import Precision, WeightSource
from tests.conftest import case, variant
from tests.results.test_measurement import evidence, steady

TRAINED = variant(weights=WeightSource.TRAINED)
INT8 = replace(TRAINED, precision=Precision.INT8, quantization=Quantization())
DETECTOR = replace(TRAINED, architecture="mobilenet_v1_det", dataset="scenes")


def seen(correct: int, images: int = 600, of: object = TRAINED, **changes: object) -> Row:
    """The row of a network that is right on so many images."""
    answered = case(of)  # type: ignore[arg-type]
    fields: dict[str, object] = {
        "case": answered, "session": "s1", "epoch": "e1", "artifact_sha256": "f1", "dataset": answered.variant.dataset,
        "images": images, "correct": correct,
    }  # fmt: skip
    found = replace(evidence(*steady(), accuracy=Accuracy(**fields | changes)), case=answered)  # type: ignore[arg-type]
    return row_of(found, summarize(found))


@pytest.mark.parametrize(
    ("correct", "images", "is_of_chance"),
    [(54, 600, True), (60, 600, True), (70, 600, True), (90, 600, False), (0, 600, True), (3, 5, False), (1, 5, True)],
)
def test_a_network_no_better_than_chance_by_its_interval_is_suspect(
    correct: int, images: int, is_of_chance: bool
) -> None:
    row = seen(correct, images)
    assert row.quality.is_of_chance == is_of_chance
    assert (row.verdict == Verdict.SUSPECT.name, "no better than chance" in row.reasons) == (is_of_chance,) * 2


@pytest.mark.parametrize(("classes", "correct"), [(2, 310), (10, 66), (1000, 1)])
def test_chance_is_that_of_the_number_of_classes(classes: int, correct: int) -> None:
    of = replace(TRAINED, classes=classes, dataset="image_folder:x", dataset_sha256="d1", dataset_classes=classes)
    assert seen(correct, of=of).quality.is_of_chance
    assert not seen(correct + 100, of=of).quality.is_of_chance


def test_a_detector_without_a_box_found_is_suspect() -> None:
    def of(share: float) -> Row:
        metrics = (Metric(name="map", value=share, low=0.9 * share, high=1.1 * share),)
        return seen(0, of=DETECTOR, metrics=metrics)

    assert of(0.0).quality.is_of_chance and not of(0.3).quality.is_of_chance


def test_equal_answers_of_networks_that_learned_nothing_are_no_agreement() -> None:
    def agreement(correct: int) -> float | None:
        row = seen(
            correct, of=INT8, parent_correct=correct, parent_sha256="p1", agreement=1.0, only_parent=0, only_this=0
        )
        return row.fidelity.agreement

    assert (agreement(54), agreement(540)) == (None, 100)


def test_the_fastest_and_the_most_accurate_are_never_of_chance() -> None:
    failed, good = seen(54), replace(seen(500), setup=replace(seen(500).setup, epoch="e2"))
    assert ranking.fastest([failed, good]) == {good}
    assert ranking.most_accurate([failed, good]) == {good}
    assert not ranking.fastest([failed]) and not ranking.most_accurate([failed])


@pytest.mark.parametrize("figure", [pareto, heat_maps])
def test_a_figure_of_detectors_names_map_and_never_top_1(figure: object) -> None:
    rows = {}
    for place, side in enumerate((64, 96)):
        metrics = (Metric(name="map", value=0.3 + place / 10, low=0.25, high=0.45),)
        rows[place] = seen(0, of=replace(DETECTOR, resolution=side), metrics=metrics)
    panel = figure.draw(rows)  # type: ignore[attr-defined]
    text = panel.title + panel.body + " ".join(panel.notes)
    assert "mAP" in text and "top-1" not in text
    assert panel.body.count("data_row") + panel.body.count("data-row") == 2
