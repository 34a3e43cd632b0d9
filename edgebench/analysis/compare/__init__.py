"""Two results folders, or one folder and published rows -> tables of ratios and differences, one row per case."""

from __future__ import annotations

from edgebench.analysis.compare.folders import Contrast, folder_fields, folder_sheets
from edgebench.analysis.compare.published import Citations, citation_fields, citation_sheet
from edgebench.foundation.sheet import Sheet, Value, document


def sheets(comparison: Contrast | Citations) -> tuple[Sheet, ...]:
    """Lay out the comparison as tables."""
    return folder_sheets(comparison) if isinstance(comparison, Contrast) else (citation_sheet(comparison),)


def fields(comparison: Contrast | Citations) -> dict[str, Value]:
    """Lay out the comparison for JSON."""
    more = folder_fields(comparison) if isinstance(comparison, Contrast) else citation_fields(comparison)
    return document(sheets(comparison)) | more
