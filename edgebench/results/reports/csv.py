"""The whole table as CSV with `COLUMNS` as header; a missing figure is an empty cell."""

from collections.abc import Mapping

from edgebench.foundation import escape
from edgebench.results.table.columns import COLUMNS, cells
from edgebench.results.table.row import NOTHING, Background, Table

FILE = "comparison.csv"


def render(table: Table, background: Background = NOTHING) -> str:
    """Write a header and one line per row."""
    return escape.csv_text((COLUMNS, *(map(_cell, cells(row)) for row in table.rows)))


def _cell(value: object) -> object:
    """Write figures by name as `encoder.onnx=1.5; decoder.onnx=0.2`."""
    if not isinstance(value, Mapping):
        return value
    return "; ".join(f"{name}={figure!r}" for name, figure in value.items())
