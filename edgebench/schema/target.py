"""A machine to measure on, as its TOML file describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgebench.schema import STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The most that a machine's processor could do, as facts with their source.

    Attributes:
        gflops: 10^9 fp32 operations a second of one core; a multiply-add is two.
        gops_int8: 10^9 8-bit operations a second of one core; None where nobody says.
        gbytes: 10^9 bytes a second between memory and all cores together.
    """

    __pydantic_config__: ClassVar = STRICT

    gflops: float
    gbytes: float
    source: str
    gops_int8: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A machine, as facts only: one TOML under `targets/`, its stem is the name.

    Attributes:
        runtimes: names of those that may be used there.
        device: what they compute on, where they have a choice.
        peak: what its processor could do at most, if anybody says.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    board: str
    connection: str
    runtimes: tuple[str, ...]
    device: Literal["cpu", "cuda"] = "cpu"
    address: str = ""
    python: str = ""
    peak: Peak | None = None

    @property
    def machine(self) -> str:
        """What two targets share that must not be measured at once: the address, or this machine."""
        return self.address or "this machine"
