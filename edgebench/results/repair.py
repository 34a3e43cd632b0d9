"""A damaged journal -> a journal of its valid lines; the original is kept beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.foundation.lock import lock_folder
from edgebench.results.journal import existing, keep_damaged

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.results.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """The result of a repair.

    Attributes:
        kept: number of records in the repaired journal.
        aside: number of lines left out, including incomplete lines.
        reasons: for the first lines that were left out, what is wrong with each line.
        original: path of the original journal; None if the journal needed no repair.
    """

    kept: int
    aside: int
    reasons: tuple[str, ...]
    original: Path | None


def repair(folder: Path) -> Repaired:
    """Rewrite a results folder's journal with only its valid lines; keep the original.

    If all lines are valid, do nothing.

    Raises:
        Busy: a run is writing the journal.
        InvalidFile: there is no journal, or none of its lines can be read.
        RequestError: the folder cannot be written; the journal is unchanged.
    """
    journal = existing(folder)
    with lock_folder(folder):
        kept = sum(1 for _ in journal.sound())
        aside = journal.aside + journal.torn
        original = _replaced(journal) if aside else None
        return Repaired(kept=kept, aside=aside, reasons=tuple(journal.reasons), original=original)


def _replaced(journal: Journal) -> Path:
    """Replace the journal by its valid lines; return the path of the original, which no interruption can destroy."""
    path = journal.path
    scratch = path.with_name(f"making-{path.name}")
    try:
        with scratch.open("wb") as stream:
            stream.writelines(line.rstrip(b"\r\n") + b"\n" for line, _ in journal.sound())
        original = keep_damaged(path)
        scratch.replace(path)
    except OSError as error:
        raise RequestError(f"cannot repair {path}: {error.strerror}; it is unchanged") from error
    finally:
        scratch.unlink(missing_ok=True)
    return original
