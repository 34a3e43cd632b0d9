"""A Raspberry Pi's firmware -> its version, its true clock, and in words why it is lowered; nothing on other machines.

Linux's own frequency files hold what was asked of the firmware, not what it gave.
"""

import os
import re
from pathlib import Path

from edgebench.agent import throttle

GET_THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
VCGENCMD = "vcgencmd"
TIMEOUT_S = 2.0


def version() -> str:
    """Return its build date and hash, empty on other machines."""
    said = re.search(r"(?P<date>.*)\n(?:.*\n)*version (?P<hash>[0-9a-f]{7})", _vcgencmd("version"))
    return f"{' '.join(said['date'].split())}, {said['hash']}" if said else ""


def conditions() -> dict[str, str]:
    """Return why the clock is lowered now, and was since the board started, and the clock; what can be known of it."""
    found, bits = dict[str, str](), _bits()
    if bits >= 0:
        now, since_boot = bits & (1 << throttle.SINCE_BOOT) - 1, bits >> throttle.SINCE_BOOT
        found["clock_lowered"] = throttle.words(now, throttle.FIRMWARE)
        found["clock_lowered_since_boot"] = throttle.words(since_boot, throttle.FIRMWARE)
    clock = re.search(r"=(\d+)", _vcgencmd("measure_clock", "arm"))
    return found | ({"firmware_clock_mhz": f"{int(clock.group(1)) / 1e6:.0f}"} if clock else {})


def _bits() -> int:
    """Return the firmware's bits, -1 where there is no such firmware."""
    try:
        said = GET_THROTTLED.read_text()
    except OSError:
        said = _vcgencmd("get_throttled").partition("=")[2]
    return int(said, 16) if re.fullmatch(r"\s*(0x)?[0-9a-fA-F]+\s*", said) else -1


def _vcgencmd(*words: str) -> str:
    if not any(os.access(Path(folder) / VCGENCMD, os.X_OK) for folder in os.get_exec_path()):
        return ""  # every process of every other machine: what it need not import, it does not
    import subprocess

    try:
        done = subprocess.run([VCGENCMD, *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
