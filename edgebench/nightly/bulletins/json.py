"""The night as JSON: every configuration as stored in the history, and the state of its changes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

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


def document(bulletin: Bulletin) -> dict[str, Any]:
    """Return the night as the commands print it, in lists instead of objects whose keys are names."""
    night = asdict(bulletin.night)
    del night["entries"], night["version"]
    night["hosts"] = [
        {"target": target} | {name: int(fact) if fact.isdecimal() else fact for name, fact in facts.items()}
        for target, facts in night["hosts"].items()
    ]
    configurations = [asdict(line.entry) | {"changes": [*map(asdict, line.episodes)]} for line in bulletin.lines]
    return {
        "headline": bulletin.headline,
        "causes": bulletin.causes,
        "notes": bulletin.notes,
        "nights": bulletin.nights,
        "night": night,
        "configurations": configurations,
    }
