"""A classifier's confidence: the calibration error by hand, its interval in simulation, probabilities from logits."""

import json
from dataclasses import replace

import numpy
import pytest
from pydantic import TypeAdapter

from edgebench.analysis import evaluate, reliability
from edgebench.foundation.sheet import as_csv
from edgebench.schema.metric import BINS
from edgebench.schema.record import Accuracy
from edgebench.schema.variant import Precision, WeightSource
from edgebench.tasks import _confidence
from tests.conftest import artifact, case, variant


def test_the_calibration_error_is_the_papers_by_hand() -> None:
    """Two images at 0.95 of which one is right, two at 0.55 of which both are: 2/4 of 0.45 and 2/4 of 0.45."""
    found = _confidence.reliability(numpy.array([0.95, 0.95, 0.55, 0.55]), numpy.array([True, False, True, True]))
    assert found.error == pytest.approx((2 * 0.45 + 2 * 0.45) / 4)
    assert (found.images[14], found.images[8], sum(found.images)) == (2, 2, 4)
    assert 0 <= found.low <= found.error <= found.high <= 1


@pytest.mark.lengthy
@pytest.mark.parametrize(("confidence", "place"), [(1e-9, 0), (1 / 15, 0), (1 / 15 + 1e-9, 1), (0.5, 7), (1.0, 14)])
def test_a_bin_holds_its_upper_end_and_not_its_lower_one(confidence: float, place: int) -> None:
    found = _confidence.reliability(numpy.array([confidence]), numpy.array([True]))
    assert found.images == tuple(int(bin == place) for bin in range(BINS))


def test_logits_become_the_probability_of_their_class_and_probabilities_stay() -> None:
    logits = numpy.array([[2.0, 1.0, 0.0], [500.0, 0.0, 0.0], [-3.0, -3.0, -3.0]], "f4")
    expected = numpy.exp(logits.astype("f8") - logits.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    assert _confidence.confidences(logits) == pytest.approx(expected.max(1))
    rounded = numpy.round(expected * 256).astype("f4") / 256
    assert _confidence.confidences(rounded) == pytest.approx(rounded.max(1))


@pytest.mark.lengthy
@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_the_interval_holds_the_true_error_nine_times_in_ten(gap: float) -> None:
    """Networks that are too sure by a gap, seen on 400 images each."""
    random, held = numpy.random.default_rng(1), list[bool]()
    for _ in range(40):
        sure = random.uniform(0.6, 0.99, 400)
        found = _confidence.reliability(sure, random.random(400) < sure - gap)
        held.append(found.low <= gap <= found.high)
    assert sum(held) / len(held) >= 0.85


def evaluated() -> Accuracy:
    """A file in fp16 that is right on 90 of 100 images, surer of it than its float parent."""
    right = numpy.arange(100) < 90
    here, parent = (_confidence.reliability(numpy.full(100, sure), right) for sure in (0.99, 0.9))
    half = replace(variant(weights=WeightSource.TRAINED), precision=Precision.FP16)
    return Accuracy(
        case=case(half), session="s1", epoch="e1", artifact_sha256="f1",
        dataset="digits", images=100, correct=90, reliability=here, parent_reliability=parent,
    )  # fmt: skip


@pytest.mark.lengthy
def test_evaluate_shows_confidence_before_and_after_with_numbers_for_machines() -> None:
    sheets = {sheet.name: sheet for sheet in evaluate.sheets(artifact(), evaluated())}
    assert set(sheets) >= {"confidence", "reliability"}
    lines = as_csv(sheets["confidence"]).splitlines()
    assert lines[0] == "file,ece_per_cent,ece_low_per_cent,ece_high_per_cent,sure_per_cent,right_per_cent"
    assert float(lines[1].split(",")[1]) == pytest.approx(9) and lines[2].startswith("float parent,")
    assert "█" in as_csv(sheets["reliability"]) and "│" in as_csv(sheets["reliability"])


@pytest.mark.lengthy
def test_the_reliability_diagram_has_a_mark_per_bin_and_file() -> None:
    body = reliability.panel(artifact(), evaluated()).body
    assert body.count('class="mark"') == 2 + 2  # a bin of each file, and the legend
    assert "confidence, %" in body


@pytest.mark.lengthy
def test_an_accuracy_keeps_its_reliability_in_the_journal_and_one_without_is_read() -> None:
    format, accuracy = TypeAdapter(Accuracy), evaluated()
    assert format.validate_json(format.dump_json(accuracy)) == accuracy
    older = json.loads(format.dump_json(replace(accuracy, reliability=None)))
    del older["reliability"], older["parent_reliability"]
    assert format.validate_json(json.dumps(older)).reliability is None
