"""The night as GitHub workflow commands, which GitHub shows as annotations of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.foundation.escape import command_property, command_text
from edgebench.nightly.night import Outcome
from edgebench.nightly.rule.figures import described

if TYPE_CHECKING:
    from edgebench.nightly.summary import Bulletin, SummaryLine

FILE = "annotations.txt"
MOST = 10  # GitHub shows at most ten annotations of each kind per step and drops the others
KINDS = ("error", "warning", "notice")
KINDS_OF = {
    Outcome.INVALID: "warning",
    Outcome.MISSING: "warning",
    Outcome.HOST_CHANGE: "warning",
    Outcome.IMPROVEMENT: "notice",
}


def render(bulletin: Bulletin) -> str:
    """Return one command per changed or failed configuration.

    A regression is an error until a user reacts to it, or of the severity that the limits in `nightly.toml` give it.
    """
    lines: dict[str, list[SummaryLine]] = {kind: [] for kind in KINDS}
    for line in (*bulletin.of(*Outcome), *bulletin.known):
        if kind := _kind(line):
            lines[kind].append(line)
    return "".join(_command(kind, line) for kind in KINDS for line in lines[kind][:MOST])


def _kind(line: SummaryLine) -> str:
    """Return the kind of annotation of a line; an empty text if the line needs none."""
    if line.is_waiting:
        return "error"
    if line.is_warning:
        return "warning"
    if line.is_known or line.entry.verdict == Outcome.REGRESSION:
        return "notice"
    return KINDS_OF.get(line.entry.verdict, "")


def _command(kind: str, line: SummaryLine) -> str:
    entry = line.entry
    changes = [*map(described, line.findings)]
    text = "; ".join((*changes, *filter(None, [line.states]), *line.causes, *filter(None, [entry.why])))
    return f"::{kind} title={command_property(f'{entry.verdict} {entry.name}')}::{command_text(text)}\n"
