"""The cache directory, which is private to one user; this module also hashes files and writes them safely.

Even if a process is killed or the power is cut, no file is left half written.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from time import time, time_ns
from typing import TYPE_CHECKING

from edgebench.foundation import seal
from edgebench.foundation.errors import Busy, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOME_VARIABLE = "EDGEBENCH_CACHE"
SCRATCH = "making-"  # prefix of the names of incomplete files and folders
HOUR_S = 3600.0
# What to do if a file cannot be written for a reason that has nothing to do with free space or permissions.
REMEDIES = {
    errno.EISDIR: "move that folder away",
    errno.EFBIG: "raise the limit on the size of files, which `ulimit -f` shows",
    errno.EMFILE: "raise the limit on open files, which `ulimit -n` shows",
    errno.ENAMETOOLONG: "choose a shorter name",
}
# The cache's folders and what each contains; edgebench changes nothing else below the cache directory.
KINDS = {
    "agent": "the program that runs on targets",
    "albums": "test pictures on which networks err most",
    "artifacts": "model files",
    "bases": "published weights with which the training of detectors starts",
    "bugs": "reports of bugs in edgebench",
    "datasets": "paths of data sets, and results of decoding",
    "descriptions": "computed costs of networks",
    "digests": "hashes of images",
    "durations": "how long earlier work took",
    "emulation": "the operating system of an emulated board",
    "evaluations": "accuracies found by this host",
    "inputs": "input arrays of models",
    "models": "copies of user-supplied models",
    "packages": "runtimes for targets",
    "pixels": "decoded images",
    "training": "unfinished trainings",
    "weights": "trained and user-supplied weights",
}
_IN_USE = ".in-use"  # each process holds a shared lock on this file while it uses the cache
_HANDLES = dict[Path, int]()
# Names of the temporary files that a killed process of this or an earlier version of edgebench leaves behind.
_LEFT = re.compile(r"making-[a-z0-9_]+(\.\w+)?|making-\d+-.+|.+\.making|tmp[a-z0-9_]{8}")
_KEPT = (".card.json", ".lock")


def home() -> Path:
    """Return the cache directory: `$EDGEBENCH_CACHE` if it is set, otherwise edgebench's folder in the user's cache."""
    return _home(os.environ.get(HOME_VARIABLE, ""))


@cache  # a sweep looks for thousands of files in the cache, and making the path would take longer than looking
def _home(stated: str) -> Path:
    from platformdirs import user_cache_path

    return Path(stated or user_cache_path("edgebench"))


def place(kind: str) -> Path:
    """Return the cache's folder for one kind of file, whether the folder exists or not.

    Raises:
        RequestError: the folder or the cache belongs to another user, is a link, or is writable for everybody.
    """
    assert kind in KINDS, kind  # the command `cache` lists, limits and deletes only known kinds
    root = home()
    path = root / kind
    _require_own(root, root.stat)
    _require_own(path, path.lstat)
    _join(root)
    return path


def folder(kind: str) -> Path:
    """Return the cache's folder for one kind of file; create it if it does not exist.

    Raises:
        RequestError: the folder cannot be created, or is not private to this user.
    """
    path = place(kind)
    try:
        make(path, seal.PRIVATE)
        if stat.S_IMODE(path.stat().st_mode) != seal.PRIVATE:
            with suppress(OSError):  # the cache is read-only
                path.chmod(seal.PRIVATE)
    except OSError as error:
        raise RequestError(
            f"cannot keep files in {path}: {error.strerror}; set {HOME_VARIABLE} to a writable folder"
        ) from error
    _join(path.parent)
    return path


def _require_own(path: Path, status_of: Callable[[], os.stat_result]) -> None:
    """Refuse a folder in which another user could put files."""
    advice = f"set {HOME_VARIABLE} to a folder of your own"
    try:
        status = status_of()
    except OSError:  # the folder is missing and will be created, or it cannot be read and creating it will say why
        return
    if stat.S_ISLNK(status.st_mode):
        raise RequestError(f"{path} is a link, and links out of the cache are not followed; remove it, or {advice}")
    if not stat.S_ISDIR(status.st_mode):  # such as /dev/null, whose mode the user must not be told to change
        raise RequestError(f"wanted a folder for the cache, found that {path} is none; {advice}")
    if status.st_uid != os.geteuid():
        raise RequestError(f"the cache folder {path} belongs to user {status.st_uid}, not to you; {advice}")
    if status.st_mode & stat.S_IWOTH:
        # A folder with the sticky bit, such as /tmp, is shared on purpose, so the message must not advise a new mode.
        tighten = "" if status.st_mode & stat.S_ISVTX else f"run chmod 700 {path}, or "
        raise RequestError(f"everybody may write to the cache folder {path}; {tighten}{advice}")


def _join(root: Path) -> None:
    """Hold a shared lock on the cache while this process lives.

    If no other process holds the lock, first delete the temporary files that killed processes left behind.
    """
    if (root in _HANDLES and os.fstat(_HANDLES[root]).st_nlink) or not root.is_dir():
        return
    try:
        handle = os.open(root / _IN_USE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:  # the cache is read-only, so it needs no lock: no process can delete files from it
        return
    _HANDLES[root] = handle
    if _is_alone(handle):
        _sweep(root)
    fcntl.flock(handle, fcntl.LOCK_SH)


def _is_alone(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(root: Path) -> None:
    """Delete temporary files and incomplete folders that killed processes left behind."""
    for path in (path for kind in KINDS if not (root / kind).is_symlink() for path in (root / kind).glob("*")):
        is_entry = path.name.endswith(_KEPT) or path.with_name(f"{path.stem}{_KEPT[0]}").exists()
        if _LEFT.fullmatch(path.name) and not is_entry:
            seal.discard(path)


@contextmanager
def alone() -> Iterator[Path]:
    """Lock the cache directory for this process alone, so that files can be deleted from it.

    Raises:
        Busy: another process uses the cache.
    """
    root = home()
    _require_own(root, root.stat)
    _join(root)
    handle = _HANDLES.get(root)
    if handle is not None and not _is_alone(handle):
        fcntl.flock(handle, fcntl.LOCK_SH)
        raise Busy(f"the cache {root} is in use by another process; run again when it ends")
    try:
        yield root
    finally:
        if handle is not None:
            fcntl.flock(handle, fcntl.LOCK_SH)


def used(path: Path) -> None:
    """Set a cached file's access time to now, which records its use; do so at most once an hour."""
    with suppress(OSError):  # the cache is read-only
        status = path.lstat()
        if time() - status.st_atime > HOUR_S:
            os.utime(path, ns=(time_ns(), status.st_mtime_ns), follow_symlinks=False)


def lock_file(path: Path) -> Path:
    """Return the path of a lock file; if there is a link at this path, delete it first."""
    if path.is_symlink():
        path.unlink(missing_ok=True)
    return path


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content, hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def make(folder: Path, mode: int = 0o777) -> None:
    """Create a folder and its parents with these permissions, and wait until they are on the disk.

    Raises:
        OSError: the folder cannot be created.
    """
    created = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(created):
        place.mkdir(mode, exist_ok=True)
        sync(place.parent)
    folder.mkdir(exist_ok=True)  # fails if there is a file at this path


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk.

    Raises:
        OSError: the disk is full or broken.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EROFS):  # some network file systems cannot sync folders
            raise
    finally:
        os.close(handle)


def settle(scratch: Path, path: Path) -> None:
    """Replace a file by another file; after a power cut, the path has either the old file or the complete new file.

    Raises:
        OSError: the disk is full or broken, or the folder cannot be written.
    """
    sync(scratch)
    scratch.replace(path)
    sync(path.parent)


def write(path: Path, content: bytes, advice: str = f"free space or set {HOME_VARIABLE}") -> None:
    """Replace a file, or a link, atomically: a reader sees either the old content or the complete new content.

    Raises:
        RequestError: the file cannot be written; the message ends with `advice`, unless the reason needs another one.
    """
    scratch = path.with_name(f"{SCRATCH}{os.urandom(8).hex()}")
    try:
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with open(handle, "wb") as stream:  # noqa: PTH123  # a handle
            stream.write(content)
        settle(scratch, path)
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, advice)
        raise RequestError(f"cannot write {path}: {error.strerror}; {remedy}") from error
    finally:
        scratch.unlink(missing_ok=True)
