"""What a GPU's driver or a Raspberry Pi's firmware says of its clocks, in bits -> in words, and what they mean.

Bits: nvml.h, `nvmlClocksEventReasons` (called throttle reasons before driver 535); Raspberry Pi documentation,
`vcgencmd get_throttled`, whose bits 16 to 19 are bits 0 to 3 again, once set until the board restarts.
"""

from collections.abc import Mapping
from enum import StrEnum


class Harm(StrEnum):
    """What a lowered clock does to a time that was measured under it."""

    NONE = "none"
    DOUBTFUL = "doubtful"  # as much as this GPU does under this limit
    SPOILT = "spoilt"  # another time than the same GPU gives when it is cool and fed


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
    """Say in words why the clock is below its maximum; bits without a meaning are named as they are."""
    said = [word for bit, word in meanings.items() if bits & bit]
    if unknown := bits & ~sum(meanings):
        said.append(f"unknown {unknown:#x}")
    return _JOIN.join(said) or NOTHING


def harmful(said: str) -> dict[str, Harm]:
    """Return those of the words that speak against a number, and how much."""
    return {word: _HARMS[word] for word in said.split(_JOIN) if word in _HARMS}
