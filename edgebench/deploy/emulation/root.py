"""apt's configured sources -> a folder with Python, which user-mode emulation uses as the root of a board.

apt resolves and downloads the board's packages in a separate state folder, so the host's packages are neither read nor
changed, and no root rights are needed.
"""

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from edgebench.foundation import cache, files, provenance, seal
from edgebench.foundation.errors import RequestError

PACKAGES = ("python3", "libstdc++6")
ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}  # a machine's name in Linux -> in Debian
PYTHON = "usr/bin/python3"
LIBC = "usr/lib/{machine}-linux-gnu/libc.so.6", "lib/{machine}-linux-gnu/libc.so.6"
CORES = 4
# onnxruntime and LiteRT read /proc/cpuinfo on ARM, and crash if they find the file of an x86 host.
CPUINFO = """processor\t: {core}
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: {implementer:#04x}
CPU architecture: 8
CPU variant\t: {variant:#x}
CPU part\t: {part:#05x}
CPU revision\t: {revision}

"""
MODELS = {"cortex-a72": "Cortex-A72 of a Raspberry Pi 4"}
# Linux' names of the bits of the auxiliary vector's entries HWCAP and HWCAP2 on aarch64.
HWCAP, HWCAP2 = 16, 26
FEATURES = {
    HWCAP: "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3"
    " sm3 sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg",
    HWCAP2: "dcpodp sve2 sveaes svepmull svebitperm svesha3 svesm4 flagm2 frint svei8mm svef32mm svef64mm svebf16 i8mm"
    " bf16 dgh rng bti mte",
}
# qemu's processors have the instructions for cryptography, which the chips of a Raspberry Pi 3 and 4 lack.
ABSENT, PRESENT = {"aes", "pmull", "sha1", "sha2"}, {"evtstrm"}
# This program prints the register MIDR_EL1, which names the processor, and the two entries of the auxiliary vector.
IDENTIFY = f"""import ctypes, json, mmap
entry = ctypes.CDLL(None).getauxval
entry.restype, entry.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("000038d5c0035fd6"))  # mrs x0, midr_el1; ret
name = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
print(json.dumps([name, entry({HWCAP}), entry({HWCAP2})]))
"""

# What the agent and the runtimes import of Python's library. The emulated Python compiles it once, when the root folder
# is made; otherwise the first process of every connection would compile it.
IMPORTED = (
    "import ast, contextvars, ctypes, email.parser, encodings.cp437, importlib.metadata, inspect, json, mmap, numbers,"
    " pickle, pkgutil, platform, secrets, statistics"
)


def folder(machine: str, cpu: str, emulator: Sequence[str]) -> Path:
    """Return the root folder of a processor; make it if the cache has no undamaged folder.

    `emulator` is the command that emulates the processor, without a root folder. An incomplete folder is never stored.

    Raises:
        RequestError: apt cannot download the packages, or the emulator does not run.
    """
    home = files.folder("emulation")
    place = home / _name(machine, cpu)
    with FileLock(files.lock_file(home / f"{place.name}.lock")):
        if not seal.is_whole(place):
            if seal.is_recorded(place):
                cache.warn_damaged(place)
            seal.remove(place)
            with TemporaryDirectory(dir=home, prefix=files.SCRATCH) as scratch:
                root = Path(scratch) / "root"
                _make(root, machine, cpu, emulator)
                os.sync()  # otherwise a power cut could leave files without their content
                root.rename(place)
            seal.record(place)
    files.used(seal.list_of(place))
    return place


def is_made(machine: str, cpu: str) -> bool:
    """Return whether the cache has the root folder, without a check for damage."""
    return seal.is_recorded(files.place("emulation") / _name(machine, cpu))


def python(root: Path) -> str:
    """Return the version of the root folder's Python, such as `3.11`."""
    return (root / PYTHON).resolve().name.removeprefix("python")


def glibc(root: Path, machine: str) -> str:
    """Return the version of the root folder's glibc, such as `2.36`.

    Raises:
        RequestError: the C library does not contain its version.
    """
    library = next(path for name in LIBC if (path := root / name.format(machine=machine)).exists())
    if version := re.search(rb"GNU C Library .*? version (\d+\.\d+)", library.read_bytes()):
        return version.group(1).decode()
    raise RequestError(f"wanted the version of glibc in {library}, found none; run edgebench cache clear emulation")


def _name(machine: str, cpu: str) -> str:
    """Return the root folder's name, which has a hash of what determines its content."""
    return f"root-{machine}-{re.sub('[^a-z0-9-]', '_', cpu.lower())}-{key()}"


def key() -> str:
    """Return a hash of what determines the content of all root folders."""
    source = provenance.source("deploy/emulation/root")
    return provenance.key({"packages": " ".join(PACKAGES), "source": source, "release": _release()})


def _release() -> str:
    """Return the host's distribution, such as `debian 12`; the emulated board uses its packages."""
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', '')} {release.get('VERSION_ID', '')}"


def _make(root: Path, machine: str, cpu: str, emulator: Sequence[str]) -> None:
    """Make a root folder from that of another processor, or from packages; add the files of the kernel."""
    made = (path for path in sorted(root.parents[1].glob(f"root-{machine}-*-{key()}")) if seal.is_whole(path))
    if other := next(made, None):
        shutil.copytree(other, root, symlinks=True)
    else:
        _download(root, ARCHITECTURES[machine])
    for path, text in _kernel_files(root, machine, cpu, emulator):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    subprocess.run([*_python(root, emulator), "-c", IMPORTED], capture_output=True, check=False)


def _python(root: Path, emulator: Sequence[str]) -> list[str]:
    return [*emulator, "-L", str(root), str(root / PYTHON), "-I"]


def _download(root: Path, architecture: str) -> None:
    apt = ["apt-get", "-qq", *_options(root.parent / "apt", architecture)]
    _run([*apt, "update"], architecture)
    _run([*apt, "--yes", "--download-only", "install", *PACKAGES], architecture)
    root.mkdir()
    for package in sorted((root.parent / "apt" / "cache" / "archives").glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(root)], architecture)
    for name in ("lib", "lib64"):  # Debian 13's packages install below /usr only
        if not (root / name).exists() and (root / "usr" / name).exists():
            (root / name).symlink_to(f"usr/{name}")


def _options(place: Path, architecture: str) -> Iterator[str]:
    """Yield options that give apt a separate state, cache and architecture, but keep the host's sources and keys."""
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (place / folder).mkdir(parents=True)
    (place / "state" / "status").touch()
    settings = {
        "Dir::State": place / "state",
        "Dir::State::status": place / "state" / "status",
        "Dir::Cache": place / "cache",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # apt's default user, `_apt`, may not write to this folder
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
    }
    for name, value in settings.items():
        yield from ("-o", f"{name}={value}")


def _run(command: list[str], architecture: str) -> None:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RequestError(
            f"wanted {' and '.join(PACKAGES)} for {architecture} from apt's configured sources;"
            f" {command[0]} said: {last[:200]}; check the network, and that a source has {architecture}"
        )


def _kernel_files(root: Path, machine: str, cpu: str, emulator: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the kernel's files that engines read: the cores, and on ARM the processor's name and features.

    On x86, engines ask the processor itself.
    """
    for name in ("possible", "present", "online"):
        yield f"sys/devices/system/cpu/{name}", f"0-{CORES - 1}\n"
    if machine != "aarch64":
        return
    midr, *bits = _identified(root, cpu, emulator)
    yield "proc/cpuinfo", cpuinfo(midr, bits) + f"Model\t\t: {MODELS.get(cpu, cpu)}\n"
    for core in range(CORES):  # OpenVINO's kernels read the register from these files
        yield f"sys/devices/system/cpu/cpu{core}/regs/identification/midr_el1", f"{midr:#018x}\n"


def cpuinfo(midr: int, bits: Sequence[int]) -> str:
    """Return the text of /proc/cpuinfo for the register MIDR_EL1 and the values of the entries of `FEATURES`."""
    named = [
        name
        for names, value in zip(FEATURES.values(), bits, strict=True)
        for place, name in enumerate(names.split())
        if (value >> place & 1 and name not in ABSENT) or name in PRESENT
    ]
    fields = {"implementer": midr >> 24 & 0xFF, "variant": midr >> 20 & 0xF, "part": midr >> 4 & 0xFFF}
    return "".join(
        CPUINFO.format(core=core, features=" ".join(named), revision=midr & 0xF, **fields) for core in range(CORES)
    )


def _identified(root: Path, cpu: str, emulator: Sequence[str]) -> list[int]:
    """Return the register MIDR_EL1 of the emulated processor, and the values of the entries of `FEATURES`."""
    command = [*_python(root, emulator), "-S", "-c", IDENTIFY]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RequestError(f"wanted Python on an emulated {cpu}; {emulator[0]} said: {last[:200]}; update qemu-user")
    numbers: list[int] = json.loads(done.stdout)
    return numbers
