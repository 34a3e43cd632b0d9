"""Throttling bits of a GPU's driver or a Raspberry Pi's firmware -> why the clock is lowered, and the effect on times.

A GPU's bits are defined in nvml.h as `nvmlClocksEventReasons`, which were called throttle reasons before driver 535. A
Raspberry Pi's bits are described in its documentation of `vcgencmd get_throttled`: bits 16 to 19 repeat bits 0 to 3 and
keep the value 1 until the board restarts.
"""

from collections.abc import Mapping
from enum import StrEnum


class Harm(StrEnum):
    """The effect of a lowered clock on a measured time."""

    NONE = "none"
    DOUBTFUL = "doubtful"  # the measured time is valid only for this GPU with this power limit
    SPOILT = "spoilt"  # with enough cooling and power, the same GPU would be faster


GPU = {
    0x1: "idle",
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal slowdown by software",
    0x40: "thermal slowdown by hardware",
    0x80: "power brake",
    0x100: "display clocks",
}
UNDER_VOLTAGE = "under-voltage"
FIRMWARE = {0x1: UNDER_VOLTAGE, 0x2: "clock capped", 0x4: "throttled", 0x8: "soft temperature limit"}
SINCE_BOOT = 16
_HARMS = {
    "power cap": Harm.DOUBTFUL,
    "hardware slowdown": Harm.SPOILT,
    "thermal slowdown by software": Harm.SPOILT,
    "thermal slowdown by hardware": Harm.SPOILT,
    "power brake": Harm.SPOILT,
}
_JOIN = ", "
NOTHING = "nothing"


def words(bits: int, meanings: Mapping[int, str]) -> str:
    """Return the reasons for a lowered clock, joined by commas; bits of unknown meaning become a hexadecimal number."""
    reasons = [reason for bit, reason in meanings.items() if bits & bit]
    if unknown := bits & ~sum(meanings):
        reasons.append(f"unknown {unknown:#x}")
    return _JOIN.join(reasons) or NOTHING


def harmful(reasons: str) -> dict[str, Harm]:
    """Return the reasons that affect a measured time, each with its effect, from a text that `words` made."""
    return {reason: _HARMS[reason] for reason in reasons.split(_JOIN) if reason in _HARMS}
