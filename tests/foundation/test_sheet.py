"""Columns and items become a sheet; a narrow terminal leaves out columns by rank."""

from itertools import pairwise

import pytest

from edgebench.cli import layout, terminal
from edgebench.foundation.errors import UnknownName, require
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, FormattedColumn, Sheet, as_csv, latex, markdown

COLUMNS = (
    Column[int].text("name", lambda item: f"net-{item}", IDENTITY),
    Column[int].figure("far ms", lambda item: item / 2, rank=4),
    Column[int].figure("p50 ms", lambda item: item, rank=OBJECTIVE),
    Column[int].number("near ms", lambda item: f"{item / 4}", rank=3),
    Column[int].number("right ms", lambda item: f"{item / 8}", rank=4),
)
SHEET = Sheet.of("t", COLUMNS, (item for item in (1, 20)))


def headings(width: int) -> list[str]:
    left_out = layout.lay_out(SHEET.columns, width).left_out
    return [column.heading for column in SHEET.columns if column.heading not in left_out]


def test_a_sheet_has_a_row_for_each_item_and_a_cell_for_each_column() -> None:
    assert SHEET.headings == ("name", "far ms", "p50 ms", "near ms", "right ms")
    assert SHEET.rows == (("net-1", "0.5", "1", "0.25", "0.125"), ("net-20", "10.0", "20", "5.0", "2.5"))
    assert Sheet.of("t", COLUMNS, ()).rows == ()


def test_words_stand_to_the_left_and_numbers_to_the_right() -> None:
    sheet = Sheet.of("t", COLUMNS[:2], (1, 20))
    assert markdown(sheet).splitlines()[2:] == [
        "| name   | far ms |", "| ------ | -----: |", "| net-1  |    0.5 |", "| net-20 |   10.0 |",
    ]  # fmt: skip
    assert r"\begin{tabular}{lr}" in latex(sheet)
    assert as_csv(sheet) == "name,far_ms\nnet-1,0.5\nnet-20,10.0\n"


def test_a_narrow_terminal_leaves_out_the_highest_rank_first_and_of_equal_ranks_the_rightmost() -> None:
    shown = list(dict.fromkeys(tuple(headings(width)) for width in range(100, 13, -1)))
    left_out = [tuple(heading for heading in wide if heading not in narrow) for wide, narrow in pairwise(shown)]
    assert left_out == [("right ms",), ("far ms",), ("near ms",)]


@pytest.mark.parametrize("width", [1, 5])
def test_what_a_row_is_and_what_the_sheet_is_about_are_never_left_out(width: int) -> None:
    assert {"name", "p50 ms"} <= {*headings(width)}


def test_an_empty_name_is_refused_unless_it_may_be_empty() -> None:
    require("target", "", ["cpu"], may_be_empty=True)
    require("target", "cpu", ["cpu"])
    for name, may_be_empty in (("", False), ("cpuu", True)):
        with pytest.raises(UnknownName, match=r"no target .* \(has cpu\)"):
            require("target", name, ["cpu"], may_be_empty=may_be_empty)


def test_an_int8_scheme_that_all_rows_share_is_said_once_where_room_is_scarce() -> None:
    def fitting(*cells: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        column = FormattedColumn(heading="precision", cells=cells, align="left", rank=0)
        (shown,), remarks = terminal._brief([column])
        return shown.cells, tuple(remarks)

    assert fitting("fp32", "int8 per_channel") == (("fp32", "int8"), ("int8: int8 per_channel",))
    assert fitting("int8 s8s8", "int8 per_channel") == (("int8 s8s8", "int8 per_channel"), ())
