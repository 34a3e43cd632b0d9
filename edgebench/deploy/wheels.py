"""Make one zip of the packages that a runtime of a given version needs on a target; pip downloads them only once.

pip runs on this host only, with its usual settings: `PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels` works offline.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.schema.cards import Packages

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST_GLIBC = 5  # minor version of glibc 2.5, the oldest glibc for which there are wheels (manylinux1)
ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
# numpy 1 works with extension modules built for numpy 1 or 2, but has no wheels for Python 3.13.
NUMPY, LAST_WITH_NUMPY_1 = "numpy<2", (3, 12)
LISTED = 12  # an error message lists this many versions, the newest ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The platform that a wheel must support, such as Python `3.11`, machine `aarch64`, glibc `2.36`."""

    python: str
    machine: str
    glibc: str

    def __str__(self) -> str:
        return f"Python {self.python} on {self.machine} with glibc {self.glibc}"

    @property
    def tags(self) -> list[str]:
        """The tags of all wheels that run on this platform, newest first.

        Older tags are listed, too, because pip does not add them.
        """
        newest = int(self.glibc.split(".")[1])
        generations = range(newest, OLDEST_GLIBC - 1, -1)
        tags = [tag for minor in generations for tag in (f"manylinux_2_{minor}", ALIASES.get(minor)) if tag]
        return [f"{tag}_{self.machine}" for tag in tags]


def public(version: str) -> str:
    """Return a version without its local build label: `2.13.0` for `2.13.0+cpu`."""
    return version.partition("+")[0]


def platform(facts: Mapping[str, str]) -> Platform:
    """Return the platform of a target from its agent's facts.

    Raises:
        RequestError: the target's Python is not CPython, or the target's C library is not glibc.
    """
    implementation, _, python = facts["python"].partition(" ")
    libc, _, glibc = facts.get("libc", "").partition(" ")
    if implementation != "CPython" or libc != "glibc":
        found = f"{facts['python']} with {facts.get('libc') or 'another C library'}"
        raise RequestError(f"wanted CPython with glibc, which a runtime's wheels need, found {found}")
    return Platform(python=".".join(python.split(".")[:2]), machine=facts["machine"], glibc=glibc)


def gather(runtime: str, version: str, target: Platform) -> Packages:
    """Return the runtime's packages for a target: the first time from pip, later from the cache.

    Raises:
        RequestError: the version does not exist, or has no wheel for the target.
    """
    plugin = load("runtimes", runtime)
    if not plugin.NEEDS:
        raise RequestError(f"runtime {runtime} comes with edgebench; leave =={version} out")
    own = getattr(plugin, "ENVIRONMENT", ())
    wanted = (f"{plugin.NEEDS[0]}=={version}", *(own[1:] or (*plugin.NEEDS[1:], _numpy(target))))
    key = provenance.key({"wanted": " ".join(wanted), "for": str(target)})
    return cache.once(f"{runtime}-{version}-{key}", ".zip", Packages, partial(_make, wanted, target))


def versions(runtime: str, target: Platform) -> tuple[str, ...]:
    """Return the versions of a runtime that pip finds for a target, the oldest first, without pre-releases.

    Raises:
        RequestError: the runtime comes with edgebench, or pip finds no version.
    """
    needs = load("runtimes", runtime).NEEDS
    if not needs:
        raise RequestError(f"runtime {runtime} comes with edgebench, so it has no versions; name another runtime")
    done = _pip("index", "versions", *_options(target), needs[0])
    listed = re.search(r"^Available versions: (.+)$", done.stdout, re.MULTILINE)
    if done.returncode or not listed:
        raise RequestError(_refusal(done.stderr, (needs[0],), target))
    return tuple(reversed(listed.group(1).split(", ")))


def _numpy(target: Platform) -> str:
    major, minor = map(int, target.python.split("."))
    return NUMPY if (major, minor) <= LAST_WITH_NUMPY_1 else "numpy"


def _make(wanted: tuple[str, ...], target: Platform, path: Path) -> Packages:
    with TemporaryDirectory() as scratch:
        _install(wanted, target, scratch)
        packages = sorted(f"{package.metadata['Name']}=={package.version}" for package in distributions(path=[scratch]))
        with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            for file in sorted(file for file in Path(scratch).rglob("*") if file.is_file()):
                # A zip without times, and without scripts (they contain a path), is the same for the same packages.
                name = file.relative_to(scratch)
                if name.parts[0] != "bin" and name.name != "RECORD":
                    archive.writestr(ZipInfo(name.as_posix()), file.read_bytes(), ZIP_DEFLATED, compresslevel=1)
    return Packages(file="", sha256="", size_bytes=path.stat().st_size, packages=tuple(packages))


def _install(wanted: tuple[str, ...], target: Platform, folder: str) -> None:
    """Install these packages without the dependencies that their metadata list; inference does not need them."""
    done = _pip("install", "--quiet", "--no-compile", "--no-deps", *_options(target), "--target", folder, *wanted)
    if done.returncode:
        raise RequestError(_refusal(done.stderr, wanted, target))


def _options(target: Platform) -> tuple[str, ...]:
    """Return the options by which pip chooses wheels for a target."""
    platforms = [word for tag in target.tags for word in ("--platform", tag)]
    return ("--only-binary=:all:", "--implementation", "cp", "--python-version", target.python, *platforms)


def _pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)


def _refusal(output: str, wanted: tuple[str, ...], target: Platform) -> str:
    """Summarize pip's error output in one line."""
    missing = re.search(r"requirement (\S+?)\s*\(from versions: (.*?)\)", output)
    if not missing:
        last = (output.strip().splitlines() or ["nothing"])[-1]
        return f"wanted {' and '.join(wanted)} for {target}; pip said: {last[:200]}"
    name, versions = missing.group(1), [version for version in missing.group(2).split(", ") if version != "none"]
    if not versions:
        return f"no wheel of {name} for {target}"
    return f"no wheel of {name} for {target}; available are {', '.join(versions[-LISTED:])}"
