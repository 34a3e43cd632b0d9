"""Two results folders, or one and the published rows -> what differs, case by case, as sheets."""

from __future__ import annotations

from edgebench.analysis.compare.folders import Contrast, folder_fields, folder_sheets
from edgebench.analysis.compare.published import Citations, citation_fields, citation_sheet
from edgebench.foundation.sheet import Sheet, Value, document


def sheets(found: Contrast | Citations) -> tuple[Sheet, ...]:
    """Lay out what was compared."""
    return folder_sheets(found) if isinstance(found, Contrast) else (citation_sheet(found),)


def fields(found: Contrast | Citations) -> dict[str, Value]:
    """Lay out what was compared for JSON."""
    more = folder_fields(found) if isinstance(found, Contrast) else citation_fields(found)
    return document(sheets(found)) | more
