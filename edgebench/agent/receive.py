"""A file on standard input -> the target's cache, named by its hash, complete or not at all.

The host sends this file as source code before its input, because it also receives the agent itself: it uses the
standard library only. Its input is one line of JSON, `{"name": ..., "sha256": ..., "size": ..., "sent": true}`, then
the file's content.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import IO, Any

SPARE_BYTES = 64 * 2**20  # left free: a full root file system stops a board
OLD_S = 30 * 86400
MOST_BYTES = 4 * 2**30  # of the whole cache
CHUNK = 2**20


def home() -> Path:
    """Return edgebench's cache folder on this machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebench"


def receive(header: dict[str, Any], stream: IO[bytes]) -> dict[str, Any]:
    """Store the file unless it is in the cache; return its path, empty if it is neither cached nor sent.

    Raises:
        OSError: the content is damaged or incomplete, or the disk is full.
    """
    folder = home()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{header['sha256'][:16]}-{header['name']}"
    if path.exists() and _sha256(path) == header["sha256"]:
        path.touch()
        return {"path": str(path)}
    if not header["sent"]:
        return {"path": ""}
    _make_room(folder, header["size"], tuple(header.get("keep", ())))
    scratch = folder / f"receiving-{os.getpid()}"
    try:
        _write(stream, scratch, header)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    return {"path": str(path)}


def _write(stream: IO[bytes], scratch: Path, header: dict[str, Any]) -> None:
    with scratch.open("wb") as file:
        shutil.copyfileobj(stream, file, CHUNK)
        file.flush()
        os.fsync(file.fileno())
    if scratch.stat().st_size != header["size"]:
        raise OSError(f"{header['name']}: {header['size']} bytes were announced, {scratch.stat().st_size} arrived")
    if _sha256(scratch) != header["sha256"]:
        raise OSError(f"{header['name']} was damaged on its way")


def _make_room(folder: Path, size: int, keep: tuple[str, ...]) -> None:
    """Delete entries unused for a month, then the oldest above the size limit; never those that the host uses now.

    Ages are advice only: a board's clock may jump by years when it finds the network.

    Raises:
        OSError: the disk has too little space left.
    """
    total, now = 0, time.time()
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith(keep))
    for entry in sorted(entries, key=lambda entry: -entry.stat().st_mtime):
        age_s = now - entry.stat().st_mtime
        total += _bytes(entry)
        if age_s > OLD_S or (total + size > MOST_BYTES and age_s > 86400):  # entries of the last day may be in use
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        raise OSError(f"disk full: {free >> 20} MiB free in {folder}, {(size + SPARE_BYTES) >> 20} MiB needed")


def _bytes(entry: Path) -> int:
    files = entry.rglob("*") if entry.is_dir() else [entry]
    return sum(file.stat().st_size for file in files)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def main() -> None:
    """Answer as the agent does, with one marked line."""
    try:
        value = receive(json.loads(sys.stdin.buffer.readline()), sys.stdin.buffer)
        reply: dict[str, Any] = {"ok": True, "value": value}
    except OSError as error:
        reply = {"ok": False, "error": str(error)}
    print(f"\nedgebench-answer {json.dumps(reply)}")


if __name__ == "__main__":
    main()
