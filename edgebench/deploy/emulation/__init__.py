"""Start Python on an emulated Raspberry Pi 4, with this host's qemu-user and Debian's arm64 packages.

Only the processor is emulated; kernel, files and memory are this machine's. Outputs and instruction counts are
therefore the same as on the board, but times and memory are not.
"""

import shutil
import subprocess
from dataclasses import dataclass

from edgebench.deploy.emulation import plugin, root
from edgebench.foundation.errors import RequestError

QEMU, PROCESSOR = "qemu-aarch64", "cortex-a72"
# Each required command, and the Debian package that contains it.
NEEDED = {QEMU: "qemu-user", "gcc": "gcc", "apt-get": "apt", "dpkg-deb": "dpkg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """The commands that start Python on the emulated processor; `counts` says whether instructions are counted.

    `command` counts instructions if qemu can, and `uncounted` does not, which takes two thirds of the time.
    """

    command: tuple[str, ...]
    uncounted: tuple[str, ...]
    counts: bool


def missing() -> tuple[str, ...]:
    """List the packages that this host lacks."""
    return tuple(package for command, package in NEEDED.items() if not shutil.which(command))


def emulation() -> Emulation:
    """Return the emulated Pi; make its root file system and the instruction counter on first use.

    Raises:
        RequestError: this host lacks a package, or cannot download arm64 packages.
    """
    if lacking := missing():
        wanted, names = ", ".join(NEEDED.values()), " ".join(lacking)
        raise RequestError(
            f"an emulated Pi needs {wanted} on a Debian or Ubuntu host, found all but {', '.join(lacking)};"
            f" use apt-get install {names}"
        )
    folder = root.folder()
    emulator = (*_fixed(), QEMU, "-cpu", PROCESSOR, "-L", str(folder))
    counting = ("-plugin", str(plugin.path(_major()))) if _takes_plugins() else ()
    python = str(folder / root.PYTHON)
    return Emulation(command=(*emulator, *counting, python), uncounted=(*emulator, python), counts=bool(counting))


def _fixed() -> tuple[str, ...]:
    """Return a command prefix that fixes load addresses, which affect the instruction count.

    The prefix is empty if this machine does not allow fixed addresses.
    """
    fixed = ("setarch", "--addr-no-randomize")
    allowed = (
        shutil.which(fixed[0]) and not subprocess.run([*fixed, "true"], capture_output=True, check=False).returncode
    )
    return fixed if allowed else ()


def _takes_plugins() -> bool:
    """Return whether qemu can load plugins: Debian's dynamic build can load plugins, a static build cannot."""
    return (
        "-plugin"
        in subprocess.run([QEMU, "-h"], capture_output=True, encoding="utf-8", errors="replace", check=False).stdout
    )


def _major() -> int:
    """Return qemu's major version: 7 for `qemu-aarch64 version 7.2.22 (...)`."""
    output = subprocess.run(
        [QEMU, "--version"], capture_output=True, encoding="utf-8", errors="replace", check=False
    ).stdout
    return int(output.partition("version ")[2].partition(".")[0])
