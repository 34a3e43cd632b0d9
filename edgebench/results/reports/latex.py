"""The comparison as LaTeX for a paper: one table per group, narrow enough for a page, with the notes below.

Ranks, half-widths, percentiles and counts are left out; the CSV file has them.
"""

from dataclasses import replace

from edgebench.foundation import escape
from edgebench.foundation.sheet import Sheet, latex
from edgebench.results.reports import comparison
from edgebench.results.table.row import NOTHING, Background, Table

FILE = "comparison.tex"
LEFT_OUT = frozenset(
    column.heading
    for column in (
        comparison.RANK, comparison.HALF_WIDTH, comparison.P90, comparison.AGREEMENT, comparison.SQNR, comparison.LOAD,
        comparison.PARAMS, comparison.MACS, comparison.PROCESSES,
    )
)  # fmt: skip


def render(table: Table, background: Background = NOTHING) -> str:
    """Write a LaTeX table for each group, and the notes."""
    notes = [rf"{{\footnotesize {escape.latex(note)}\par}}" for note in table.notes]
    return "\n".join([*map(latex, map(_narrow, comparison.every_sheet(table))), *notes, ""])


def _narrow(sheet: Sheet) -> Sheet:
    """Return the table without the columns in `LEFT_OUT` and without empty columns."""
    kept = (column for column in sheet.columns if column.heading not in LEFT_OUT and {*column.cells} != {"-"})
    return replace(sheet, columns=tuple(kept))
