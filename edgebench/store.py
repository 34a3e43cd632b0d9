"""targets/*.toml, sweeps and results/ <-> values."""

from __future__ import annotations

import json
import os
import re
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from edgebench.errors import Busy, InvalidFile, RequestError, UnknownName
from edgebench.record import VERSION, Record
from edgebench.spec import Sweep, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

_PACKAGE = Path(__file__).parent
JOURNAL = "runs.jsonl"
SWEEP = "sweep.toml"


def _config() -> Path:
    from platformdirs import user_config_path

    return user_config_path("edgebench")


def _shelves(kind: str) -> tuple[Path, ...]:
    """Where TOML files of a kind are looked up: here, the user's, the shipped ones (in a wheel or a checkout)."""
    return Path(kind), _config() / kind, _PACKAGE / kind, _PACKAGE.parent / kind


def _files(kind: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for shelf in _shelves(kind):
        for path in sorted(shelf.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def targets() -> tuple[str, ...]:
    """List the targets that a name can stand for."""
    return tuple(_files("targets"))


def target(name: str) -> Target:
    """Read a target; its file's stem is its name.

    Raises:
        UnknownName, InvalidFile
    """
    files = _files("targets")
    if name not in files:
        raise UnknownName("target", name, tuple(files))
    return _read_toml(files[name], Target, name=name)


def sweep(name: str) -> Sweep:
    """Read a sweep: a path to a TOML file, or the name of a shipped one.

    Raises:
        UnknownName, InvalidFile
    """
    if name.endswith(".toml"):
        path = Path(name)
        return _read_toml(path, Sweep, name=path.stem)
    files = _files("sweeps")
    if name not in files:
        raise UnknownName("sweep", name, tuple(files))
    return _read_toml(files[name], Sweep, name=name)


def _read_toml(path: Path, kind: type[T], *, name: str) -> T:
    from pydantic import TypeAdapter, ValidationError

    try:
        text = path.read_text()
        content = {"name": name} | tomllib.loads(text)
        # By way of JSON, where a list may be a tuple and a string an enum though types are strict.
        return TypeAdapter(kind).validate_json(json.dumps(content, default=str))
    except OSError as error:
        raise InvalidFile(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        raise InvalidFile(_explain(path, text, error)) from error
    except RequestError as error:
        raise InvalidFile(f"{path}: {error}") from error


def _explain(path: Path, text: str, error: ValidationError) -> str:
    """Say the file, line and key of the first thing that is wrong."""
    first = error.errors()[0]
    where = [part for part in first["loc"] if isinstance(part, (str, int))]
    key = ".".join(str(part) for part in where)
    said = {"unexpected_keyword_argument": "unknown key", "missing": "missing", "missing_argument": "missing"}
    problem = said.get(first["type"]) or f"{first['msg']}, found {first['input']!r}"
    return f"{path}:{_line(text, where)}: {key}: {problem}"


def _line(text: str, where: list[str | int]) -> int:
    """Find the line of a key, inside the right `[[block]]` where there are several; 1 where it is not there."""
    lines, start = text.splitlines(), 0
    if len(where) > 1 and isinstance(where[1], int):
        blocks = [number for number, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{where[0]}\s*\]\]", line)]
        start = blocks[where[1]] if where[1] < len(blocks) else 0
    keys = [part for part in where if isinstance(part, str)]
    for number, line in enumerate(lines[start:], start + 1):
        if re.match(rf"\s*\[*\s*\"?{re.escape(keys[-1])}\"?\s*[\]=.]", line):
            return number
    return start + 1


def write_sweep(folder: Path, sweep: Sweep) -> None:
    """Keep the request beside its answers, as the TOML that asks for it again.

    Raises:
        RequestError: the disk is full or the folder cannot be written.
    """
    write(folder / SWEEP, _toml(sweep))


def write(path: Path, text: str) -> None:
    """Replace a file whole: a reader sees the old text or the new one.

    Raises:
        RequestError: the disk is full or the folder cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_text(text)
        scratch.replace(path)
    except OSError as error:
        raise RequestError(f"cannot write {path}: {error.strerror}") from error
    finally:
        scratch.unlink(missing_ok=True)


def _toml(sweep: Sweep) -> str:
    from tomli_w import dumps

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        return str(value) if isinstance(value, str) else value

    fields = {name: plain(getattr(sweep, name)) for name in sweep.__slots__ if name not in ("models", "name")}
    models = [
        {name: plain(value) for name in model.__slots__ if (value := getattr(model, name)) is not None}
        for model in sweep.models
    ]
    return dumps({key: value for key, value in fields.items() if value != ""} | {"models": models})


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold a target or a results folder for this process.

    Raises:
        Busy: another process holds it.
    """
    from filelock import FileLock, Timeout
    from platformdirs import user_state_path

    path = user_state_path("edgebench", ensure_exists=True) / f"{re.sub('[^A-Za-z0-9._-]', '_', name)}.lock"
    owner = path.with_suffix(".owner")
    try:
        with FileLock(path, timeout=0):
            owner.write_text(f"process {os.getpid()} since {datetime.now():%H:%M}")
            yield
    except Timeout:
        who = owner.read_text() if owner.exists() else "another process"
        raise Busy(f"{name} is in use by {who}: two at once would disturb each other; run again when it ends") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A journal's line: a record, and the version it was written in."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    version: Literal[1]
    record: Record


@cache
def _line_adapter() -> TypeAdapter[Line]:
    from pydantic import TypeAdapter

    return TypeAdapter(Line)


class Journal:
    """An append-only file of records, one JSON line each, flushed as it happens."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.torn = 0

    def __iter__(self) -> Iterator[Record]:
        """Yield every record; a line that a kill tore off is counted in `torn` and left out.

        Raises:
            InvalidFile: a line is of a newer version or not a record.
        """
        self.torn = 0
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        for number, line in enumerate(lines, 1):
            if line and (record := self._decode(number, line)):
                yield record

    def _decode(self, number: int, line: bytes) -> Record | None:
        from pydantic import ValidationError

        try:
            return _line_adapter().validate_json(line).record
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "json_invalid":
                self.torn += 1
                return None
            if (version := json.loads(line).get("version")) != VERSION:
                raise InvalidFile(f"{self.path}:{number}: version {version}: this edgebench reads {VERSION}") from error
            key = ".".join(str(part) for part in first["loc"])
            raise InvalidFile(f"{self.path}:{number}: {key}: {first['msg']}") from error

    def append(self, record: Record) -> None:
        """Write one record through to the disk.

        Raises:
            RequestError: the disk is full or the folder cannot be written; what was there before stands.
        """
        line = _line_adapter().dump_json(Line(version=VERSION, record=record)).decode() + "\n"
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


def existing_journal(name: str) -> Journal:
    """Return the journal of `results/<name>/`, empty where there is none; nothing is made."""
    return Journal(Path("results") / name)


def results_folder(name: str) -> Path:
    """Make `results/<name>/`.

    Raises:
        RequestError: the name is no folder's name, or the folder cannot be made or written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise RequestError(f"wanted a name of letters, digits, '.', '_' and '-' for the results, found {name!r}")
    folder = Path("results") / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot make {folder}: {error.strerror}; run in a folder you may write") from error
    if not os.access(folder, os.W_OK):
        raise RequestError(f"cannot write {folder}: Permission denied; run in a folder you may write")
    return folder
