"""The night as GitHub workflow commands, which GitHub shows as annotations of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.escape import command_property, command_text
from edgebench.nightly.night import Outcome

if TYPE_CHECKING:
    from edgebench.nightly.summary import Bulletin, SummaryLine

FILE = "annotations.txt"
MOST = 10  # annotations per kind and step; GitHub drops further ones
KINDS = {
    "error": (Outcome.REGRESSION,),
    "warning": (Outcome.INVALID, Outcome.MISSING, Outcome.HOST_CHANGE),
    "notice": (Outcome.IMPROVEMENT,),
}


def render(bulletin: Bulletin) -> str:
    """Write one command per configuration that changed or failed."""
    return "".join(_command(kind, line) for kind, verdicts in KINDS.items() for line in bulletin.of(*verdicts)[:MOST])


def _command(kind: str, line: SummaryLine) -> str:
    entry = line.entry
    changes = [f"{change.figure} {change.change:+.1%}" for change in line.findings]
    text = "; ".join((*changes, *entry.changed, *([entry.why] if entry.why else [])))
    return f"::{kind} title={command_property(f'{entry.verdict} {entry.name}')}::{command_text(text)}\n"
