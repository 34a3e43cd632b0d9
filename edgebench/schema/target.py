"""A machine to measure on, as described in its TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgebench.schema import STRICT

THIS_MACHINE = "this machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Peak performance of a machine's processor, with its source.

    Attributes:
        gflops: 10^9 fp32 operations per second and core; a multiply-add is two operations.
        gops_int8: 10^9 8-bit operations per second and core; None if unknown.
        gbytes: 10^9 bytes per second between memory and all cores together.
    """

    __pydantic_config__: ClassVar = STRICT

    gflops: float
    gbytes: float
    source: str
    gops_int8: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A machine to measure on: one TOML file in `targets/`, named by the file's stem.

    Attributes:
        connection: a plug-in of `deploy/connections`.
        runtimes: names of the runtimes that may be used there.
        device: where runtimes compute if they have a choice.
        python: the Python interpreter to use there; empty for the connection's default.
        peak: None if unknown.
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
        """The machine's address, or `this machine`; targets on the same machine must not be measured at once."""
        return self.address or THIS_MACHINE
