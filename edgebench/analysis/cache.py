"""The cache's entries -> a sheet with the size and the last use of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from edgebench.foundation import inventory
from edgebench.foundation.files import KINDS, home
from edgebench.foundation.inventory import CacheEntry, CacheKind
from edgebench.foundation.sheet import IDENTITY, Column, Sheet
from edgebench.foundation.units import MIB, number

COLUMNS: tuple[Column[CacheKind], ...] = (
    Column.text("kind", lambda each: each.kind, IDENTITY),
    Column.text("what", lambda each: KINDS[each.kind], rank=4),
    Column.figure("entries", lambda each: each.entries),
    Column.figure("size MiB", lambda each: each.size_bytes / MIB, partial(number, digits=1)),
    Column.text(
        "last use (UTC)",
        lambda each: f"{each.used_at:%Y-%m-%d %H:%M}" if each.used_at else None,
        last_use=lambda each: each.used_at.isoformat(timespec="seconds") if each.used_at else None,
    ),
)


def sheet(kind: str = "", deleted: Sequence[CacheEntry] = ()) -> Sheet:
    """Return a sheet of the cache's content by kind, or of one kind; `deleted` are the entries just deleted.

    Raises:
        RequestError: the cache is not private to this user, or there is no such kind.
    """
    listed = inventory.entries(kind)
    notes = [f"{_size(listed)} MiB in {home()}; all but weights and models given as files can be made again."]
    if deleted:
        notes.insert(0, f"Deleted: {len(deleted)} entries of {_size(deleted)} MiB.")
    return Sheet.of("cache", COLUMNS, inventory.kinds(listed, kind), notes)


def _size(listed: Sequence[CacheEntry]) -> str:
    return number(sum(entry.size_bytes for entry in listed) / MIB, 1)
