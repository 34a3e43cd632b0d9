"""What a compiler reports about a network on a device that is not at hand: where operators run, and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NEEDED = ("configuration", "operators", "npu_operators", "macs", "npu_macs")  # facts that every compiler reports
_COUNTS = ("operators", "npu_operators", "macs", "npu_macs")
_BYTES = ("sram_bytes", "flash_bytes", "dram_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """A compiler's report about one file.

    Attributes:
        configuration: the device's configuration and the compiler's settings.
        operators, npu_operators: number of operators in the file, and how many of them run on the device.
        macs, npu_macs: multiply-adds of one inference, and how many of them run on the device.
        host_operator_names: the types of the operators that the host's processor runs, separated by commas.
        sram_bytes, flash_bytes, dram_bytes: memory that the compiled file uses; None if the compiler does not say.
    """

    configuration: str
    operators: int
    npu_operators: int
    macs: int
    npu_macs: int
    host_operator_names: str = ""
    sram_bytes: int | None = None
    flash_bytes: int | None = None
    dram_bytes: int | None = None


def fault(facts: Mapping[str, str]) -> str:
    """Return why the facts of a compiler are incomplete or impossible; an empty text if they are possible."""
    if missing := [name for name in NEEDED if not facts.get(name)]:
        return f"the compiler reports no {missing[0]}"
    for name in (*_COUNTS, *_BYTES):
        if name in facts and not (facts[name].isascii() and facts[name].isdecimal() and len(facts[name]) <= 18):
            return f"{name}: wanted a whole number, found {facts[name][:40]!r}"
    for part, whole in (("npu_operators", "operators"), ("npu_macs", "macs")):
        if int(facts[part]) > int(facts[whole]):
            return f"{part} is {facts[part]}, wanted at most {whole}, {facts[whole]}"
    return ""


def read(facts: Mapping[str, str]) -> Compilation:
    """Return the report in facts that have no fault."""
    numbers = {name: int(facts[name]) for name in (*_COUNTS, *_BYTES) if name in facts}
    names = facts.get("host_operator_names", "")
    return Compilation(configuration=facts["configuration"], host_operator_names=names, **numbers)
