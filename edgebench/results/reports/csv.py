"""The whole table as CSV with `COLUMNS` as header; a missing figure is an empty cell."""

import csv
from io import StringIO

from edgebench.results.table.columns import COLUMNS, cells
from edgebench.results.table.row import NOTHING, Background, Table

FILE = "comparison.csv"


def render(table: Table, background: Background = NOTHING) -> str:
    """Write a header and one line per row."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows((COLUMNS, *map(cells, table.rows)))
    return text.getvalue()
