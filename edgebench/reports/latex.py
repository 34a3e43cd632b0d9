"""The table people read, as LaTeX for a paper: a table a group, and the notes below."""

from edgebench.reports import NOTHING, Background, Table
from edgebench.reports.comparison import every_sheet
from edgebench.sheet import latex, latex_escape

FILE = "comparison.tex"


def render(table: Table, background: Background = NOTHING) -> str:
    """Write the groups and the notes."""
    notes = [rf"\par\footnotesize {latex_escape(note)}" for note in table.notes]
    return "\n".join([*map(latex, every_sheet(table)), *notes, ""])
