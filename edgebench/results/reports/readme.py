"""The README.md that a repository's web view shows for a results folder: the table and a list of the files."""

from edgebench.results.reports import comparison
from edgebench.results.table.row import NOTHING, Background, Table

FILE = "README.md"
FILES = {
    "comparison.csv": "the whole table with all columns, for programs",
    "comparison.md": "this table without the list of files",
    "report.html": "interactive page with figures, filters and the samples of every row",
    "runs.jsonl": "raw measurements of every process, from which all reports are computed",
    "sweep.toml": "the requested sweep",
}


def render(table: Table, background: Background = NOTHING) -> str:
    """Write the table, the list of files, and the commands that write the reports again or measure again."""
    listed = "\n".join(f"- [{name}]({name}): {what}" for name, what in FILES.items())
    again = "`edgebench report` recomputes the reports from `runs.jsonl`; `edgebench run sweep.toml` measures again."
    return f"{comparison.render(table)}\n## Files\n\n{listed}\n\n{again}\n"
