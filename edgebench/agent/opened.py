"""Hash the files that this process opened to answer a request: the artifact and the runtime's packages.

The artifact's identity on disk is read before the artifact is opened, and again after the artifact is hashed. If both
are equal, the hash belongs to the file that was opened. Hashing comes last, so that it affects no time and no memory
figure, and does not bring the artifact into the page cache before it is loaded.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation.shelf import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import Distribution


def watch(request: dict[str, Any]) -> Callable[[], dict[str, str]]:
    """Record the artifact's identity on disk; return a function that hashes the artifact and the runtime's files.

    Call the returned function at the end of the process. For a reference workload, the function returns an empty
    dictionary.
    """
    if "reference" in request:
        return dict
    path = Path(request["path"])
    before = _stamp(path)

    def report() -> dict[str, str]:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        if _stamp(path) != before:
            raise OSError(f"{path.name} was replaced or written while this process used it; run again")
        return {"artifact_sha256": sha256} | runtime(request["runtime"])

    return report


def _stamp(path: Path) -> tuple[int, ...]:
    """Return values that change when the file is replaced or written.

    One of these values is the ctime, which no program can set.
    """
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def runtime(name: str) -> dict[str, str]:
    """Return a runtime's version, and a hash of its packages: their file lists, library sizes and library mtimes.

    The file lists already contain the hash of each file. The libraries themselves are not hashed, because some have
    several hundred MB.
    """
    from importlib.metadata import PackageNotFoundError, distribution  # not before the measurement: it takes time

    plugin, digest = load("runtimes", name), hashlib.sha256()
    for package in sorted({*plugin.NEEDS, *getattr(plugin, "PACKAGES", ()), "numpy"}):
        with suppress(PackageNotFoundError):
            digest.update("\n".join(_files(distribution(package))).encode())
    return {"runtime_version": plugin.version(), "runtime_files": digest.hexdigest()}


def _files(package: Distribution) -> Iterator[str]:
    listed = package.read_text("RECORD") or ""
    yield from (package.version, listed)
    for line in listed.splitlines():
        file = line.partition(",")[0]
        if file.endswith(".so") or ".so." in file:
            with suppress(OSError):
                status = os.stat(str(package.locate_file(file)))  # noqa: PTH116  # much faster for many files
                yield f"{file} {status.st_size} {status.st_mtime_ns}"
