"""Two results folders, or one and the published rows -> what differs, case by case, as sheets."""

from __future__ import annotations

from edgebench.analysis.compare.folders import Contrast, folder_sheets
from edgebench.analysis.compare.published import Citations, citation_sheet
from edgebench.foundation.sheet import Sheet


def sheets(found: Contrast | Citations) -> tuple[Sheet, ...]:
    """Lay out what was compared."""
    return folder_sheets(found) if isinstance(found, Contrast) else (citation_sheet(found),)
