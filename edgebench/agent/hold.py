"""Hold this machine's lock for the user named on standard input, until standard input ends.

All users of the machine share one lock file, whatever their home or temporary folder is. Every process that measures
here holds the lock, whether it was started by ssh or on the machine itself. The kernel releases the lock when the
holding process ends, so that no stale lock remains. The host sends the source code of this module to the board, just as
it sends the module `receive`. Standard input starts with one line of JSON: `{"owner": "ada@laptop", "token": ...}`.
"""

import errno
import fcntl
import json
import os
import signal
import stat
import sys
import time
from contextlib import suppress
from typing import Any

# Paths in folders in which every user may create files; the first path that can be opened is used.
PLACES = ("/tmp/edgebench.lock", "/dev/shm/edgebench.lock", "/run/lock/edgebench.lock")  # noqa: S108
VARIABLE = "EDGEBENCH_LOCK"  # names another lock file, for example to lock only some cores of a machine


def _opened() -> int:
    """Open this machine's lock file."""
    places = [os.environ[VARIABLE]] if os.environ.get(VARIABLE) else PLACES
    for path in places:
        try:
            return _open(path)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES, errno.ENOENT, errno.ENOTDIR) or path == places[-1]:
                why = "is a link" if error.errno == errno.ELOOP else error.strerror
                raise OSError(
                    error.errno,
                    f"cannot lock this machine: {path}: {why}; remove it, or set {VARIABLE} to another path",
                ) from error
    raise AssertionError("no folder for the lock file")


def hold(owner: str, token: str) -> dict[str, Any]:
    """Take the lock; return an empty `owner` on success, or the holder and the lock's age if another process holds it.

    The lock is held while the returned handle is open.

    If the process that holds the lock has exactly this `token`, it is left over from a broken connection of the same
    host, so it is killed. If the board is the host itself, the host already holds the lock, with the token `<process>`.
    A connection from this host has the token `<process>-<connection>`. This connection succeeds without taking the lock
    again, because its token begins with the host's token; `is_shared` is then true.

    Raises:
        OSError: the lock file cannot be opened, or is not a regular file; `strerror` says what to do.
    """
    handle = _opened()
    if not _take(handle):
        holder = _holder(handle)
        if token.startswith(f"{holder.get('token')}-"):
            return {"owner": "", "age_s": 0.0, "handle": handle, "is_shared": True}
        is_left_over = holder.get("token") == token and holder.get("pid", os.getpid()) != os.getpid()
        if not is_left_over or not _end(holder["pid"], handle):
            age_s = max(0.0, _uptime_s() - holder.get("since_s", 0.0))
            return {
                "owner": holder.get("owner", "an unknown user"), "age_s": age_s, "handle": handle, "is_shared": False
            }  # fmt: skip
    os.ftruncate(handle, 0)
    entry = {"owner": owner, "token": token, "pid": os.getpid(), "since_s": _uptime_s()}
    os.pwrite(handle, json.dumps(entry).encode(), 0)
    return {"owner": "", "age_s": 0.0, "handle": handle, "is_shared": False}


def _holder(handle: int) -> dict[str, Any]:
    """Return what the lock's holder wrote to the lock file; an empty dictionary if it is incomplete or invalid."""
    with suppress(ValueError):
        entry = json.loads(os.pread(handle, 4096, 0))
        return entry if isinstance(entry, dict) else {}
    return {}


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end(pid: int, handle: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for _ in range(100):
        if _take(handle):
            return True
        time.sleep(0.05)
    return False


def _open(path: str) -> int:
    """Open the lock file that all users share; refuse a link and anything else that is not a regular file."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:  # first without O_CREAT: Linux refuses that flag for another user's file in a shared folder
        handle = os.open(path, flags)
    except FileNotFoundError:
        try:
            handle = os.open(path, flags | os.O_CREAT | os.O_EXCL)
            os.fchmod(handle, 0o666)
        except FileExistsError:
            handle = os.open(path, flags)  # another process created the file between the two calls
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(handle)
        raise FileExistsError(errno.EEXIST, "is not a regular file, or has several hard links")
    return handle


def _uptime_s() -> float:
    """Return the seconds since boot; unlike the board's clock, they never jump."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main() -> None:
    """Answer at once, then wait until the host closes standard input."""
    try:
        holding = hold(**json.loads(sys.stdin.buffer.readline()))
        reply = {"ok": True, "value": {name: holding[name] for name in ("owner", "age_s", "is_shared")}}
    except OSError as error:
        reply = {"ok": False, "error": error.strerror}
    print(f"\nedgebench-answer {json.dumps(reply)}", flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
