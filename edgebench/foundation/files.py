"""The cache directory, hashes of files, and atomic writing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from edgebench.foundation.errors import RequestError

HOME_VARIABLE = "EDGEBENCH_CACHE"


def home() -> Path:
    """Return the cache directory: `$EDGEBENCH_CACHE`, else the user's cache directory of the system."""
    from platformdirs import user_cache_path

    return Path(os.environ.get(HOME_VARIABLE) or user_cache_path("edgebench"))


def folder(kind: str) -> Path:
    """Return the cache's folder for one kind of file; create it if it does not exist.

    Raises:
        RequestError: it cannot be created.
    """
    place = home() / kind
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"cannot keep files in {place}: {error.strerror}; set {HOME_VARIABLE} to a writable folder"
        ) from error
    return place


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write(path: Path, content: bytes, advice: str = f"free space or set {HOME_VARIABLE}") -> None:
    """Replace a file atomically: a reader sees the old content or the new.

    Raises:
        RequestError: it cannot be written, or the disk is full; the message ends with `advice`.
    """
    scratch = path.with_name(f"making-{os.getpid()}-{path.name}")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    except OSError as error:
        raise RequestError(f"cannot write {path}: {error.strerror}; {advice}") from error
    finally:
        scratch.unlink(missing_ok=True)
