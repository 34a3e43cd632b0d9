"""The number of rows: the smallest possible report."""

from edgebench.results.table.row import NOTHING, Background, Table

FILE = "rows.txt"


def render(table: Table, background: Background = NOTHING) -> str:
    """Return the number of rows."""
    return f"{len(table.rows)}\n"
