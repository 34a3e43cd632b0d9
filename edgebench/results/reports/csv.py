"""The whole table as CSV: one column a field of `Row`, empty where there is no figure."""

import csv
from dataclasses import asdict, fields
from io import StringIO

from edgebench.results.table.row import NOTHING, Background, Row, Table

FILE = "comparison.csv"


def render(table: Table, background: Background = NOTHING) -> str:
    """Write a header and a line a row."""
    text = StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in table.rows)
    return text.getvalue()
