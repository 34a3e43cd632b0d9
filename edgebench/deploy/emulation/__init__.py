"""Start Python on an emulated processor, such as a Raspberry Pi 4's, with qemu-user and Debian's packages.

Only the processor is emulated; kernel, files and memory are this machine's. Outputs and instruction counts are
therefore the same as on the board, but times and memory are not.
"""

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgebench.deploy.emulation import plugin, root
from edgebench.foundation.errors import RequestError

QEMU, PROCESSOR = "qemu-aarch64", "cortex-a72"
# Each required command besides the emulator, and the Debian package that contains it.
NEEDED = {"gcc": "gcc", "apt-get": "apt", "dpkg-deb": "dpkg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """The commands that start Python on the emulated processor; `counts` says whether instructions are counted.

    `command` counts instructions if qemu can count them. `uncounted` does not count them, and takes two thirds of the
    time.
    """

    command: tuple[str, ...]
    uncounted: tuple[str, ...]
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """An emulator of one processor.

    Attributes:
        machine: the processor's architecture, `aarch64` or `x86_64`.
        cpu: qemu's name of the processor, such as `cortex-a72`; properties can follow, as in `Haswell,-avx2`.
    """

    machine: str
    cpu: str

    def __str__(self) -> str:
        return f"{self.program} {_version(self.program)} -cpu {self.cpu}"

    @property
    def program(self) -> str:
        """The name of qemu's program for the machine."""
        return f"qemu-{self.machine}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """The beginning of the command; the option for the root folder comes next."""
        return (self.program, "-cpu", self.cpu)

    @property
    def why_not(self) -> str:
        """Why the processor cannot be emulated on this machine; an empty text if it can."""
        if self.machine not in root.ARCHITECTURES:
            return f"edgebench emulates {' and '.join(root.ARCHITECTURES)}, not {self.machine}"
        needed = {self.program: "qemu-user"} | {name: package for name, package in NEEDED.items() if name != "gcc"}
        if lacking := [package for name, package in needed.items() if not shutil.which(name)]:
            return f"this host lacks {', '.join(lacking)}: use apt-get install {' '.join(lacking)}"
        if self.cpu.partition(",")[0] not in _processors(self.program):
            return f"{self.program} {_version(self.program)} emulates no {self.cpu}; {self.program} -cpu help lists all"
        return ""

    @property
    def folder(self) -> Path:
        """The root folder, made on first use.

        Raises:
            RequestError: the packages cannot be downloaded.
        """
        return root.folder(self.machine, self.cpu, self.prefix)

    def is_made(self) -> bool:
        """Return whether the root folder exists."""
        return root.is_made(self.machine, self.cpu)


def missing() -> tuple[str, ...]:
    """List the packages that this host lacks."""
    needed = {QEMU: "qemu-user", **NEEDED}
    return tuple(package for command, package in needed.items() if not shutil.which(command))


def emulation(cpu: str = PROCESSOR) -> Emulation:
    """Return an emulated board; make its root file system and the instruction counter on first use.

    Raises:
        RequestError: this host lacks a package, cannot download arm64 packages, or cannot emulate the processor.
    """
    emulator = Emulator(machine="aarch64", cpu=cpu)
    if lacking := missing():
        wanted, names = ", ".join(("qemu-user", *NEEDED.values())), " ".join(lacking)
        raise RequestError(
            f"an emulated Pi needs {wanted} on a Debian or Ubuntu host, found all but {', '.join(lacking)};"
            f" use apt-get install {names}"
        )
    if reason := emulator.why_not:
        raise RequestError(f"wanted an emulated {cpu}; {reason}")
    folder = emulator.folder
    counting = ("-plugin", str(plugin.path(_major()))) if _takes_plugins() else ()
    prefix, python = (*_fixed(), *emulator.prefix, "-L", str(folder)), str(folder / root.PYTHON)
    return Emulation(command=(*prefix, *counting, python), uncounted=(*prefix, python), counts=bool(counting))


def uncounted(emulator: Emulator) -> Emulation:
    """Return an emulated board on which instructions are not counted; make its root file system on first use.

    Raises:
        RequestError: the packages cannot be downloaded.
    """
    folder = emulator.folder
    command = (*emulator.prefix, "-L", str(folder), str(folder / root.PYTHON))
    return Emulation(command=command, uncounted=command, counts=False)


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
    return "-plugin" in _output(QEMU, "-h")


def _major() -> int:
    """Return qemu's major version: 7 for `qemu-aarch64 version 7.2.22 (...)`."""
    return int(_version(QEMU).partition(".")[0])


@cache
def _version(program: str) -> str:
    """Return qemu's version: 7.2.22 for `qemu-aarch64 version 7.2.22 (...)`."""
    return _output(program, "--version").partition("version ")[2].split()[0]


@cache
def _processors(program: str) -> tuple[str, ...]:
    """List every word of qemu's list of processors; the words include the names of all processors."""
    return tuple(_output(program, "-cpu", "help").split())


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False).stdout
