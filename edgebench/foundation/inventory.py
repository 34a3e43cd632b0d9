"""The cache's folders -> the entries in them, each with its size and last use; this module also deletes entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edgebench.foundation import seal
from edgebench.foundation.cache import CARD
from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.files import HOME_VARIABLE, KINDS, alone, place

LOCK = ".lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """Files and folders of the cache that belong together, such as a file and the card that describes it.

    Attributes:
        used_at: time of the last use, or of creation if the entry was never used, in seconds since 1970.
    """

    kind: str
    paths: tuple[Path, ...]
    size_bytes: int
    used_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKind:
    """All entries of one kind in the cache, summed up; `used_at` is None if there are no entries."""

    kind: str
    entries: int
    size_bytes: int
    used_at: datetime | None


def entries(kind: str = "") -> tuple[CacheEntry, ...]:
    """List all entries of the cache, or the entries of one kind; the least recently used entry is first.

    Raises:
        UnknownName: there is no such kind.
        RequestError: the cache belongs to another user, or other users have permission to write to it.
    """
    require("kind of cached file", kind, KINDS, may_be_empty=True)
    listed = [entry for each in ([kind] if kind else KINDS) for entry in _entries(each)]
    return tuple(sorted(listed, key=lambda entry: (entry.used_at, entry.kind, entry.paths)))


def _entries(kind: str) -> Iterable[CacheEntry]:
    together = defaultdict[str, list[Path]](list)
    for path in sorted(place(kind).glob("*")):
        if path.suffix != LOCK:
            together[_stem(path)].append(path)
    for paths in together.values():
        statuses = [status for path in paths for status in _statuses(path)]
        used_at = max((max(status[1], status[2]) for status in statuses), default=0.0)
        yield CacheEntry(kind=kind, paths=(*paths,), size_bytes=sum(status[0] for status in statuses), used_at=used_at)


def _stem(path: Path) -> str:
    """Return the part of a file's name that all files of the same cache entry share."""
    if path.name.endswith(CARD):
        return path.name.removesuffix(CARD)
    return path.name if path.is_dir() and not path.is_symlink() else path.stem


def _statuses(path: Path) -> Iterable[tuple[int, float, float]]:
    """Yield a file's size, access time and modification time; for a folder, yield each file's size with times of 0."""
    is_folder = path.is_dir() and not path.is_symlink()
    for file in path.rglob("*") if is_folder else [path]:
        with suppress(OSError):  # another process has deleted the file
            status = file.lstat()
            yield (status.st_size, 0.0, 0.0) if is_folder else (status.st_size, status.st_atime, status.st_mtime)


def kinds(listed: Sequence[CacheEntry], kind: str = "") -> tuple[CacheKind, ...]:
    """Sum up the entries of each kind."""
    return tuple(
        _summed(each, [entry for entry in listed if entry.kind == each]) for each in ([kind] if kind else KINDS)
    )


def _summed(kind: str, listed: Sequence[CacheEntry]) -> CacheKind:
    used_at = max((entry.used_at for entry in listed), default=None)
    return CacheKind(
        kind=kind,
        entries=len(listed),
        size_bytes=sum(entry.size_bytes for entry in listed),
        used_at=None if used_at is None else datetime.fromtimestamp(used_at, UTC),
    )


def clear(kind: str = "") -> tuple[CacheEntry, ...]:
    """Delete all entries of the cache, or all of one kind; return the deleted entries.

    Raises:
        UnknownName: there is no such kind.
        Busy: another process uses the cache.
        RequestError: a file cannot be deleted.
    """
    with alone():
        return _deleted(entries(kind))


def bound(most_bytes: float, kind: str = "") -> tuple[CacheEntry, ...]:
    """Delete least recently used entries until at most `most_bytes` are left; return the deleted entries.

    Raises:
        UnknownName, Busy, RequestError: for the same reasons as in `clear`.
    """
    with alone():
        listed = entries(kind)
        total, excess = sum(entry.size_bytes for entry in listed), list[CacheEntry]()
        for entry in listed:
            if total <= most_bytes:
                break
            total -= entry.size_bytes
            excess.append(entry)
        return _deleted(excess)


def _deleted(listed: Iterable[CacheEntry]) -> tuple[CacheEntry, ...]:
    listed = tuple(listed)
    for path in (path for entry in listed for path in reversed(entry.paths)):
        try:
            seal.discard(path)
        except OSError as error:
            raise RequestError(
                f"cannot delete {path}: {error.strerror}; check its permissions, or set {HOME_VARIABLE}"
            ) from error
    return listed
