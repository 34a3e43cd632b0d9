"""The whole table as CSV with `COLUMNS` as header; a missing figure is an empty cell."""

from edgebench.foundation import escape
from edgebench.results.table.columns import COLUMNS, cells
from edgebench.results.table.row import NOTHING, Background, Table

FILE = "comparison.csv"


def render(table: Table, background: Background = NOTHING) -> str:
    """Write a header and one line per row."""
    return escape.csv_text((COLUMNS, *map(cells, table.rows)))
