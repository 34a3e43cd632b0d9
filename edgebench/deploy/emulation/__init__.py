"""This host's qemu-user and arm64's Debian packages -> a command that starts Python on a Raspberry Pi 4's processor.

Nothing is emulated but the processor: the kernel, its files and the memory are this machine's. So outputs and
instructions are the board's, times and memory are not.
"""

import shutil
import subprocess
from dataclasses import dataclass

from edgebench.deploy.emulation import plugin, root
from edgebench.foundation.errors import RequestError

QEMU, PROCESSOR = "qemu-aarch64", "cortex-a72"
# Each command that is needed, and the package that it comes in.
NEEDED = {QEMU: "qemu-user", "gcc": "gcc", "apt-get": "apt", "dpkg-deb": "dpkg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """Words that start Python on the emulated processor; `counts` tells whether its instructions are counted."""

    command: tuple[str, ...]
    counts: bool


def missing() -> tuple[str, ...]:
    """Name the packages that this host lacks."""
    return tuple(package for command, package in NEEDED.items() if not shutil.which(command))


def emulation() -> Emulation:
    """Return the emulated Pi, made on first use: its root file system, and the plugin that counts instructions.

    Raises:
        RequestError: this host lacks a package, or has no way to those of arm64.
    """
    if lacking := missing():
        wanted, names = ", ".join(NEEDED.values()), " ".join(lacking)
        raise RequestError(
            f"an emulated Pi wants {wanted} on a Debian or Ubuntu host, found all but {', '.join(lacking)};"
            f" use apt-get install {names}"
        )
    folder = root.folder()
    emulator = (*_fixed(), QEMU, "-cpu", PROCESSOR, "-L", str(folder))
    counting = ("-plugin", str(plugin.path(_major()))) if _takes_plugins() else ()
    return Emulation(command=(*emulator, *counting, str(folder / root.PYTHON)), counts=bool(counting))


def _fixed() -> tuple[str, ...]:
    """Return what loads everything at the same addresses each time, where that is allowed: they are in the count."""
    fixed = ("setarch", "--addr-no-randomize")
    allowed = (
        shutil.which(fixed[0]) and not subprocess.run([*fixed, "true"], capture_output=True, check=False).returncode
    )
    return fixed if allowed else ()


def _takes_plugins() -> bool:
    """Tell whether it loads plugins: Debian's dynamic build does, a static one cannot."""
    return "-plugin" in subprocess.run([QEMU, "-h"], capture_output=True, text=True, check=False).stdout


def _major() -> int:
    """Return the 7 of `qemu-aarch64 version 7.2.22 (...)`."""
    said = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=False).stdout
    return int(said.partition("version ")[2].partition(".")[0])
