"""The night as JSON: every configuration with its figures, findings and evidence, as stored in the history."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from edgebench.foundation.escape import json_text

if TYPE_CHECKING:
    from edgebench.nightly.summary import Bulletin

FILE = "night.json"


def render(bulletin: Bulletin) -> str:
    """Write one JSON object."""
    fields = {"headline": bulletin.headline, "notes": bulletin.notes, "night": asdict(bulletin.night)}
    return json_text(fields, indent=1) + "\n"
