"""What counts a user's own model -> its cost, each figure whole or none; a count that fails refuses no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.export.formats.onnx.count import Uncounted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Weights and multiply-adds of one image, None where not all could be counted; `uncounted` says why."""

    params: int | None
    macs: int | None
    uncounted: str

    @classmethod
    def of(cls, *, weights: Callable[[], int], multiply_adds: Callable[[], Iterable[int]]) -> Cost:
        """Count both, each on its own."""
        params, why_params = _counted("parameters", weights)
        macs, why_macs = _counted("multiply-adds", lambda: sum(multiply_adds()))
        return cls(params=params, macs=macs, uncounted="; ".join(filter(None, (why_params, why_macs))))


def _counted(what: str, count: Callable[[], int]) -> tuple[int | None, str]:
    try:
        return count(), ""
    except Uncounted as error:
        return None, f"{what} not counted: {error}"
    except Exception:  # whatever a library makes of a graph that it runs and cannot follow
        return None, f"{what} not counted: the graph cannot be followed"
