import numpy
import pytest

from edgebench.evaluate import agreement, sqnr_db


def test_agreement_is_the_share_of_equal_top_1_answers() -> None:
    reference = numpy.eye(4, dtype=numpy.float32)
    outputs = reference.copy()
    outputs[0] = [0, 9, 0, 0]
    assert agreement(reference, outputs) == 0.75


def test_sqnr_is_signal_over_noise_in_decibels() -> None:
    reference = numpy.full((5, 2), 10, numpy.float32)
    assert sqnr_db(reference, reference + 1) == pytest.approx(20.0)
    assert sqnr_db(reference, reference + 0.1) == pytest.approx(40.0, abs=1e-4)


def test_equal_outputs_have_no_sqnr() -> None:
    reference = numpy.ones((2, 2), numpy.float32)
    assert sqnr_db(reference, reference) is None
