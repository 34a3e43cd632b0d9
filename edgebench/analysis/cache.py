"""The cache's entries -> a table of the size and the last use of each kind of entry."""

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
    """Return a table of the cache's content, one row per kind of entry. If `kind` is given, the table has only the row
    of that kind.

    `deleted` are the entries that were just deleted.

    Raises:
        RequestError: the cache is not private to this user, or no kind of entry has this name.
    """
    listed = inventory.entries(kind)
    again = "edgebench can make all of it again, except weights and models that were given as files"
    notes = [f"{_size(listed)} MiB in {home()}; {again}."]
    if deleted:
        notes.insert(0, f"Deleted: {len(deleted)} entries with {_size(deleted)} MiB in all.")
    return Sheet.of("cache", COLUMNS, inventory.kinds(listed, kind), notes)


def _size(listed: Sequence[CacheEntry]) -> str:
    return number(sum(entry.size_bytes for entry in listed) / MIB, 1)
