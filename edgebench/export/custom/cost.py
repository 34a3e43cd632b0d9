"""What counts a user's own model -> its cost, each figure whole or a lower bound; no count refuses a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.foundation.errors import in_words, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    Count = tuple[int, tuple[str, ...]]  # what could be counted, and in a few words each what could not


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Weights and multiply-adds of one inference, None where not all could be counted; `uncounted` says why.

    Then the lower bounds are what could be counted; None where that is nothing.
    """

    params: int | None
    macs: int | None
    uncounted: str
    least_params: int | None = None
    least_macs: int | None = None

    @classmethod
    def of(cls, *, weights: Callable[[], Count], multiply_adds: Callable[[], Count]) -> Cost:
        """Count both, each on its own."""
        params, least_params, why_params = _counted("parameters", weights)
        macs, least_macs, why_macs = _counted("multiply-adds", multiply_adds)
        why = "; ".join(filter(None, (why_params, why_macs)))
        return cls(params=params, macs=macs, uncounted=why, least_params=least_params, least_macs=least_macs)


def _counted(what: str, count: Callable[[], Count]) -> tuple[int | None, int | None, str]:
    """Return the whole count, else its lower bound, and why it is not whole."""
    try:
        number, reasons = count()
    except Exception as error:  # a count that fails, for whatever reason, refuses no model that a runtime opens
        return None, None, f"{what} not counted: edgebench cannot follow the graph: {in_words(error)[:100]}"
    if not reasons:
        return number, None, ""
    why = shown(reasons[0]) + (f" and {len(reasons) - 1} more" if len(reasons) > 1 else "")
    if not number:
        return None, None, f"{what} not counted: {why}"
    return None, number, f"{what} >= {number}, not counted: {why}"
