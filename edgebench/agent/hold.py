"""An owner's name on standard input -> this target's lock, held until standard input ends.

It is sent as source, as `receive` is. The kernel lets go of the lock when the process dies, however that happens, so
none is ever left behind. First comes one line of JSON: `{"owner": "ada@laptop", "token": ...}`.
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
    """Take the lock and say nothing, or say who has it and for how many seconds.

    A holder of the same token is one that lost its link without this side noticing: it is ended.
    """
    handle = _open(Path(gettempdir()) / "edgebench.lock")
    if not _take(handle):
        held = json.loads(os.pread(handle, 4096, 0) or b"{}")
        if held.get("token") != token or not _end(held["pid"], handle):
            return {"owner": held.get("owner", "somebody"), "age_s": max(0.0, _uptime_s() - held.get("since_s", 0.0))}
    os.ftruncate(handle, 0)
    mine = {"owner": owner, "token": token, "pid": os.getpid(), "since_s": _uptime_s()}
    os.pwrite(handle, json.dumps(mine).encode(), 0)
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
    """Open the one lock of all users; Linux lets nobody create, in a shared folder, what another one owns."""
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        os.fchmod(handle, 0o666)
        return handle


def _uptime_s() -> float:
    """Return seconds since the board booted: its clock may be set meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main() -> None:
    """Answer at once, then stay until the other side goes."""
    value = hold(**json.loads(sys.stdin.buffer.readline()))
    print(f"\nedgebench-answer {json.dumps({'ok': True, 'value': value})}", flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
