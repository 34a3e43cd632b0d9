"""The whole table as CSV with `COLUMNS` as header; a missing value is an empty cell."""

from collections.abc import Mapping

from edgebench.foundation import escape
from edgebench.results.table.columns import COLUMNS, cells
from edgebench.results.table.row import NOTHING, Background, Table

FILE = "comparison.csv"


def render(table: Table, background: Background = NOTHING) -> str:
    """Write a header and one line per row."""
    rows = ([_by_name(value) if isinstance(value, dict) else value for value in cells(row)] for row in table.rows)
    return escape.csv_text((COLUMNS, *rows))


def _by_name(value: Mapping[str, object]) -> str:
    """Write named values as `encoder.onnx=1.5; decoder.onnx=0.2`."""
    return "; ".join(f"{name}={figure!r}" for name, figure in value.items())
