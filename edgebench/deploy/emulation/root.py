"""apt's configured sources -> a folder that user-mode emulation takes for the root of a Raspberry Pi 4 with Python.

apt resolves and downloads arm64's packages with a state of its own, so the host's packages are neither asked nor
changed, and no root rights are needed.
"""

import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from edgebench.foundation import files, provenance
from edgebench.foundation.errors import RequestError

PACKAGES = ("python3", "libstdc++6")
ARCHITECTURE = "arm64"
PYTHON = "usr/bin/python3"
CORES = 4
# What the kernel says on the board. onnxruntime and LiteRT read it, and crash on that of an x86 host.
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
    """Return the root, from the cache or made now: it appears whole or not at all.

    Raises:
        RequestError: apt cannot bring the packages.
    """
    home = files.folder("emulation")
    key = provenance.key(
        {"packages": " ".join(PACKAGES), "source": provenance.source("deploy/emulation/root"), "release": _release()}
    )
    place = home / f"root-{key}"
    with FileLock(home / f"root-{key}.lock"):
        if not place.is_dir():
            with TemporaryDirectory(dir=home, prefix="making-") as scratch:
                _make(Path(scratch))
                (Path(scratch) / "root").rename(place)
    return place


def _release() -> str:
    """Name the host's distribution, `debian 12`: whose packages they are."""
    named = platform.freedesktop_os_release()
    return f"{named.get('ID', '')} {named.get('VERSION_ID', '')}"


def _make(scratch: Path) -> None:
    apt = ["apt-get", "-qq", *_options(scratch / "apt")]
    _run([*apt, "update"])
    _run([*apt, "--yes", "--download-only", "install", *PACKAGES])
    root = scratch / "root"
    root.mkdir()
    for package in sorted((scratch / "apt" / "cache" / "archives").glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(root)])
    if not (root / "lib").exists():  # Debian 13 packs everything below /usr
        (root / "lib").symlink_to("usr/lib")
    for path, text in _kernel_files():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def _options(place: Path) -> Iterator[str]:
    """Give apt a state, a cache and an architecture of its own; sources and keys stay the host's."""
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
        "APT::Sandbox::User": "root",  # that of apt's own may not write here
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
    }
    for name, value in settings.items():
        yield from ("-o", f"{name}={value}")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RequestError(
            f"wanted {ARCHITECTURE}'s {' and '.join(PACKAGES)} from apt's configured sources;"
            f" {command[0]} said: {said[:200]}; is there a network, and a source that has {ARCHITECTURE}?"
        )


def _kernel_files() -> Iterator[tuple[str, str]]:
    yield "proc/cpuinfo", "".join(CPUINFO.format(core=core) for core in range(CORES)) + MODEL
    for name in ("possible", "present", "online"):
        yield f"sys/devices/system/cpu/{name}", f"0-{CORES - 1}\n"
