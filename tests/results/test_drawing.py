"""Axes, marks and documents: every drawing is well-formed, whatever words and figures go in."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.foundation.errors import UnknownName
from edgebench.foundation.escape import plain
from edgebench.results import drawing
from edgebench.results.drawing import Axis, Panel, linear_axis, log_axis

POSITIVE = st.floats(min_value=1e-4, max_value=1e5)


@pytest.mark.lengthy
@given(st.lists(POSITIVE, min_size=1, max_size=9))
def test_a_logarithmic_axis_has_room_for_its_figures_and_ticks_within_it(values: list[float]) -> None:
    axis = log_axis(values, 40, 500)
    assert all(40 < axis.place(value) < 500 for value in values)
    assert axis.ticks() == sorted(axis.ticks())
    assert 1 <= len(axis.ticks()) <= 13
    assert all(40 <= axis.place(tick) <= 500.001 for tick in axis.ticks())


@pytest.mark.lengthy
@given(st.lists(st.integers(0, 1000).map(lambda tenths: tenths / 10), min_size=1, max_size=9))
def test_a_linear_axis_goes_up_the_page(values: list[float]) -> None:
    axis = linear_axis(values, 350, 40)
    assert all(40 < axis.place(value) < 350 for value in values)
    assert axis.place(max(values)) <= axis.place(min(values))
    assert all(39.999 <= axis.place(tick) <= 350.001 for tick in axis.ticks())


def test_equal_steps_of_a_logarithmic_axis_are_equal_ratios() -> None:
    axis = Axis(low=1, high=100, start=0, end=200, is_log=True)
    assert [axis.place(value) for value in (1, 10, 100)] == pytest.approx([0, 100, 200])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.9, 2.2, [1, 2]),
        (1, 9, [1, 2, 3, 4, 6, 8]),
        (1, 100, [1, 2, 5, 10, 20, 50, 100]),
        (1.1, 1.9, [1.2, 1.4, 1.6, 1.8]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert Axis(low=low, high=high, start=0, end=1, is_log=True).ticks() == ticks


@pytest.mark.lengthy
@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_whatever_words_say_the_document_is_well_formed_and_says_it(words: str) -> None:
    body = drawing.label(words, 1, 2)
    panel = Panel(title=words, subtitle=words, width=100, height=10, body=body, notes=(words,))
    root = ElementTree.fromstring(drawing.document(words, [panel]))
    assert root.findtext(".//{*}g/{*}g/{*}text", "") == plain(words)


def test_a_document_without_panels_is_one() -> None:
    assert ElementTree.fromstring(drawing.document("empty", [])).tag.endswith("svg")


def test_every_series_has_a_colour_in_both_modes_and_a_shape_of_its_own() -> None:
    assert all(name in drawing.LIGHT and name in drawing.DARK for name in drawing.SERIES)
    shapes = {drawing.symbol(name, 0, 0) for name in drawing.SERIES}
    assert len(shapes) == len(drawing.SERIES)


def test_an_unknown_form_of_a_picture_is_refused() -> None:
    with pytest.raises(UnknownName, match="no format 'gif'"):
        drawing.check("gif")


@pytest.mark.lengthy
@pytest.mark.parametrize(("format", "begin"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_drawing_becomes_each_form_of_a_picture(format: str, begin: bytes) -> None:
    if format != "svg":
        pytest.importorskip("vl_convert", reason="needs edgebench[figures]")
    assert drawing.convert(drawing.document("t", []), format).startswith(begin)
