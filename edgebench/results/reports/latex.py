"""The table people read, as LaTeX for a paper: a table a group, as wide as a page bears, and the notes below.

What a reader does without there stands in the CSV: ranks, half-widths, percentiles, counts.
"""

from dataclasses import replace

from edgebench.foundation.sheet import Sheet, latex, latex_escape
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
    """Write the groups and the notes."""
    notes = [rf"{{\footnotesize {latex_escape(note)}\par}}" for note in table.notes]
    return "\n".join([*map(latex, map(_narrow, comparison.every_sheet(table))), *notes, ""])


def _narrow(sheet: Sheet) -> Sheet:
    """Keep the columns that a paper has room for, and in which some row says something."""
    kept = (column for column in sheet.columns if column.heading not in LEFT_OUT and {*column.cells} != {"-"})
    return replace(sheet, columns=tuple(kept))
