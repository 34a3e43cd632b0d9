"""The cache directory, hashes of files, and writing that neither a kill nor a power cut leaves half done."""

from __future__ import annotations

import errno
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
        make(place)
    except OSError as error:
        raise RequestError(
            f"cannot keep files in {place}: {error.strerror}; set {HOME_VARIABLE} to a writable folder"
        ) from error
    return place


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def make(folder: Path) -> None:
    """Create a folder and those above it; they are on the disk afterwards.

    Raises:
        OSError: it cannot be created.
    """
    created = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in created:
        sync(place.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk.

    Raises:
        OSError: the disk is full or broken.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EROFS):  # some network file systems sync no folders
            raise
    finally:
        os.close(handle)


def settle(scratch: Path, path: Path) -> None:
    """Let a file take another's place; a power cut leaves the old one or the whole new one.

    Raises:
        OSError: the disk is full or broken, or the folder cannot be written.
    """
    sync(scratch)
    scratch.replace(path)
    sync(path.parent)


def write(path: Path, content: bytes, advice: str = f"free space or set {HOME_VARIABLE}") -> None:
    """Replace a file atomically: a reader sees the old content or the new.

    Raises:
        RequestError: it cannot be written, or the disk is full; the message ends with `advice`.
    """
    scratch = path.with_name(f"making-{os.getpid()}-{path.name}")
    try:
        scratch.write_bytes(content)
        settle(scratch, path)
    except OSError as error:
        raise RequestError(f"cannot write {path}: {error.strerror}; {advice}") from error
    finally:
        scratch.unlink(missing_ok=True)
