"""The night as JSON: every configuration as stored in the history, and the state of its changes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from edgebench.foundation.escape import json_text

if TYPE_CHECKING:
    from edgebench.nightly.summary import Bulletin

FILE = "night.json"


def render(bulletin: Bulletin) -> str:
    """Return the night as one JSON object."""
    fields = {
        "headline": bulletin.headline,
        "causes": bulletin.causes,
        "changes": {line.entry.name: list(map(asdict, line.episodes)) for line in bulletin.lines if line.episodes},
        "notes": bulletin.notes,
        "night": asdict(bulletin.night),
    }
    return json_text(fields, indent=1) + "\n"
