"""A stored file or folder -> whether it is unchanged.

Files are opened safely and hashed. A JSON file contains its own hash, the seal. A list of a folder's files, with their
hashes, lies beside the folder. This module also runs on targets, so it uses only the standard library.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from io import BufferedReader

SEAL = "seal"  # the key under which a JSON file contains its own hash
LIST = ".files"  # suffix of the list of files that is stored beside a folder
PRIVATE = 0o700  # permissions of a folder that only the owner can use
SETTLED_S = 2.0  # if a file changes twice within this time, both changes can have the same timestamp
COMPILED = ".pyc"

# The hash of each file that this process has read, under a key of device, inode, size, mtime and ctime.
# The key includes the ctime because any program can set the mtime; the ctime is set by the kernel at every change.
_HASHES = dict[tuple[int, ...], str]()


def opened(path: Path) -> BufferedReader:
    """Open a stored file for reading; refuse links, files of other users, and anything that is not a regular file.

    Raises:
        OSError: the file is refused, or cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        os.close(handle)
        raise PermissionError(f"{path} is not a file of this user")
    return open(handle, "rb")  # noqa: PTH123  # a handle, and the caller closes it


def digest(path: Path) -> str:
    """Return the SHA-256 of a stored file; as long as the file does not change, this process reads it only once.

    Raises:
        OSError: the file is refused, or cannot be opened.
    """
    with opened(path) as stream:
        status = os.fstat(stream.fileno())
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key in _HASHES:
            return _HASHES[key]
        is_settled = time() - status.st_ctime > SETTLED_S
        content = hashlib.file_digest(stream, "sha256").hexdigest()
        if is_settled:
            _HASHES[key] = content
        return content


def sealed(name: str, fields: dict[str, Any]) -> bytes:
    """Return fields as JSON with a hash of the fields and the name, so that the JSON is valid only under this name."""
    return json.dumps(fields | {SEAL: _hash(name, fields)}, indent=2).encode()


def unsealed(name: str, content: bytes) -> dict[str, Any]:
    """Return the fields of sealed JSON; JSON without a seal, which earlier versions wrote, is accepted.

    Raises:
        ValueError: the JSON is damaged, or was sealed under another name.
    """
    fields = json.loads(content)
    if not isinstance(fields, dict) or not fields or fields.pop(SEAL, wanted := _hash(name, fields)) != wanted:
        raise ValueError(f"{name} is damaged")
    return fields


def _hash(name: str, fields: dict[str, Any]) -> str:
    known = {key: value for key, value in fields.items() if key != SEAL}
    return hashlib.sha256(f"{name}\n{json.dumps(known, sort_keys=True)}".encode(errors="surrogateescape")).hexdigest()


def record(folder: Path) -> None:
    """Write the list of a folder's files, with their hashes, beside the folder."""
    beside = list_of(folder)
    scratch = beside.with_name(f"making-{os.urandom(8).hex()}")
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as stream:  # noqa: PTH123
        stream.write(sealed(folder.name, {"files": _listed(folder)}))
    scratch.replace(beside)


def is_recorded(folder: Path) -> bool:
    """Return whether a folder and the list of its files exist; the list is written once the folder is complete."""
    return list_of(folder).exists() and os.path.lexists(folder)


def is_whole(folder: Path) -> bool:
    """Return whether a folder's files are exactly those in its list; first delete `.pyc` files that Python added."""
    try:
        with opened(list_of(folder)) as stream:
            wanted = unsealed(folder.name, stream.read())["files"]
        if folder.is_symlink():
            return False
        for name in _names(folder) - wanted.keys():
            if not name.endswith(COMPILED):
                return False
            (folder / name).unlink()
        return bool(_listed(folder) == wanted)
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):
        return False


def list_of(folder: Path) -> Path:
    """Return the path of the list of a folder's files; the list lies beside the folder."""
    return folder.with_name(folder.name + LIST)


def remove(folder: Path) -> None:
    """Delete a folder's list, then the folder, so that a half-deleted folder is never taken for a complete one."""
    discard(list_of(folder))
    discard(folder)


def discard(path: Path) -> None:
    """Delete a file, a link, or a folder and everything in it; links are not followed."""
    if path.is_dir() and not path.is_symlink():
        with suppress(OSError):
            path.chmod(PRIVATE)
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _names(folder: Path) -> set[str]:
    """Return the paths, relative to a folder, of the files and links below it; links are not followed."""
    return {
        os.path.relpath(os.path.join(place, name), folder)  # noqa: PTH118  # with a Path per file this takes seconds
        for place, folders, files in os.walk(folder)
        for name in (*files, *(name for name in folders if os.path.islink(os.path.join(place, name))))  # noqa: PTH114, PTH118
    }


def _listed(folder: Path) -> dict[str, str]:
    return {name: _state(folder / name) for name in sorted(_names(folder))}


def _state(path: Path) -> str:
    """Return a text: for a file, its hash and whether it is executable; for a link, the path to which it leads."""
    if path.is_symlink():
        return f"link {path.readlink()}"
    return f"{'program' if path.stat().st_mode & stat.S_IXUSR else 'file'} {digest(path)}"
