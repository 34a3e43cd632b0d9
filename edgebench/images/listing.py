"""A folder -> the names of its pictures, with each real file only once, and notices about its other files."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"),
    *(".tga", ".tif", ".tiff", ".webp"),
)
LABELS, ORDERS = ("labels.txt", "val.txt"), ("classes.txt", "labels.txt", "synset_words.txt")
JUNK = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}  # written by operating systems
JUNK |= {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
NAMED, KINDS = 3, 8  # the largest numbers of file names and of suffixes in a notice

# A stamp consists of a file's size, inode, mtime and ctime (times in ns); it changes whenever the content changes.
# The mtime alone would not be enough, because any program may set it; only the kernel sets the ctime.
Stamp = tuple[int, int, int, int]
Identity = tuple[int, int]  # device and inode, which identify a real file


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The files below a folder; names are relative to the data set's root.

    Attributes:
        stamps: a mapping from each picture's name to its stamp, which is all zeros for a broken link.
        folders: names of the direct subfolders.
        empty: names of the direct subfolders that contain no file.
        repeated: for a file or folder with several names, a mapping from each further name to the name under which it
            is listed.
        notices: what the user should know about files that are not read.
    """

    stamps: dict[str, Stamp]
    folders: frozenset[str]
    empty: frozenset[str]
    repeated: dict[str, str]
    notices: tuple[str, ...]


def pictures(root: Path, below: str) -> Listing:
    """List the pictures below a folder of the data set.

    Links are followed, even out of the folder. A file or folder with several names is listed once, under its real name
    or the name of the first link.

    Raises:
        RequestError: a folder cannot be read.
    """
    walk = _Walk(os.fspath(root / below), below)
    walk.run()
    found, others, filled = dict[str, Stamp](), Counter[str](), set[str]()
    for name, status in walk.files():
        filled.add(name.removeprefix(below).partition(os.sep)[0])
        if not name.lower().endswith(SUFFIXES) or (status and not S_ISREG(status.st_mode)):
            others[_kind(name, status)] += 1
        else:
            found[name] = _stamp(status) if status else (0, 0, 0, 0)
    notices = tuple(_notices(below, len(found), others, walk.repeated))
    folders = walk.folders()
    return Listing(stamps=found, folders=folders, empty=folders - filled, repeated=walk.repeated, notices=notices)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def is_junk(name: str) -> bool:
    """Return whether a file is hidden, or has the name of a file that operating systems write."""
    return name.startswith(".") or name.lower() in JUNK


class _Walk:
    """A walk through folders that enters each real folder only once, so that it ends even if links form a loop."""

    def __init__(self, top: str, below: str) -> None:
        self._prefix, self._below = os.path.join(top, ""), below  # noqa: PTH118  # a Path per file is slow
        self._top, self._links = top, list[str]()
        self._statuses = dict[str, os.stat_result | None]()
        self._known, self._entered = dict[Identity, str](), list[str]()
        self.repeated = dict[str, str]()

    def run(self) -> None:
        """Enter real folders first, then the targets of links, so that real names are found before names of links."""
        self._is_new(self._top, os.stat(self._top))  # noqa: PTH116  # a Path per file is slow
        self._enter([self._top])
        while self._links:
            links, self._links = sorted(self._links), []
            self._enter([link for link in links if self._leads_to_new_folder(link)])

    def files(self) -> Iterator[tuple[str, os.stat_result | None]]:
        """Yield each file's name and status, only once per file; for a broken link, the status is None."""
        for path, status in self._statuses.items():
            if status is None or self._is_new(path, status):
                yield self._name(path), status

    def folders(self) -> frozenset[str]:
        """Return the names of the direct subfolders."""
        names = (path.removeprefix(self._prefix) for path in self._entered if path != self._top)
        return frozenset(name for name in names if os.sep not in name)

    def _name(self, path: str) -> str:
        return self._below + path.removeprefix(self._prefix) if path != self._top else "the folder itself"

    def _is_new(self, path: str, status: os.stat_result) -> bool:
        first = self._known.setdefault((status.st_dev, status.st_ino), path)
        if first != path:
            self.repeated[self._name(path)] = self._name(first)
        return first == path

    def _enter(self, folders: list[str]) -> None:
        """Collect the files below these folders, sorted by name; keep links for a later walk, which follows them."""
        files = dict[str, os.stat_result]()
        while folders:
            self._entered.append(folder := folders.pop())
            for entry in _entries(folder):
                if entry.is_symlink():
                    self._links.append(entry.path)
                elif not entry.is_dir():
                    files[entry.path] = entry.stat()
                elif self._is_new(entry.path, entry.stat()):
                    folders.append(entry.path)
        self._statuses |= dict(sorted(files.items()))

    def _leads_to_new_folder(self, link: str) -> bool:
        try:
            status = os.stat(link)  # noqa: PTH116  # a Path per file is slow
        except OSError:  # a broken link, or a link to itself
            self._statuses[link] = None
            return False
        if S_ISDIR(status.st_mode):
            return self._is_new(link, status)
        self._statuses[link] = status
        return False


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_junk(entry.name)]
    except OSError as error:
        raise RequestError(f"cannot read {folder}: {error.strerror}; make it readable, or take it away") from error


def _kind(name: str, status: os.stat_result | None) -> str:
    """Return why a file is not a picture, for example its suffix; an empty text for a list of labels or classes."""
    if status is None:
        return f"link to nothing, {printable(name)}"
    if not S_ISREG(status.st_mode):
        return "not a regular file"
    _, _, file = name.rpartition(os.sep)
    if file in (*LABELS, *ORDERS):
        return ""
    return printable(os.path.splitext(file)[1].lower()) or "without a suffix"  # noqa: PTH122  # a Path per file is slow


def _notices(below: str, count: int, others: Counter[str], repeated: dict[str, str]) -> Iterator[str]:
    others.pop("", None)
    if total := others.total():
        kinds = some([f"{number} {kind}" for kind, number in sorted(others.items(), key=_rank)], KINDS)
        where = f" in {below}" if below else ""
        yield f"{total} of {count + total} files{where} are not readable images and are left out: {kinds}"
    if repeated:
        pairs = [f"{printable(name)} is {printable(first)}" for name, first in sorted(repeated.items())]
        yield f"{len(repeated)} names are links to files already counted, and are not counted again: {some(pairs)}"


def _rank(counted: tuple[str, int]) -> tuple[int, str]:
    """Return a sort key that puts items with higher counts first, and items with equal counts in order of name."""
    return -counted[1], counted[0]


def some(names: list[str], most: int = NAMED) -> str:
    """Join the first few names; `...` stands for all further names."""
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def printable(name: str) -> str:
    """Return a file's name; bytes that are not text are escaped."""
    return os.fsencode(name).decode(errors="backslashreplace")
