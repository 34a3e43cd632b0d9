"""The words of a quantization scheme."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.foundation.errors import RequestError, UnknownName
from edgebench.schema.quantization import CALIBRATION, COUNTS, WORDS, Quantization, parse

TYPES = [("uint8", "int8"), ("int8", "int8"), ("uint8", "uint8")]
schemes = st.builds(
    lambda types, **how: Quantization(activations=types[0], weights=types[1], **how),
    st.sampled_from(TYPES),
    granularity=st.sampled_from(["per_channel", "per_tensor"]),
    range_method=st.sampled_from(["min-max", "percentile", "entropy", "mse"]),
    images=st.integers(1, 5000),
    seed=st.integers(0, 9),
    calibration=st.sampled_from(["", "digits", "image_folder:val"]),
    **{
        name: st.booleans()
        for name in ("symmetric", "reduce_range", "equalized", "bias_corrected", "aware", "float_outputs")
    },
)


@pytest.mark.lengthy
@given(schemes)
def test_a_scheme_is_read_back_from_the_words_that_it_is_shown_by(scheme: Quantization) -> None:
    assert parse(str(scheme)) == scheme


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("per_channel", "per_channel"),
        ("u8s8", "per_channel"),
        ("equalized+per_tensor", "per_tensor+equalized"),
        ("s8s8 + images=500", "per_channel+s8s8+images=500"),
        ("qat", "per_channel+qat"),
    ],
)
def test_what_goes_without_saying_is_not_said(said: str, shown: str) -> None:
    assert str(parse(said)) == shown


@pytest.mark.parametrize("word", WORDS)
def test_every_word_changes_a_field_that_there_is(word: str) -> None:
    known = {field.name for field in fields(Quantization)}
    assert set(WORDS[word]) <= known and {*COUNTS, CALIBRATION} <= known
    assert all(getattr(parse(word), name) == value for name, value in WORDS[word].items())


@pytest.mark.parametrize(
    "words",
    [
        "per_channel+per_tensor",
        "s8s8+u8u8",
        "mse+percentile",
        "images=5+images=6",
        "calibration=digits+calibration=photos",
    ],
)
def test_words_that_contradict_each_other_are_refused(words: str) -> None:
    with pytest.raises(RequestError, match="contradicts itself"):
        parse(words)


@pytest.mark.parametrize(
    "words",
    [
        "per_chanel",
        "",
        "per_tensor+",
        "images",
        "qat=1",
        "images=-1",
        "images=x",
        "images=0",
        "seed=" + "9" * 5000,
        "calibration",
        "calibration=",
    ],
)
def test_a_word_that_is_none_is_refused(words: str) -> None:
    with pytest.raises((UnknownName, RequestError), match="quantization|int8 scheme"):
        parse(words)
