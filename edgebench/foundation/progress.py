"""How far long work has come: what is told, not how it is shown."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing done of `total`: `train mobilenet_v2-0.5@96/fp32, 3 of 8 epochs`.

    Attributes:
        left_s: seconds left as far as is known, None where it is not.
    """

    activity: str
    subject: str
    done: int = 0
    total: int = 0
    left_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person should know that stops nothing."""

    text: str


Show = Callable[[Step | Notice], None]
