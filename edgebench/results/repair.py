"""A damaged journal -> its sound lines as a journal, and the original beside it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.foundation.lock import lock
from edgebench.results.journal import Journal, existing

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What a repair did.

    Attributes:
        kept: number of records that the journal has now.
        aside: number of lines left out, torn ones included; `reasons` says why, for the first of them.
        original: the journal as it was; None if it needed no repair.
    """

    kept: int
    aside: int
    reasons: tuple[str, ...]
    original: Path | None


def repair(folder: Path) -> Repaired:
    """Write the sound lines of a results folder's journal; keep the original beside it, unless nothing is wrong.

    Raises:
        Busy: a run writes it.
        InvalidFile: there is no journal, or none of its lines can be read.
        RequestError: the folder cannot be written; the journal is unchanged.
    """
    with lock(str(folder.resolve())):
        journal = existing(folder)
        kept = sum(1 for _ in journal.sound())
        aside = journal.aside + journal.torn
        original = _replaced(journal) if aside else None
        return Repaired(kept=kept, aside=aside, reasons=tuple(journal.reasons), original=original)


def _replaced(journal: Journal) -> Path:
    """Put the sound lines in the journal's place; return the original, which is never without a name."""
    path = journal.path
    original, scratch = next(_free_names(path)), path.with_name(f"making-{path.name}")
    try:
        with scratch.open("wb") as stream:
            stream.writelines(line.rstrip(b"\r\n") + b"\n" for line, _ in journal.sound())
        original.hardlink_to(path)
        scratch.replace(path)
    except OSError as error:
        raise RequestError(f"cannot repair {path}: {error.strerror}; it is unchanged") from error
    finally:
        scratch.unlink(missing_ok=True)
    return original


def _free_names(path: Path) -> Iterator[Path]:
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    return (name for name in names if not name.exists())
