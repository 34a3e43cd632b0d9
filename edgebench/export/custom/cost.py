"""Counting functions for a user-supplied model -> its cost; each figure is exact or a lower bound.

A failed count never refuses a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.foundation.errors import in_words, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    Count = tuple[int, tuple[str, ...]]  # the count, and a short reason for each part that is not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Weights and multiply-adds of one inference; None if not all could be counted, for the reason in `uncounted`.

    Then `least_params` and `least_macs` are lower bounds; None if nothing could be counted.
    """

    params: int | None
    macs: int | None
    uncounted: str
    least_params: int | None = None
    least_macs: int | None = None

    @classmethod
    def of(cls, *, weights: Callable[[], Count], multiply_adds: Callable[[], Count]) -> Cost:
        """Count both independently, so that one can fail alone."""
        params, least_params, why_params = _counted("parameters", weights)
        macs, least_macs, why_macs = _counted("multiply-adds", multiply_adds)
        why = "; ".join(filter(None, (why_params, why_macs)))
        return cls(params=params, macs=macs, uncounted=why, least_params=least_params, least_macs=least_macs)


def _counted(what: str, count: Callable[[], Count]) -> tuple[int | None, int | None, str]:
    """Return the exact count, or else its lower bound and the reason."""
    try:
        number, reasons = count()
    except Exception as error:  # a failed count must not refuse a model that a runtime can open
        return None, None, f"{what} not counted: edgebench cannot follow the graph: {in_words(error)[:100]}"
    if not reasons:
        return number, None, ""
    why = shown(reasons[0]) + (f" and {len(reasons) - 1} more" if len(reasons) > 1 else "")
    if not number:
        return None, None, f"{what} not counted: {why}"
    return None, number, f"{what} >= {number}, not counted: {why}"
