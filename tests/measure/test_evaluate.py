"""What is counted, image by image, and that how it is cut into parts changes nothing."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgebench.deploy import Deployed
from edgebench.deploy.connections.null import Here
from edgebench.measure import evaluate
from edgebench.schema.runtime import Runtime
from edgebench.tasks.classification import Counts, count
from tests.conftest import case, variant
from tests.support.images import split


def outputs(*winners: int, classes: int = 8) -> NDArray[numpy.float32]:
    return numpy.eye(classes, dtype=numpy.float32)[list(winners)]


def test_agreement_counts_equal_top_1_answers() -> None:
    seen = count(numpy.zeros(4, numpy.int64), outputs(0, 1, 2, 3), outputs(1, 1, 2, 3))
    assert seen.agreed == 3


def test_what_either_gets_right_alone_is_counted() -> None:
    labels = numpy.array([0, 1, 2, 3, 4])
    seen = count(labels, outputs(0, 1, 7, 7, 4), outputs(7, 7, 2, 7, 4))
    assert (seen.correct, seen.parent_correct, seen.only_this, seen.only_parent) == (3, 2, 2, 1)


def test_top_5_holds_the_five_largest_and_no_more() -> None:
    ascending = numpy.arange(8, dtype=numpy.float32)[None].repeat(2, 0)
    assert count(numpy.array([3, 2]), ascending, ascending).correct_top5 == 1


@pytest.mark.lengthy
@given(st.data())
def test_top_5_is_at_least_top_1_even_where_outputs_are_equal(data: st.DataObject) -> None:
    values = numpy.array(
        data.draw(st.lists(st.lists(st.integers(0, 2), min_size=7, max_size=7), min_size=1)), numpy.float32
    )
    labels = numpy.array(data.draw(st.lists(st.integers(0, 6), min_size=len(values), max_size=len(values))))
    seen = count(labels, values, values)
    assert seen.correct <= seen.correct_top5 <= len(labels)


def test_sqnr_is_signal_over_noise_in_decibels() -> None:
    labels, reference = numpy.zeros(5, numpy.int64), numpy.full((5, 2), 10, numpy.float32)
    assert count(labels, reference + 1, reference).sqnr_db == pytest.approx(20.0)
    assert count(labels, reference + numpy.float32(0.1), reference).sqnr_db == pytest.approx(40.0, abs=1e-4)


def test_equal_outputs_have_no_sqnr() -> None:
    reference = numpy.ones((2, 2), numpy.float32)
    assert count(numpy.zeros(2, numpy.int64), reference, reference).sqnr_db is None


@pytest.mark.lengthy
@given(st.integers(1, 29))
def test_parts_add_up_to_the_whole(cut: int) -> None:
    random = numpy.random.default_rng(0)
    labels, ours = random.integers(0, 9, 30), random.normal(size=(30, 9)).astype("f4")
    theirs = ours + random.normal(size=ours.shape).astype("f4")
    parts = [count(labels[part], ours[part], theirs[part]) for part in (slice(cut), slice(cut, None))]
    whole = count(labels, ours, theirs)
    added = sum(parts, Counts())
    assert (added.correct, added.correct_top5, added.agreed) == (whole.correct, whole.correct_top5, whole.agreed)
    assert added.sqnr_db == pytest.approx(whole.sqnr_db)


@pytest.fixture
def deployed(place: Path) -> Deployed:
    content = json.dumps({"delay_s": 0.0, "classes": 10}).encode()
    (place / "net.json").write_bytes(content)
    return Deployed(variant=variant(), path=str(place / "net.json"), sha256=hashlib.sha256(content).hexdigest())


class Watched(Here):
    """Remembers what it was sent, and whether any of it was still there after the answer."""

    def __init__(self) -> None:
        self.shapes, self.left = list[tuple[int, ...]](), list[bool]()

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        answer = super().run(request, timeout_s=timeout_s)
        self.shapes.append(request["shape"])
        self.left.append(Path(request["inputs"]).exists())
        return answer


@pytest.mark.lengthy
def test_a_target_is_sent_bounded_parts_and_keeps_none_of_them(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "PART_BYTES", 4 * 3 * 32 * 32 * 256)
    watched = Watched()
    answers = evaluate.answers(split(deployed.variant, "test"), deployed, Runtime(name="null", version="1"), 1, watched)
    assert watched.shapes == [(256, 3, 32, 32), (256, 3, 32, 32), (88, 3, 32, 32)]
    assert watched.left == [False] * 3
    assert sum(len(rows) for rows in answers.rows(7)) == 600


@pytest.mark.lengthy
def test_an_artifact_is_compared_with_its_parent_where_it_has_one(deployed: Deployed) -> None:
    null = replace(case(), runtime=Runtime(name="null", version="1"))
    images = split(deployed.variant, "test")
    alone, _ = evaluate.evaluate(null, images, deployed, None, Here(), evaluate.FloatAnswers())
    assert (alone.images, alone.parent_correct, alone.agreement, alone.sqnr_db) == (600, None, None, None)
    assert 0 < alone.correct < (alone.correct_top5 or 0) < 600  # it answers 0 for all: a tenth, and half in five
    compared, _ = evaluate.evaluate(null, images, deployed, deployed, Here(), evaluate.FloatAnswers())
    assert (compared.parent_correct, compared.only_parent, compared.only_this) == (alone.correct, 0, 0)
    assert (compared.agreement, compared.sqnr_db) == (1.0, None)
