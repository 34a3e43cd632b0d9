"""apt's configured sources -> a folder with Python, which user-mode emulation uses as the root of a Raspberry Pi 4.

apt resolves and downloads arm64 packages in a separate state folder, so the host's packages are neither read nor
changed, and no root rights are needed.
"""

import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from edgebench.foundation import cache, files, provenance, seal
from edgebench.foundation.errors import RequestError

PACKAGES = ("python3", "libstdc++6")
ARCHITECTURE = "arm64"
PYTHON = "usr/bin/python3"
CORES = 4
MIDR_EL1 = "0x00000000410fd083"  # the register that names a Cortex-A72; OpenVINO's kernels read it
# The board's /proc/cpuinfo. onnxruntime and LiteRT read this file, and crash if they find the file of an x86 host.
CPUINFO = """processor\t: {core}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""
MODEL = "Model\t\t: Cortex-A72 of a Raspberry Pi 4\n"


def folder() -> Path:
    """Return the root folder; make it if the cache has no undamaged folder. An incomplete folder is never stored.

    Raises:
        RequestError: apt cannot download the packages.
    """
    home = files.folder("emulation")
    place = home / _name()
    with FileLock(files.lock_file(home / f"{place.name}.lock")):
        if not seal.is_whole(place):
            if seal.is_recorded(place):
                cache.warn_damaged(place)
            seal.remove(place)
            with TemporaryDirectory(dir=home, prefix=files.SCRATCH) as scratch:
                _make(Path(scratch))
                os.sync()  # otherwise a power cut could leave files without their content
                (Path(scratch) / "root").rename(place)
            seal.record(place)
    files.used(seal.list_of(place))
    return place


def is_made() -> bool:
    """Return whether the cache has the root folder, without a check for damage."""
    return seal.is_recorded(files.place("emulation") / _name())


def _name() -> str:
    """Return the root folder's name, which has a hash of what determines its content."""
    source = provenance.source("deploy/emulation/root")
    return f"root-{provenance.key({'packages': ' '.join(PACKAGES), 'source': source, 'release': _release()})}"


def _release() -> str:
    """Return the host's distribution, such as `debian 12`; the emulated Pi uses packages of the same distribution."""
    release = platform.freedesktop_os_release()
    return f"{release.get('ID', '')} {release.get('VERSION_ID', '')}"


def _make(scratch: Path) -> None:
    apt = ["apt-get", "-qq", *_options(scratch / "apt")]
    _run([*apt, "update"])
    _run([*apt, "--yes", "--download-only", "install", *PACKAGES])
    root = scratch / "root"
    root.mkdir()
    for package in sorted((scratch / "apt" / "cache" / "archives").glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(root)])
    if not (root / "lib").exists():  # Debian 13's packages install below /usr only
        (root / "lib").symlink_to("usr/lib")
    for path, text in _kernel_files():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def _options(place: Path) -> Iterator[str]:
    """Yield options that give apt a separate state, cache and architecture, but keep the host's sources and keys."""
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (place / folder).mkdir(parents=True)
    (place / "state" / "status").touch()
    settings = {
        "Dir::State": place / "state",
        "Dir::State::status": place / "state" / "status",
        "Dir::Cache": place / "cache",
        "APT::Architecture": ARCHITECTURE,
        "APT::Architectures": ARCHITECTURE,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # apt's default user, `_apt`, may not write to this folder
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
    }
    for name, value in settings.items():
        yield from ("-o", f"{name}={value}")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RequestError(
            f"wanted {' and '.join(PACKAGES)} for {ARCHITECTURE} from apt's configured sources;"
            f" {command[0]} said: {last[:200]}; check the network, and that a source has {ARCHITECTURE}"
        )


def _kernel_files() -> Iterator[tuple[str, str]]:
    yield "proc/cpuinfo", "".join(CPUINFO.format(core=core) for core in range(CORES)) + MODEL
    for name in ("possible", "present", "online"):
        yield f"sys/devices/system/cpu/{name}", f"0-{CORES - 1}\n"
    for core in range(CORES):
        yield f"sys/devices/system/cpu/cpu{core}/regs/identification/midr_el1", f"{MIDR_EL1}\n"
