"""A figure of merit of a task."""

from dataclasses import dataclass
from typing import ClassVar

from edgebench.schema import STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure of merit of a task, a share: its name, its value and its 95 % interval, None if it has none."""

    __pydantic_config__: ClassVar = STRICT

    name: str
    value: float
    low: float | None = None
    high: float | None = None
