"""results/<name>/runs.jsonl <-> records: append-only, one line a record, flushed as it happens.

A record is what it says: a line that is there twice is one record, and records come in the order in which they were
made, however journals were copied, merged or put one behind the other.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal

from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.results.upgrade import upgraded
from edgebench.schema.record import VERSION, Deployment, Record, Run, Session, Stop

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from pathlib import Path

    from pydantic import TypeAdapter

JOURNAL = "runs.jsonl"
_SESSION = b'"kind":"session"'
_NEVER = "~"  # after every time
_START = b'{"version":'  # of a line; inside one the quotes would be escaped


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


class _Distinct:
    """Records in the order in which they are added, each once, however its line was laid out."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._alike: dict[Hashable, list[Record]] = defaultdict(
            list
        )  # a record has dictionaries, and no hash of its own

    def add(self, record: Record) -> None:
        """Add a record that is not there yet."""
        id = record.id if isinstance(record, Session) else record.session
        alike = self._alike[type(record), id, getattr(record, "case", None), getattr(record, "started_at", "")]
        if record not in alike:
            alike.append(record)
            self.records.append(record)


def in_order(records: Sequence[Record]) -> list[Record]:
    """Put sessions in the order in which they started, and runs in that of their rounds; the order of lines is none."""
    started = {record.id: record.started_at for record in records if isinstance(record, Session)}
    first_run = dict[str, str]()
    for record in records:
        if isinstance(record, Run):
            first_run[record.session] = min(record.started_at, first_run.get(record.session, record.started_at))

    def place(record: Record) -> tuple[str, str, str, int, int, str]:
        id = record.id if isinstance(record, Session) else record.session
        stage = next((rank for rank, kind in enumerate((Session, Deployment)) if isinstance(record, kind)), 2)
        turn = (record.round, record.started_at) if isinstance(record, Run) else (0, "")
        return started.get(id, ""), first_run.get(id, _NEVER), id, stage + isinstance(record, Stop), *turn

    return sorted(records, key=place)


class Journal:
    """An append-only file of records, one JSON line each, flushed as it happens."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.torn = self.older = 0

    def __iter__(self) -> Iterator[Record]:
        """Yield every record once, in order; a line that an interruption tore off is left out and counted in `torn`.

        One that an older version wrote is read in today's words and counted in `older`.

        Only the last line can be torn, or one that the next session wrote on after.

        Raises:
            InvalidFile: the file cannot be read, or a line is of another version or no record.
        """
        return iter(in_order(self._records()))

    def _records(self) -> list[Record]:
        """Read every record once, in the order of the lines."""
        lines, copies, torn = list(self._lines()), set[bytes](), set[bytes]()
        records, older = _Distinct(), _Distinct()
        for place, (number, line) in enumerate(lines):
            if line in copies:
                continue
            todays = upgraded(line)
            follower = lines[place + 1][1] if place + 1 < len(lines) else _SESSION
            record = self._decode(number, todays, may_be_torn=_SESSION in follower)
            if record is None:
                torn.add(line)
                continue
            copies.add(line)
            records.add(record)
            if todays is not line:
                older.add(record)
        self.torn, self.older = len(torn), len(older.records)
        return records.records

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that are not empty, by number; one whose end is missing may have another one behind it."""
        for number, text in enumerate(self._read().split(b"\n"), 1):
            for line in text.replace(_START, b"\n" + _START).split(b"\n"):
                if line.strip():
                    yield number, line

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise InvalidFile(f"cannot read {self.path}: {error.strerror}") from error

    def _decode(self, number: int, line: bytes, *, may_be_torn: bool) -> Record | None:
        """Return the record of a line; None of one that is torn, which is no JSON."""
        from pydantic import ValidationError

        try:
            return _line_adapter().validate_json(line).record
        except ValidationError as error:
            first = error.errors()[0]
            if may_be_torn and first["type"] == "json_invalid":
                return None
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
