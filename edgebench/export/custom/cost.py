"""The cost of one inference of a user-supplied model: its weights and multiply-adds, as far as they can be counted.

Each figure is exact or a lower bound. A model whose cost cannot be counted is accepted, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.foundation.errors import in_words, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    Count = tuple[int, tuple[str, ...]]  # the count, and a short reason for each part of the model that is not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The weights and the multiply-adds of one inference.

    If a part cannot be counted, `params` or `macs` is None, and `uncounted` says why. If `params` is None,
    `least_params` is a lower bound, or None if nothing could be counted. The same holds for `macs` and `least_macs`.
    """

    params: int | None
    macs: int | None
    uncounted: str
    least_params: int | None = None
    least_macs: int | None = None

    @classmethod
    def of(cls, *, weights: Callable[[], Count], multiply_adds: Callable[[], Count]) -> Cost:
        """Count weights and multiply-adds independently, so that a failure of one count does not affect the other."""
        params, least_params, why_params = _counted("parameters", weights)
        macs, least_macs, why_macs = _counted("multiply-adds", multiply_adds)
        why = "; ".join(filter(None, (why_params, why_macs)))
        return cls(params=params, macs=macs, uncounted=why, least_params=least_params, least_macs=least_macs)


def _counted(what: str, count: Callable[[], Count]) -> tuple[int | None, int | None, str]:
    """Count weights or multiply-adds; return three values: the exact count, a lower bound, and a reason.

    If everything was counted, the lower bound is None and the reason is empty. Otherwise, the exact count is None, and
    the reason says what was not counted; the lower bound is None, too, if nothing was counted.
    """
    try:
        number, reasons = count()
    except Exception as error:  # edgebench must not refuse a model because it cannot count its cost
        return None, None, f"{what} not counted: edgebench cannot follow the graph: {in_words(error)[:100]}"
    if not reasons:
        return number, None, ""
    why = shown(reasons[0]) + (f" and {len(reasons) - 1} more" if len(reasons) > 1 else "")
    if not number:
        return None, None, f"{what} not counted: {why}"
    return None, number, f"{what} >= {number}, not counted: {why}"
