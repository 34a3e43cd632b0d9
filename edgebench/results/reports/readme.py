"""The table as the page that a repository's web view shows of a results folder, and what the files beside it are."""

from edgebench.results.reports import comparison
from edgebench.results.table.row import NOTHING, Background, Table

FILE = "README.md"
FILES = {
    "comparison.csv": "the whole table: every column, for machines",
    "comparison.md": "this table alone",
    "report.html": "the page: figures, filters, every row's samples",
    "runs.jsonl": "what every process saw; all else is computed from it",
    "sweep.toml": "what was asked for",
}


def render(table: Table, background: Background = NOTHING) -> str:
    """Write the table, and a list of the files with how to make them again."""
    listed = "\n".join(f"- [{name}]({name}): {what}" for name, what in FILES.items())
    again = "`edgebench report` computes them again from `runs.jsonl`; `edgebench run sweep.toml` measures again."
    return f"{comparison.render(table)}\n## Files\n\n{listed}\n\n{again}\n"
