"""Unpack a copied zip of packages into a folder once, and verify the folder for every later request."""

import fcntl
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path, PurePosixPath
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from zipfile import ZipFile

from edgebench.foundation import seal
from edgebench.foundation.shelf import load


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Unpack the zip at `path` into a folder beside it, unless that folder exists and is intact.

    The answer's `damaged` says whether a damaged folder was replaced. If the request names a `runtime`, its engine is
    imported once after unpacking. This import makes Python compile modules; the folder's list of files, by which the
    folder is verified, then includes the compiled files.
    """
    archive = Path(request["path"])
    folder = archive.with_suffix("")
    is_damaged = False
    if not seal.is_whole(folder):
        is_damaged = seal.is_recorded(folder)
        seal.remove(folder)
        _unpack(archive, folder)
        if runtime := request.get("runtime"):
            _compile(folder, runtime)
        seal.record(folder)
    for used in (folder, seal.list_of(folder)):
        os.utime(used)  # the module `receive` deletes files that are unused for a month
    return {"folder": str(folder), "damaged": is_damaged}


def _unpack(archive: Path, folder: Path) -> None:
    scratch = Path(mkdtemp(dir=archive.parent, prefix="making-"))
    handle = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # `receive` deletes unfinished folders that no process has locked
        with ZipFile(archive) as packed:
            _require_inside(packed)
            packed.extractall(scratch)
        os.sync()  # otherwise a power cut could leave files without their content
        scratch.rename(folder)
    finally:
        os.close(handle)
        rmtree(scratch, ignore_errors=True)


def _require_inside(packed: ZipFile) -> None:
    """Refuse a zip with a link, or with a name that leads out of its folder.

    Raises:
        ValueError: an entry is a link, or its name leads out of the folder; the message names the entry.
    """
    for member in packed.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(member.external_attr >> 16):
            raise ValueError(f"{member.filename!r} in the packages leads out of their folder; nothing was unpacked")


def _compile(folder: Path, runtime: str) -> None:
    """Import the runtime's engine in a child process, so that a broken engine crashes only the child."""
    child = os.fork()
    if not child:
        with suppress(BaseException):
            sys.path.insert(0, str(folder))
            load("runtimes", runtime).prepare()
        os._exit(0)
    os.waitpid(child, 0)
