"""A results folder or a board -> a lock that reserves it for this process."""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation.errors import Busy, RequestError
from edgebench.foundation.files import make

if TYPE_CHECKING:
    from collections.abc import Iterator


ANOTHER, OWNER = "another process", ".owner"


@contextmanager
def lock_folder(folder: Path, label: str = "") -> Iterator[None]:
    """Create a folder and lock it against all other processes, of any user; error messages call it `label`.

    The folder itself is locked, so no lock file remains in it. If the file system cannot lock folders, a lock file
    outside of the folder is locked instead; this keeps out other processes of this user, but not of other users.

    Raises:
        Busy: another process holds the lock.
        RequestError: the folder cannot be created.
    """
    try:
        make(folder)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise RequestError(f"cannot make {folder}: {error.strerror}; choose a folder you may write") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(_in_use(label or str(folder), _holder(os.fstat(handle).st_ino) or ANOTHER)) from None
    except OSError:
        with lock(str(folder.resolve()), label):
            yield
    else:
        yield
    finally:
        os.close(handle)


def holder(name: str) -> str:
    """Describe the process that holds the lock `name`; an empty text if no process holds it. No lock is taken."""
    path = _path(name)
    return _described(path) if locked_by(path) else ""


def locked_by(path: Path) -> str:
    """Describe the process that holds the lock on a file; an empty text if none does, or the kernel names none."""
    try:
        return _holder(path.stat().st_ino)
    except OSError:
        return ""


def _holder(inode: int) -> str:
    """Describe the process that holds the lock on an inode; an empty text if the kernel names none."""
    with suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
                return f"process {words[4]}"
    return ""


def _in_use(what: str, who: str) -> str:
    return f"{what} is in use by {who}: two runs at once would disturb each other; run again when the other run ends"


@contextmanager
def lock(name: str, label: str = "") -> Iterator[None]:
    """Take the lock `name`, which only one process of this user can hold at a time.

    Error messages show `label`, or `name` if `label` is empty.

    Raises:
        Busy: another process holds the lock.
        RequestError: the lock file cannot be created.
    """
    from filelock import FileLock, Timeout

    path = _path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file_lock = FileLock(path, thread_local=False)  # another thread may release it
        file_lock.acquire(timeout=0)
    except Timeout:
        raise Busy(_in_use(label or name, _described(path))) from None
    except OSError as error:
        raise RequestError(f"cannot keep a lock in {path.parent}: {error.strerror}; set XDG_STATE_HOME") from error
    with file_lock:
        with suppress(OSError):  # only error messages use this file; the lock works without it
            path.with_suffix(OWNER).write_text(f"process {os.getpid()} since {datetime.now():%H:%M}", encoding="utf-8")
        yield


def _path(name: str) -> Path:
    """Return the path of a lock's file."""
    from platformdirs import user_state_path

    return user_state_path("edgebench") / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"


def _described(path: Path) -> str:
    """Return what the holder of a lock wrote about itself."""
    owner = path.with_suffix(OWNER)
    return owner.read_text(encoding="utf-8") if owner.exists() else ANOTHER
