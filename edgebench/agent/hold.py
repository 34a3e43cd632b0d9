"""An owner's name on standard input -> this target's lock, held until standard input ends.

The host sends this file as source code, as it does with `receive`. The kernel releases the lock whenever the process
ends, so that no stale lock remains. Standard input starts with one line of JSON:
`{"owner": "ada@laptop", "token": ...}`.
"""

import fcntl
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any


def hold(owner: str, token: str) -> dict[str, Any]:
    """Take the lock; return its current owner and for how many seconds it was held, or an empty owner on success.

    A holder with the same token belongs to a broken connection of the same host: it is killed.
    """
    handle = _open(Path(gettempdir()) / "edgebench.lock")
    if not _take(handle):
        holder = json.loads(os.pread(handle, 4096, 0) or b"{}")
        if holder.get("token") != token or not _end(holder["pid"], handle):
            age_s = max(0.0, _uptime_s() - holder.get("since_s", 0.0))
            return {"owner": holder.get("owner", "an unknown user"), "age_s": age_s}
    os.ftruncate(handle, 0)
    entry = {"owner": owner, "token": token, "pid": os.getpid(), "since_s": _uptime_s()}
    os.pwrite(handle, json.dumps(entry).encode(), 0)
    return {"owner": "", "age_s": 0.0}


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


def _open(path: Path) -> int:
    """Open the lock file that all users share; a link in its place could lead to a file of this user's."""
    try:  # without O_CREAT: Linux refuses that flag for another user's file in a shared folder
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        os.fchmod(handle, 0o666)
        return handle


def _uptime_s() -> float:
    """Return seconds since boot; unlike the board's clock these never jump."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main() -> None:
    """Answer at once, then wait until the host closes standard input."""
    value = hold(**json.loads(sys.stdin.buffer.readline()))
    print(f"\nedgebench-answer {json.dumps({'ok': True, 'value': value})}", flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
