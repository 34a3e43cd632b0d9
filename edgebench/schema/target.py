"""A machine to measure on, as described in its TOML file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from edgebench.schema import STRICT

if TYPE_CHECKING:
    from collections.abc import Mapping

THIS_MACHINE = "this machine"
SELF_NAMED = ("Raspberry Pi", "NVIDIA")  # makers whose boards always report their name
MEASURED = ("cpu", "cuda")  # the devices on which networks run; for any other device they are only compiled


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
        board: the board's name; over ssh, its words must occur in the name that the board reports.
        connection: name of a plug-in in `deploy/connections`, which says how to reach the machine.
        addresses: the addresses of several boards of one kind, if there is more than one; the board that is free takes
            the next cases.
        number: place of the board in the list of addresses, from 1; 0 if the target is a single machine.
        runtimes: names of the runtimes that can be requested on the machine.
        device: `cpu` or `cuda`, for runtimes that can use either; or the name of a device that is not at hand, for
            which the target's runtimes, which are compilers, only compile.
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
    device: str = "cpu"
    address: str = ""
    addresses: tuple[str, ...] = ()
    python: str = ""
    peak: Peak | None = None
    cpu: str = ""
    number: int = 0

    @property
    def machine(self) -> str:
        """The machine's address, or `this machine`; targets at one address must not be measured at the same time."""
        return self.address or THIS_MACHINE

    @property
    def label(self) -> str:
        """The target's name; for one of several boards of a kind, also its number."""
        return f"{self.name} board {self.number}" if self.number else self.name

    @property
    def compiles_only(self) -> bool:
        """Whether networks are only compiled for the target, because its device is not at hand."""
        return self.device not in MEASURED

    def is_not(self, machine: Mapping[str, str]) -> bool:
        """Whether a machine that was reached over ssh is, by the facts it reports, not the board of this target."""
        if self.connection != "ssh" or "emulator" in machine:
            return False
        if reported := machine.get("board", ""):
            return not set(self.board.split()) <= set(reported.split())
        return self.board.startswith(SELF_NAMED)
