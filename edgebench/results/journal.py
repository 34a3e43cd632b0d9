"""results/<name>/runs.jsonl <-> records: append-only, one line per record, flushed at once.

Equal lines are one record, and records are sorted by the time of their creation, so that journals can be copied, merged
or concatenated. An invalid line is set aside and reported; all other lines are used.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from codecs import BOM_UTF8
from collections import defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from weakref import finalize

from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.foundation.files import sync
from edgebench.results.upgrade import upgraded
from edgebench.schema.record import VERSION, Deployment, Record, Run, Session, Stop
from edgebench.schema.sound import fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import IO

    from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError
    from pydantic_core import CoreSchema

JOURNAL = "runs.jsonl"
MOST_BYTES = 64 * 2**20  # bytes of the largest line; the session of a sweep of 10,000 cases needs a sixth of this
NAMED = 20  # number of invalid lines whose reasons are kept
_SESSION = b'"kind":"session"'
_NEVER = "~"  # sorts after all times, which are compared as texts
_START = b'{"version":'  # the beginning of every line; it cannot occur inside a line, because quotes are escaped there


class _ByKind:
    """A mark that makes pydantic decode only the type that `kind` names; trying all types takes 8 times as long."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic import Field

        return handler(Annotated[source, Field(discriminator="kind")])


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """The content of a journal's line: a record and its format version."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    version: Literal[2]
    record: Annotated[Record, _ByKind()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a journal's file; if the line is too long, only its beginning is kept."""

    number: int
    text: bytes
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether `text` has the whole line, not only its beginning."""
        return self.size <= MOST_BYTES


@cache
def _line_adapter() -> TypeAdapter[JournalLine]:
    from pydantic import TypeAdapter

    return TypeAdapter(JournalLine)


@cache
def _invalid() -> type[ValidationError]:
    """Return pydantic's error class; the result is cached, so that the import does not run for every line."""
    from pydantic import ValidationError

    return ValidationError


class _Distinct:
    """The distinct records so far; equal records are one record, even if their lines are formatted differently.

    If two sessions have the same process, one is a copy of the other under another id, and the process counts once.
    """

    def __init__(self) -> None:
        # Lists, because records contain dictionaries and cannot be hashed.
        self._processes = defaultdict[tuple[object, str], list[Run]](list)
        self._others = defaultdict[tuple[type, str, object], list[Record]](list)

    def add(self, record: Record) -> bool:
        """Add a record; return whether it is new."""
        if isinstance(record, Run):
            processes = self._processes[record.case, record.started_at]
            if any(record == replace(one, session=record.session) for one in processes):
                return False
            processes.append(record)
            return True
        id = record.id if isinstance(record, Session) else record.session
        others = self._others[type(record), id, getattr(record, "case", None)]
        if record in others:
            return False
        others.append(record)
        return True


def in_order(records: Sequence[Record]) -> list[Record]:
    """Sort sessions by start time, and the runs of a session by round; the order of the lines does not matter."""
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
    """An append-only file of records, one JSON line each, flushed at once.

    Attributes:
        torn: number of incomplete lines, which an interruption cut off.
        older: number of lines that an older version wrote.
        aside: number of invalid lines.
        reasons: `file:line: reason` of the first `NAMED` invalid lines.
        note: a sentence that reports that the file was removed, replaced or cut while this process wrote it; an empty
            text if that did not happen.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.torn = self.older = self.aside = 0
        self.reasons, self.note = list[str](), ""
        self._file: int | None = None  # opened for the first record, and then kept open
        self._appended, self._end = list[bytes](), 0
        self._lock = Lock()

    def __iter__(self) -> Iterator[Record]:
        """Yield every record once, in order; skip the lines that cannot be read, and count them.

        `torn` is the number of incomplete lines, which an interruption cut off: the file's last line, or the last line
        before a new session. `older` is the number of lines of an older version, which are upgraded. `aside` is the
        number of other invalid lines, and `reasons` says what is wrong with these.

        Raises:
            InvalidFile: the file cannot be read, or none of its lines can.
        """
        return iter(in_order([record for _, record in self.sound()]))

    def sound(self) -> Iterator[tuple[bytes, Record]]:
        """Yield every valid record once, with its line, in the order of the lines.

        Raises:
            InvalidFile: the file cannot be read, or none of its lines can.
        """
        distinct = _Distinct()
        for text, record, is_older in self._valid():
            if distinct.add(record):
                self.older += is_older
                yield text, record

    def lines(self) -> Iterator[tuple[bytes, Record]]:
        """Yield every valid line in the current format, with its record; equal lines are yielded once.

        In contrast to `sound`, no earlier record is kept in memory. So a record is yielded again if another line has
        the same record in a different format.

        Raises:
            InvalidFile: the file cannot be read, or none of its lines can.
        """
        for text, record, is_older in self._valid():
            yield (line_of(record) if is_older else text + b"\n"), record

    def _valid(self) -> Iterator[tuple[bytes, Record, bool]]:
        """Yield each distinct valid line, its record, and whether an older version wrote it; count the other lines."""
        self.torn = self.older = self.aside = 0
        self.reasons, copies, is_empty = [], set[bytes](), True
        for line, follower in self._with_followers():
            digest = hashlib.sha256(line.text).digest()
            if digest in copies:
                continue
            copies.add(digest)
            todays = upgraded(line.text) if line.is_whole else line.text
            if record := self._decoded(line, todays, may_be_torn=_SESSION in follower):
                is_empty = False
                yield line.text, record, todays is not line.text
        if is_empty and self.aside:
            first = self.reasons[0].removeprefix(f"{JOURNAL}:")
            raise InvalidFile(f"{self.path}:{first}; none of its {self.aside} lines can be read")

    def _with_followers(self) -> Iterator[tuple[Line, bytes]]:
        """Yield each line with the text of the next line; the last line is treated as if a session's line followed."""
        lines = self._lines()
        line = next(lines, None)
        while line:
            follower = next(lines, None)
            yield line, follower.text if follower else _SESSION
            line = follower

    def _lines(self) -> Iterator[Line]:
        """Yield the lines that are not empty; if a line break between two records was lost, split the line there."""
        number = 0
        with self._opened() as stream:
            while text := stream.readline(MOST_BYTES + 1):
                number, size = number + 1, len(text)
                if size > MOST_BYTES and not text.endswith(b"\n"):
                    yield Line(number=number, text=text[:1000], size=size + _skip_line(stream))
                    continue
                if number == 1:
                    text = text.removeprefix(BOM_UTF8)  # some editors begin a file with a byte order mark
                is_one = text.find(_START, 1) < 0  # nearly every line is one record; do not copy it
                for part in (text.rstrip(b"\n"),) if is_one else text.replace(_START, b"\n" + _START).split(b"\n"):
                    if part.strip():
                        yield Line(number=number, text=part, size=len(part))

    def _opened(self) -> IO[bytes]:
        try:
            if not self.path.exists():
                return open(os.devnull, "rb")  # noqa: PTH123  # a missing file reads as empty
            if stat.S_ISREG(mode := self.path.stat().st_mode) or stat.S_ISDIR(mode):
                return self.path.open("rb")
        except OSError as error:
            raise InvalidFile(f"cannot read {self.path}: {error.strerror}") from error
        raise InvalidFile(f"cannot read {self.path}: wanted a file, found a pipe or device")

    def _decoded(self, line: Line, todays: bytes, *, may_be_torn: bool) -> Record | None:
        """Return the line's record; count an incomplete or invalid line, and return None for it."""
        reason = f"a line of {line.size >> 20} MiB, wanted at most {MOST_BYTES >> 20} MiB"
        if line.is_whole:
            try:
                record = _line_adapter().validate_json(todays).record
            except _invalid() as error:
                if may_be_torn and error.errors()[0]["type"] == "json_invalid":
                    self.torn += 1
                    return None
                reason = _explained(error, todays) if len(self.reasons) < NAMED else ""
            except RequestError as error:  # the record describes a variant that cannot exist
                reason = str(error)
            else:
                if not (reason := fault(record)):
                    return record
        self.aside += 1
        if len(self.reasons) < NAMED:
            self.reasons.append(f"{JOURNAL}:{line.number}: {reason}")
        return None

    def current(self) -> tuple[Record, ...]:
        """Return the records in order, after restoring the file if it was lost; any thread may call this at any time.

        Raises:
            InvalidFile, RequestError
        """
        with self._lock:
            self.settle()
            return tuple(self)

    def append(self, record: Record) -> None:
        """Append one record and wait until it is on the disk; after an error, the journal is unchanged.

        Raises:
            RequestError: the disk is full, the folder cannot be written, or the record could not be read back.
        """
        line = self._encoded(record)
        with self._lock, self._writing():
            self.settle()
            self._append(line)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RequestError(
                f"cannot write {self.path}: {error.strerror}; earlier measurements in it are safe"
            ) from error

    def _encoded(self, record: Record) -> bytes:
        """Return the record's line.

        Raises:
            RequestError: the line would be invalid when read back.
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
            line = b"\n" + line  # ends the incomplete line that a killed process left
        _write(self._file, line)
        if not size:
            sync(self.path.parent)
        self._appended.append(line)
        self._end = os.fstat(self._file).st_size

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        finalize(self, os.close, self._file)

    def settle(self) -> None:
        """Restore the journal if it was removed, replaced or cut while this process wrote it; report that in `note`.

        If another journal was put in this journal's place, the lost records are appended to that other journal. Records
        cannot be confused, because each has a unique identity.

        Raises:
            RequestError: the file cannot be written.
        """
        if self._file is None or not (what := self._change(os.fstat(self._file))):
            return
        kept = self._appended if self._is_cut() else list(_blocks(self._file))
        with self._writing():
            self._restore(kept)
        lost = ", except lines of earlier runs" if kept is self._appended else ""
        self.note = f"{self.path} was {what} during the run; its lines were written again{lost}."

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
        """Return what happened to the file at the journal's path (removed, replaced or cut), or an empty text."""
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
    """Write all of the content and sync it to the disk."""
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]
    os.fsync(file)


def _blocks(file: int) -> Iterator[bytes]:
    """Yield the content of an open file, even if the file was removed from its folder."""
    done = 0
    while block := os.pread(file, 2**20, done):
        yield block
        done += len(block)


def _skip_line(stream: IO[bytes]) -> int:
    """Read to the end of a line; return the number of bytes read."""
    size = 0
    while text := stream.readline(2**20):
        size += len(text)
        if text.endswith(b"\n"):
            break
    return size


def _explained(error: ValidationError, line: bytes) -> str:
    """Return the key and the problem of a line's first error.

    If the line names its kind of record, errors that concern this kind are preferred to errors of other kinds.
    """
    kind, errors = "", error.errors(include_url=False, include_context=False, include_input=False)
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        kind = str(json.loads(line)["record"]["kind"]).lower()
    own = [one for one in errors if len(one["loc"]) > 1 and str(one["loc"][1]).lower() == kind]
    first = next((one for one in errors if one["loc"] == ("version",)), (own or errors)[0])
    key = ".".join(str(part) for part in first["loc"])[:200]
    wanted = f"this edgebench reads version {VERSION}" if key == "version" else first["msg"]
    return f"{key or 'line'}: {wanted}"


def line_of(record: Record) -> bytes:
    """Return a record's line in the current format, with its line break; equal records have equal lines."""
    return _line_adapter().dump_json(JournalLine(version=VERSION, record=record)) + b"\n"


def decoded(line: bytes) -> Record:
    """Return the record of a valid line in the current format."""
    return _line_adapter().validate_json(line).record


def keep_damaged(path: Path) -> Path:
    """Give a damaged journal a second name, the first free one of `runs.jsonl.damaged-<number>`; return that path.

    Raises:
        OSError: the folder cannot be written.
    """
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    original = next(name for name in names if not name.exists())
    original.hardlink_to(path)
    return original


def existing(folder: Path) -> Journal:
    """Return the journal of a results folder.

    Raises:
        InvalidFile: the folder has no journal.
    """
    journal = Journal(folder)
    if not journal.path.exists():
        raise InvalidFile(f"no {JOURNAL} in {folder}: wanted a results folder such as results/default")
    return journal
