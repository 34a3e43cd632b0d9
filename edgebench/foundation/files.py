"""Files of this program on this machine: where the cache lies, a file's hash, and a file replaced whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from edgebench.foundation.errors import RequestError

HOME_VARIABLE = "EDGEBENCH_CACHE"


def home() -> Path:
    """Return the cache directory: `$EDGEBENCH_CACHE`, or the user's own."""
    from platformdirs import user_cache_path

    return Path(os.environ.get(HOME_VARIABLE) or user_cache_path("edgebench"))


def folder(kind: str) -> Path:
    """Return the cache's folder for one kind of file, made if need be.

    Raises:
        RequestError: it cannot be made.
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
    """Hash a file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write(path: Path, content: bytes, advice: str = f"free space or set {HOME_VARIABLE}") -> None:
    """Replace a file whole: a reader sees the old content or the new.

    Raises:
        RequestError: it cannot be written, or the disk is full; the message ends with the advice.
    """
    scratch = path.with_name(f"making-{os.getpid()}-{path.name}")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    except OSError as error:
        raise RequestError(f"cannot write {path}: {error.strerror}; {advice}") from error
    finally:
        scratch.unlink(missing_ok=True)
