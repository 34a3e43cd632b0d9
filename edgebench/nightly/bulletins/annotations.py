"""The night as GitHub workflow commands, which GitHub shows as annotations of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.escape import command_property, command_text
from edgebench.nightly.night import Outcome
from edgebench.nightly.rule.figures import size, values

if TYPE_CHECKING:
    from edgebench.nightly.summary import Bulletin, SummaryLine

FILE = "annotations.txt"
MOST = 10  # GitHub shows at most ten annotations of each kind per step and drops the others
KINDS = {
    "error": (Outcome.REGRESSION,),
    "warning": (Outcome.INVALID, Outcome.MISSING, Outcome.HOST_CHANGE),
    "notice": (Outcome.IMPROVEMENT,),
}


def render(bulletin: Bulletin) -> str:
    """Return one command per changed or failed configuration; a regression is an error until a user reacts to it."""
    waiting = [line for line in bulletin.known if line.is_waiting]
    lines = {kind: bulletin.of(*verdicts) for kind, verdicts in KINDS.items()}
    lines["error"] += waiting
    lines["notice"] += [line for line in bulletin.known if not line.is_waiting]
    return "".join(_command(kind, line) for kind in KINDS for line in lines[kind][:MOST])


def _command(kind: str, line: SummaryLine) -> str:
    entry = line.entry
    changes = [f"{change.figure} {size(change)} ({values(change)})" for change in line.findings]
    text = "; ".join((*changes, *filter(None, [line.states]), *line.causes, *filter(None, [entry.why])))
    return f"::{kind} title={command_property(f'{entry.verdict} {entry.name}')}::{command_text(text)}\n"
