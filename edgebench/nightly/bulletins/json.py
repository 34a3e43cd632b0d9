"""The night as JSON: every configuration with its figures, findings and evidence, as stored in the history."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgebench.nightly.summary import Bulletin

FILE = "night.json"


def render(bulletin: Bulletin) -> str:
    """Write one JSON object."""
    fields = {"headline": bulletin.headline, "notes": bulletin.notes, "night": asdict(bulletin.night)}
    return json.dumps(fields, ensure_ascii=False, indent=1) + "\n"
