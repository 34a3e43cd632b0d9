"""Answers of classes against labels: top-1, top-5, agreement, and what cannot be told."""

from dataclasses import replace

import pytest

from edgebench.schema.record import Accuracy
from edgebench.tasks.classification import appraise
from tests.conftest import case

FLOAT = Accuracy(case=case(), session="s1", epoch="e1", artifact_sha256="f1", dataset="digits", images=600, correct=567)
INT8 = replace(
    FLOAT,
    correct=566,
    correct_top5=600,
    parent_sha256="p1",
    agreement=0.985,
    sqnr_db=28.2,
    parent_correct=567,
    only_parent=4,
    only_this=3,
)


def test_a_float_file_has_an_accuracy_and_nothing_to_compare_with() -> None:
    found = appraise(FLOAT)
    assert found.top1 is not None
    assert (found.top1.value, found.top5, found.agreement, found.change) == (0.945, None, None, None)
    assert found.top1.interval == pytest.approx((0.924, 0.961), abs=1e-3)


def test_an_int8_file_is_compared_with_its_parent_image_by_image() -> None:
    found = appraise(INT8)
    assert found.top5 is not None and found.agreement is not None and found.change is not None
    assert (found.top5.count, found.agreement.count, found.change.parent.count) == (600, 591, 567)
    assert found.change.top1 == pytest.approx(-1 / 600)
    assert (found.change.p, found.change.is_significant) == (1.0, False)
    assert found.change.images_needed is not None and found.change.images_needed > 30_000


def test_a_difference_that_the_images_show_is_significant() -> None:
    change = appraise(replace(INT8, correct=520, only_parent=50, only_this=3)).change
    assert change is not None and change.is_significant
    assert change.images_needed is not None and change.images_needed < 600


def test_an_evaluation_of_before_the_answers_were_paired_still_has_its_agreement() -> None:
    found = appraise(replace(INT8, parent_correct=None, only_parent=None, only_this=None))
    assert found.change is None and found.agreement is not None
