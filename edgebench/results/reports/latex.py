"""The table people read, as LaTeX for a paper: a table a group, as wide as a page bears, and the notes below.

What a reader does without there stands in the CSV: ranks, half-widths, percentiles, counts.
"""

from dataclasses import replace

from edgebench.foundation.sheet import Sheet, latex, latex_escape
from edgebench.results.reports.comparison import every_sheet
from edgebench.results.table.row import NOTHING, Background, Table

FILE = "comparison.tex"
LEFT_OUT = frozenset({"#", "± %", "p90 ms", "agree %", "SQNR dB", "load ms", "params M", "MACs M", "n"})


def render(table: Table, background: Background = NOTHING) -> str:
    """Write the groups and the notes."""
    notes = [rf"{{\footnotesize {latex_escape(note)}\par}}" for note in table.notes]
    return "\n".join([*map(latex, map(_narrow, every_sheet(table))), *notes, ""])


def _narrow(sheet: Sheet) -> Sheet:
    """Keep the columns that a paper has room for, and in which some row says something."""
    columns = zip(sheet.headings, zip(*sheet.rows, strict=True), strict=True)
    kept = [place for place, (name, cells) in enumerate(columns) if name not in LEFT_OUT and {*cells} != {"-"}]
    return replace(
        sheet,
        headings=tuple(sheet.headings[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in sheet.rows),
    )
