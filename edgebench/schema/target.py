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
        gflops: fp32 operations per second and core, in units of 10^9; a multiply-add is two operations.
        gops_int8: 8-bit operations per second and core, in units of 10^9; None if unknown.
        gbytes: memory bandwidth that all cores share, in units of 10^9 bytes per second.
        source: where these figures come from.
    """

    __pydantic_config__: ClassVar = STRICT

    gflops: float
    gbytes: float
    source: str
    gops_int8: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A machine to measure on, described by a TOML file in `targets/`; its name is the file's name without suffix.

    Attributes:
        connection: name of a plug-in in `deploy/connections`, which says how to reach the machine.
        runtimes: names of the runtimes that can be requested on the machine.
        device: `cpu` or `cuda`: the processor for runtimes that can use either.
        python: the Python interpreter to use on the machine; empty for the connection's default.
        peak: the processor's peak performance; None if unknown.
        cpu: qemu's name of the processor, such as `cortex-a72`; empty if unknown. Runtimes are tried on this processor
            in an emulator before they are copied to the machine.
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
    cpu: str = ""

    @property
    def machine(self) -> str:
        """The machine's address, or `this machine`; targets at one address must not be measured at the same time."""
        return self.address or THIS_MACHINE
