"""Facts from a Raspberry Pi's firmware: its version, the actual clock, and why the clock is lowered.

Other machines have no such facts. Linux's frequency files contain the clock that the kernel requested, not the clock
that the firmware set.
"""

import os
import re
from pathlib import Path

from edgebench.schema import throttle

GET_THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
VCGENCMD = "vcgencmd"
TIMEOUT_S = 2.0


def version() -> str:
    """Return the firmware's build date and hash; an empty text on other machines."""
    build = re.search(r"(?P<date>.*)\n(?:.*\n)*version (?P<hash>[0-9a-f]{7})", _vcgencmd("version"))
    return f"{' '.join(build['date'].split())}, {build['hash']}" if build else ""


def conditions() -> dict[str, str]:
    """Return the actual clock in MHz, and why it is lowered now or was lowered since boot; leave out unknown facts."""
    facts, bits = dict[str, str](), _bits()
    if bits >= 0:
        now, since_boot = bits & (1 << throttle.SINCE_BOOT) - 1, bits >> throttle.SINCE_BOOT
        facts["clock_lowered"] = throttle.words(now, throttle.FIRMWARE)
        facts["clock_lowered_since_boot"] = throttle.words(since_boot, throttle.FIRMWARE)
    clock = re.search(r"=(\d+)", _vcgencmd("measure_clock", "arm"))
    return facts | ({"firmware_clock_mhz": f"{int(clock.group(1)) / 1e6:.0f}"} if clock else {})


def _bits() -> int:
    """Return the firmware's throttling bits; -1 if this machine has no such firmware."""
    try:
        digits = GET_THROTTLED.read_text(encoding="utf-8")
    except OSError:
        digits = _vcgencmd("get_throttled").partition("=")[2]
    return int(digits, 16) if re.fullmatch(r"\s*(0x)?[0-9a-fA-F]+\s*", digits) else -1


def _vcgencmd(*words: str) -> str:
    if not any(os.access(Path(folder) / VCGENCMD, os.X_OK) for folder in os.get_exec_path()):
        return ""  # only a Raspberry Pi needs the module that is imported below
    import subprocess

    try:
        done = subprocess.run(
            [VCGENCMD, *words], capture_output=True, encoding="utf-8", errors="replace", timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
