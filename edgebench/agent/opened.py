"""A request -> what its process opened: hashes of the artifact and of the runtime's packages, taken after the work.

The artifact's identity on disk is noted before it is opened and compared after it is hashed: what was hashed is what
was opened. The hash comes last, so that it affects no time, no memory mark and no page cache that a load meets.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from edgebench.foundation.shelf import load


def watch(request: dict[str, Any]) -> Callable[[], dict[str, str]]:
    """Note which file the request opens; return a function that hashes it and its runtime, to be called last.

    A reference workload opens nothing.
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
    """Return what changes whenever a file is replaced or written; a user cannot set the time of its last change."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def runtime(name: str) -> dict[str, str]:
    """Return a runtime's version, and a hash of the lists of its packages' files and of their libraries' sizes.

    The lists hold each file's hash. Libraries of several 100 MB are not read: their sizes and times stand for them.
    """
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
