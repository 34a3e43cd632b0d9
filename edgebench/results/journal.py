"""results/<name>/runs.jsonl <-> records: append-only, one line a record, flushed as it happens.

A record is what it says: a line that is there twice is one record, and records come in the order in which they were
made, however journals were copied, merged or put one behind the other. A line that is no sound record is set aside and
named; the others are used.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from weakref import finalize

from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.foundation.files import sync
from edgebench.results.upgrade import upgraded
from edgebench.schema.record import VERSION, Deployment, Record, Run, Session, Stop
from edgebench.schema.sound import fault

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from pathlib import Path
    from typing import IO

    from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError
    from pydantic_core import CoreSchema

JOURNAL = "runs.jsonl"
MOST_BYTES = 64 * 2**20  # of a line: the session of a sweep of 10,000 cases has a sixth of that
NAMED = 20  # lines set aside whose reasons are kept
_SESSION = b'"kind":"session"'
_NEVER = "~"  # after every time
_START = b'{"version":'  # of a line; inside one the quotes would be escaped


class _ByKind:
    """Has pydantic read only the type that `kind` names, instead of trying one after the other: 8 times as fast."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic import Field

        return handler(Annotated[source, Field(discriminator="kind")])


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """A journal's line: a record, and the version it was written in."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    version: Literal[2]
    record: Annotated[Record, _ByKind()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a journal's file; of one that is too long only the beginning is read."""

    number: int
    text: bytes
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether all of it was read."""
        return self.size <= MOST_BYTES


@cache
def _line_adapter() -> TypeAdapter[JournalLine]:
    from pydantic import TypeAdapter

    return TypeAdapter(JournalLine)


class _Distinct:
    """Records, each once, however its line was laid out."""

    def __init__(self) -> None:
        self.count = 0
        self._alike: dict[Hashable, list[Record]] = defaultdict(list)  # a record has dictionaries, and no hash

    def add(self, record: Record) -> bool:
        """Add a record; return whether it was not there yet."""
        id = record.id if isinstance(record, Session) else record.session
        alike = self._alike[type(record), id, getattr(record, "case", None), getattr(record, "started_at", "")]
        if record in alike:
            return False
        alike.append(record)
        self.count += 1
        return True


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
    """An append-only file of records, one JSON line each, flushed as it happens.

    Attributes:
        torn: number of lines that an interruption tore off; `older` of those that an older version wrote.
        aside: number of lines that are no sound record, and `reasons` why, of the first `NAMED`: file:line: reason.
        note: what happened to the file while this process wrote it, one sentence; empty if nothing did.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.torn = self.older = self.aside = 0
        self.reasons, self.note = list[str](), ""
        self._file: int | None = None  # kept open from the first record on
        self._appended, self._end = list[bytes](), 0

    def __iter__(self) -> Iterator[Record]:
        """Yield every record once, in order; a line that an interruption tore off is left out and counted in `torn`.

        One that an older version wrote is read in today's words and counted in `older`. One that is no sound record is
        left out, counted in `aside` and named in `reasons`.

        Only the last line can be torn, or one that the next session wrote on after.

        Raises:
            InvalidFile: the file cannot be read, or none of its lines can.
        """
        return iter(in_order([record for _, record in self.sound()]))

    def sound(self) -> Iterator[tuple[bytes, Record]]:
        """Yield every sound record once with its line, in the order of the lines.

        Raises:
            InvalidFile: the file cannot be read, or none of its lines can.
        """
        self.torn = self.older = self.aside = 0
        self.reasons, distinct, copies = [], _Distinct(), set[bytes]()
        for line, follower in self._with_followers():
            digest = hashlib.sha256(line.text).digest()
            if digest in copies:
                continue
            copies.add(digest)
            todays = upgraded(line.text) if line.is_whole else line.text
            record = self._decoded(line, todays, may_be_torn=_SESSION in follower)
            if record and distinct.add(record):
                self.older += todays is not line.text
                yield line.text, record
        if not distinct.count and self.aside:
            first = self.reasons[0].removeprefix(f"{JOURNAL}:")
            raise InvalidFile(f"{self.path}:{first}; none of its {self.aside} lines can be read")

    def _with_followers(self) -> Iterator[tuple[Line, bytes]]:
        """Yield each line with the text of the next one; the last could be followed by a session."""
        lines = self._lines()
        line = next(lines, None)
        while line:
            follower = next(lines, None)
            yield line, follower.text if follower else _SESSION
            line = follower

    def _lines(self) -> Iterator[Line]:
        """Yield the lines that are not empty; one whose end is missing may have another one behind it."""
        number = 0
        with self._opened() as stream:
            while text := stream.readline(MOST_BYTES + 1):
                number, size = number + 1, len(text)
                if size > MOST_BYTES and not text.endswith(b"\n"):
                    yield Line(number=number, text=text[:1000], size=size + _skip_line(stream))
                    continue
                for part in text.replace(_START, b"\n" + _START).split(b"\n"):
                    if part.strip():
                        yield Line(number=number, text=part, size=len(part))

    def _opened(self) -> IO[bytes]:
        try:
            if not self.path.exists():
                return open(os.devnull, "rb")  # noqa: PTH123  # a file without a line
            if stat.S_ISREG(mode := self.path.stat().st_mode) or stat.S_ISDIR(mode):
                return self.path.open("rb")
        except OSError as error:
            raise InvalidFile(f"cannot read {self.path}: {error.strerror}") from error
        raise InvalidFile(f"cannot read {self.path}: wanted a file, found a pipe or device")

    def _decoded(self, line: Line, todays: bytes, *, may_be_torn: bool) -> Record | None:
        """Return the line's record; None if it is torn, which is no JSON, or no sound record; either is counted."""
        from pydantic import ValidationError

        reason = f"a line of {line.size >> 20} MiB, wanted at most {MOST_BYTES >> 20} MiB"
        if line.is_whole:
            try:
                record = _line_adapter().validate_json(todays).record
            except ValidationError as error:
                if may_be_torn and error.errors()[0]["type"] == "json_invalid":
                    self.torn += 1
                    return None
                reason = _explained(error, todays) if len(self.reasons) < NAMED else ""
            except RequestError as error:  # a variant that cannot be
                reason = str(error)
            else:
                if not (reason := fault(record)):
                    return record
        self.aside += 1
        if len(self.reasons) < NAMED:
            self.reasons.append(f"{JOURNAL}:{line.number}: {reason}")
        return None

    def append(self, record: Record) -> None:
        """Write one record through to the disk.

        Raises:
            RequestError: the disk is full or the folder cannot be written; what was there before stands. Or the record
                could not be read back; it is not written.
        """
        line = self._encoded(record)
        self.settle()
        with self._writing():
            self._append(line)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RequestError(
                f"cannot write {self.path}: {error.strerror}; what was measured before is safe there"
            ) from error

    def _encoded(self, record: Record) -> bytes:
        """Return the record's line.

        Raises:
            RequestError: it would be set aside when it is read.
        """
        from pydantic import ValidationError
        from pydantic_core import PydanticSerializationError

        kind = type(record).__name__.lower()
        try:
            line = _line_adapter().dump_json(JournalLine(version=VERSION, record=record), warnings="error")
            reason = fault(_line_adapter().validate_json(line).record)
        except (ValidationError, PydanticSerializationError) as error:
            reason = " ".join(str(error).split())[:300]
        if reason or len(line) > MOST_BYTES:
            why = reason or f"it has {len(line) >> 20} MiB"
            raise RequestError(f"a {kind} cannot be kept in {self.path}: {why}; please report this as a bug")
        return line + b"\n"

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._open()
        assert self._file is not None
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            line = b"\n" + line  # close the line that a kill tore off
        _write(self._file, line)
        if not size:
            sync(self.path.parent)
        self._appended.append(line)
        self._end = os.fstat(self._file).st_size

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        finalize(self, os.close, self._file)

    def settle(self) -> None:
        """Write again what was removed, replaced or cut while this process wrote it; say so in `note`.

        Another journal in its place stays: records have an identity, so that both can stand in one file.

        Raises:
            RequestError: the file cannot be written.
        """
        if self._file is None or not (what := self._change(os.fstat(self._file))):
            return
        kept = self._appended if self._is_cut() else list(_blocks(self._file))
        with self._writing():
            self._restore(kept)
        lost = ", except lines of earlier runs" if kept is self._appended else ""
        self.note = f"{self.path} was {what} during the run: what it had is in it again{lost}."

    def _restore(self, kept: Sequence[bytes]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._open()
        assert self._file is not None
        if os.fstat(self._file).st_size:
            _write(self._file, b"\n")
        for part in kept:
            _write(self._file, part)
        self._end = os.fstat(self._file).st_size

    def _change(self, here: os.stat_result) -> str:
        """Return what happened to the file at the journal's path; empty if nothing did."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return "removed"
        if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
            return "replaced"
        return "cut" if self._is_cut() else ""

    def _is_cut(self) -> bool:
        assert self._file is not None
        return os.fstat(self._file).st_size < self._end


def _write(file: int, content: bytes) -> None:
    """Write through to the disk."""
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]
    os.fsync(file)


def _blocks(file: int) -> Iterator[bytes]:
    """Yield the content of an open file, also of one that was removed."""
    done = 0
    while block := os.pread(file, 2**20, done):
        yield block
        done += len(block)


def _skip_line(stream: IO[bytes]) -> int:
    """Read to the end of a line; return how many bytes that were."""
    size = 0
    while text := stream.readline(2**20):
        size += len(text)
        if text.endswith(b"\n"):
            break
    return size


def _explained(error: ValidationError, line: bytes) -> str:
    """Return key and problem of a line's first error, among those of its own kind of record."""
    kind, errors = "", error.errors(include_url=False, include_context=False, include_input=False)
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        kind = str(json.loads(line)["record"]["kind"]).lower()
    own = [one for one in errors if len(one["loc"]) > 1 and str(one["loc"][1]).lower() == kind]
    first = next((one for one in errors if one["loc"] == ("version",)), (own or errors)[0])
    key = ".".join(str(part) for part in first["loc"])[:200]
    wanted = f"this edgebench reads version {VERSION}" if key == "version" else first["msg"]
    return f"{key or 'line'}: {wanted}"


def existing(folder: Path) -> Journal:
    """Return the journal of a results folder.

    Raises:
        InvalidFile: it has none.
    """
    journal = Journal(folder)
    if not journal.path.exists():
        raise InvalidFile(f"no {JOURNAL} in {folder}: wanted a results folder such as results/default")
    return journal
