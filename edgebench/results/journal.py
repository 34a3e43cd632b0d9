"""results/<name>/runs.jsonl <-> records: append-only, one line a record, flushed as it happens."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal

from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.results.upgrade import upgraded
from edgebench.schema.record import VERSION, Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import TypeAdapter

JOURNAL = "runs.jsonl"
_SESSION = b'"kind":"session"'


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """A journal's line: a record, and the version it was written in."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    version: Literal[2]
    record: Record


@cache
def _line_adapter() -> TypeAdapter[JournalLine]:
    from pydantic import TypeAdapter

    return TypeAdapter(JournalLine)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


class Journal:
    """An append-only file of records, one JSON line each, flushed as it happens."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.torn = self.older = 0

    def __iter__(self) -> Iterator[Record]:
        """Yield every record; a line that an interruption tore off is left out and counted in `torn`.

        One that an older version wrote is read in today's words and counted in `older`.

        Only the last line can be torn, or one that the next session wrote on after.

        Raises:
            InvalidFile: the file cannot be read, or a line is of another version or no record.
        """
        self.torn = self.older = 0
        lines = [(number, line) for number, line in enumerate(self._lines(), 1) if line]
        for place, (number, line) in enumerate(lines):
            follower = lines[place + 1][1] if place + 1 < len(lines) else _SESSION
            if not _is_json(line) and _SESSION in follower:
                self.torn += 1
            else:
                yield self._decode(number, line)

    def _lines(self) -> list[bytes]:
        try:
            return self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InvalidFile(f"cannot read {self.path}: {error.strerror}") from error

    def _decode(self, number: int, line: bytes) -> Record:
        from pydantic import ValidationError

        todays = upgraded(line)
        self.older += todays is not line
        try:
            return _line_adapter().validate_json(todays).record
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            wanted = f"this edgebench reads version {VERSION}" if key == "version" else first["msg"]
            raise InvalidFile(f"{self.path}:{number}: {key or 'line'}: {wanted}") from error

    def append(self, record: Record) -> None:
        """Write one record through to the disk.

        Raises:
            RequestError: the disk is full or the folder cannot be written; what was there before stands.
        """
        line = _line_adapter().dump_json(JournalLine(version=VERSION, record=record)).decode() + "\n"
        try:
            with self.path.open("ab") as stream:
                if stream.tell() and not self._ends_whole():
                    line = "\n" + line  # close the line that a kill tore off
                stream.write(line.encode())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise RequestError(
                f"cannot write {self.path}: {error.strerror}; what was measured before is safe there"
            ) from error

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read(1) == b"\n"


def existing(folder: Path) -> Journal:
    """Return the journal of a results folder.

    Raises:
        InvalidFile: it has none.
    """
    journal = Journal(folder)
    if not journal.path.exists():
        raise InvalidFile(f"no {JOURNAL} in {folder}: wanted a results folder such as results/default")
    return journal
