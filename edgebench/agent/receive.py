"""Store a file from standard input in the target's cache, named by its hash; never store an incomplete file.

The host first sends the source code of this module, because the agent is not yet on the target: this module receives
the agent, too. Therefore this module uses the standard library only. The rest of the input is one line of JSON,
`{"name": ..., "sha256": ..., "size": ..., "sent": true}`, and then the file's content.
"""

import fcntl
import hashlib
import json
import os
import shutil
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

SPARE_BYTES = 64 * 2**20  # disk space that must stay free, because a board with a full disk stops working
OLD_S = 30 * 86400
MOST_BYTES = 4 * 2**30  # number of bytes that the whole cache may take
CHUNK = 2**20
LEFT = ("making-", "receiving-", "tmp")  # prefixes of the names of incomplete files and folders


def home() -> Path:
    """Return edgebench's cache folder on this machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebench"


def receive(header: dict[str, Any], stream: IO[bytes]) -> dict[str, Any]:
    """Store the file unless it is cached; return its path, or an empty path if it is neither cached nor sent.

    Raises:
        OSError: the content is damaged or incomplete, the disk is full, or the cache folder is not private.
    """
    folder = _folder()
    path = folder / f"{header['sha256'][:16]}-{Path(header['name']).name}"
    if _sha256(path) == header["sha256"]:
        path.touch()
        return {"path": str(path)}
    if not header["sent"]:
        return {"path": ""}
    _sweep(folder)
    _make_room(folder, header["size"], tuple(header.get("keep", ())))
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    scratch = folder / f"receiving-{os.urandom(8).hex()}"
    try:
        _write(stream, scratch, header)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    return {"path": str(path)}


def _folder() -> Path:
    """Make the cache folder, or check that it is private to this user.

    Raises:
        OSError: the folder belongs to another user, or all users are allowed to write to it.
    """
    folder = home()
    folder.mkdir(0o700, parents=True, exist_ok=True)
    status = folder.stat()  # a symbolic link is followed, because the user may have moved the folder to another disk
    if status.st_uid != os.geteuid() or status.st_mode & stat.S_IWOTH:
        raise OSError(
            f"{folder} on the target belongs to another user, or everybody may write to it; change its owner or mode"
        )
    folder.chmod(0o700)
    return folder


def _sweep(folder: Path) -> None:
    """Delete the files of killed processes; a live process holds a lock on the file that it writes."""
    for entry in folder.iterdir():
        if not entry.name.startswith(LEFT):
            continue
        with suppress(OSError):  # raised if a live process holds the lock
            handle = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _delete(entry)
            finally:
                os.close(handle)


def _delete(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()


def _write(stream: IO[bytes], scratch: Path, header: dict[str, Any]) -> None:
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as file:  # noqa: PTH123  # a handle
        fcntl.flock(handle, fcntl.LOCK_EX)
        shutil.copyfileobj(stream, file, CHUNK)
        file.flush()
        os.fsync(file.fileno())
    if scratch.stat().st_size != header["size"]:
        raise OSError(f"{header['name']}: {header['size']} bytes were announced, {scratch.stat().st_size} arrived")
    if _sha256(scratch) != header["sha256"]:
        raise OSError(f"{header['name']} was damaged on its way")


def _make_room(folder: Path, size: int, keep: tuple[str, ...]) -> None:
    """Delete entries unused for a month, and the oldest entries if the cache would exceed its size limit.

    Entries whose names begin with a text in `keep` stay, because the host uses them. Ages are only a hint: a board's
    clock may jump by years when it gets the time from the network.

    Raises:
        OSError: the disk has too little space left.
    """
    total, now = 0, time.time()
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith(keep))
    for entry in sorted(entries, key=lambda entry: -entry.lstat().st_mtime):
        age_s = now - entry.lstat().st_mtime
        total += _bytes(entry)
        if age_s > OLD_S or (total + size > MOST_BYTES and age_s > 86400):  # a younger entry is possibly in use
            _delete(entry)
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        raise OSError(f"disk full: {free >> 20} MiB free in {folder}, {(size + SPARE_BYTES) >> 20} MiB needed")


def _bytes(entry: Path) -> int:
    files = entry.rglob("*") if entry.is_dir() and not entry.is_symlink() else [entry]
    return sum(file.lstat().st_size for file in files)


def _sha256(path: Path) -> str:
    """Return the hash of a file; an empty text if the file is missing, unreadable, or owned by another user."""
    digest = hashlib.sha256()
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return ""
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()


def main() -> None:
    """Print the answer as the agent does, on one line that begins with `edgebench-answer`."""
    try:
        value = receive(json.loads(sys.stdin.buffer.readline()), sys.stdin.buffer)
        reply: dict[str, Any] = {"ok": True, "value": value}
    except OSError as error:
        reply = {"ok": False, "error": str(error)}
    print(f"\nedgebench-answer {json.dumps(reply)}")


if __name__ == "__main__":
    main()
