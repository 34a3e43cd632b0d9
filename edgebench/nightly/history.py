"""Files in results/nightly/ <-> nights, acceptances, decisions, environments; copying files merges two histories.

    nights/20261123T001248Z-<id>.json.gz     figures and verdicts, never deleted
    accepted/20261124T090000Z-<id>.json      which night became the baseline, and why
    decided/20261124T091500Z-<id>.json       which change was acknowledged, assigned or marked as invalid, and why
    pinned/<sha256>.onnx, .pyz, .json        files of the measured environments
    raw/20261123T001248Z-<id>/runs.jsonl     all samples; kept for the last 60 nights
    raw/20261123T001248Z-<id>/begun.json     the night as it began; sweep.toml beside it is the sweep that it measures

Each file is written atomically under a unique name and never changed, so a killed process leaves a valid history.
gzip's checksum reveals damaged files. The nights of a year with 300 configurations are read in seconds.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edgebench.foundation import collector, files
from edgebench.foundation.errors import CaseError, InvalidFile, RequestError
from edgebench.foundation.unpack import gunzip
from edgebench.nightly.night import Acceptance, Decision, History, Night, Pin, fault, following

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import TypeAdapter

NIGHTS, ACCEPTED, DECIDED, PINNED, RAW = "nights", "accepted", "decided", "pinned", "raw"
PIN_DIGITS = 16  # a pin is named by this number of hexadecimal digits, the first digits of its content's hash
MOST_BYTES = 2**28  # most bytes of a night's unpacked file; a thousand configurations need a hundredth of this
BEGUN = "begun.json"
# a killed night that began longer ago is not continued, because it belongs to another day
RESUMED_WITHIN = timedelta(hours=12)
RAW_NIGHTS = 60  # number of nights whose samples are kept, as many as the HTML page shows
ADVICE = "free disk space or choose a writable folder; the history is unchanged"

T = TypeVar("T", Acceptance, Decision, Night, Pin)
Note = TypeVar("Note", Acceptance, Decision)
VERSION_1 = b'{"version": 1,'


def read(folder: Path) -> History:
    """Read a history; skip unreadable files and duplicate nights, and list them in its notes."""
    notes = list[str]()
    with collector.paused():
        nights = _read_nights(folder / NIGHTS, notes)
    acceptances = tuple(_read_notes(folder / ACCEPTED, Acceptance, notes))
    decisions = tuple(_read_notes(folder / DECIDED, Decision, notes))
    return History(
        nights=tuple(sorted(nights.values(), key=lambda night: night.place)),
        acceptances=tuple(sorted(acceptances, key=lambda acceptance: acceptance.place)),
        decisions=tuple(sorted(decisions, key=lambda decision: decision.place)),
        notes=tuple(notes),
    )


def _read_nights(folder: Path, notes: list[str]) -> dict[str, Night]:
    nights = dict[str, Night]()
    for path in sorted(folder.glob("[0-9]*.json.gz")):
        try:
            night = _read_night(path)
        except InvalidFile as error:
            notes.append(str(error))
            continue
        if night.id in nights:
            notes.append(f"{path.name}: skipped: a duplicate of night {nights[night.id].stem}")
        nights.setdefault(night.id, night)
    return nights


@cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _upgraded(content: bytes) -> bytes:
    """Return the content of a night's file in format version 2.

    In version 1, the key `components` was called `stack`.
    """
    if not content.startswith(VERSION_1):
        return content
    return content.replace(VERSION_1, b'{"version": 2,', 1).replace(b'"stack":', b'"components":')


def _read_night(path: Path) -> Night:
    from pydantic import ValidationError

    try:
        night: Night = _adapter(Night).validate_json(_upgraded(gunzip(path.read_bytes(), MOST_BYTES)))
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidFile(f"{path.name}: skipped: the file is damaged: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidFile(
            f"{path.name}: skipped: not a night that this edgebench can read: {where}: {first['msg']}"
        ) from error
    if text := fault(night):
        raise InvalidFile(f"{path.name}: skipped: an impossible figure: {text}")
    return night


def _read_notes(folder: Path, kind: type[Note], notes: list[str]) -> Iterator[Note]:
    for path in sorted(folder.glob("*.json")):
        try:
            yield _read_note(path, kind)
        except InvalidFile as error:
            notes.append(str(error))


def _read_note(path: Path, kind: type[Note]) -> Note:
    from pydantic import ValidationError

    try:
        adapter: TypeAdapter[Note] = _adapter(kind)  # type: ignore[arg-type]
        return adapter.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidFile(f"{path.name}: skipped: this file is no {kind.__name__.lower()}") from error


def set_aside(folder: Path) -> list[tuple[Path, str]]:
    """Rename unreadable files of nights, acceptances and decisions; return the new paths, each with the reason.

    Raises:
        RequestError: the folder cannot be written.
    """
    renamed = []
    readers: tuple[tuple[str, str, Callable[[Path], object]], ...] = (
        (NIGHTS, "[0-9]*.json.gz", _read_night),
        (ACCEPTED, "*.json", lambda path: _read_note(path, Acceptance)),
        (DECIDED, "*.json", lambda path: _read_note(path, Decision)),
    )
    for kind, pattern, reader in readers:
        for path in sorted((folder / kind).glob(pattern)):
            try:
                reader(path)
            except InvalidFile as error:
                renamed.append((_renamed(path), str(error)))
    return renamed


def _renamed(path: Path) -> Path:
    try:
        return path.rename(path.with_name(f"{path.name}.damaged"))
    except OSError as error:
        raise RequestError(f"cannot rename {path}: {error.strerror}; {ADVICE}") from error


def write_night(folder: Path, night: Night) -> Path:
    """Write a night to the history; return its file.

    Raises:
        RequestError: the file cannot be written.
    """
    # `exclude_defaults` would also leave out `version`, which readers need.
    content = json.dumps(
        {"version": night.version} | _adapter(Night).dump_python(night, mode="json", exclude_defaults=True)
    )
    compressed = gzip.compress(content.encode(), compresslevel=6, mtime=0)
    return _write(folder / NIGHTS / f"{night.stem}.json.gz", compressed)


def write_acceptance(folder: Path, acceptance: Acceptance) -> Path:
    """Write an acceptance to the history; return its file.

    Raises:
        RequestError: the file cannot be written.
    """
    content = _adapter(Acceptance).dump_json(acceptance, indent=2)
    return _write(folder / ACCEPTED / f"{acceptance.stem}.json", content)


def write_decision(folder: Path, decision: Decision) -> Path:
    """Write a decision to the history; return its file.

    Raises:
        RequestError: the file cannot be written.
    """
    return _write(folder / DECIDED / f"{decision.stem}.json", _adapter(Decision).dump_json(decision, indent=2))


def _write(path: Path, content: bytes) -> Path:
    try:
        files.make(path.parent)
    except OSError as error:
        raise RequestError(f"cannot create {path.parent}: {error.strerror}; {ADVICE}") from error
    files.write(path, content, ADVICE)
    return path


def keep_file(folder: Path, file: Path, sha256: str) -> str:
    """Copy a file into `pinned/` under its hash as the name, unless that copy exists already; return the name.

    Raises:
        CaseError: the file is missing, or no longer has this hash.
        RequestError: the copy cannot be written.
    """
    path = folder / PINNED / f"{sha256}{file.suffix}"
    try:
        if path.exists() and files.sha256(path) == sha256:
            return path.name
        content = file.read_bytes()
    except OSError as error:
        raise CaseError(f"{file.name} cannot be kept in the history: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CaseError(f"{file.name} cannot be kept in the history: it was damaged")
    _write(path, content)
    return path.name


def write_pin(folder: Path, pin: Pin) -> str:
    """Store the pin of a configuration, which lists the files of its environment; return the pin's name."""
    content = _adapter(Pin).dump_json(pin)
    name = hashlib.sha256(content).hexdigest()[:PIN_DIGITS]
    if not (path := folder / PINNED / f"{name}.pin.json").exists():
        _write(path, content)
    return name


def read_pin(folder: Path, name: str) -> Pin:
    """Read a pin, which lists the files of a measured environment, and verify these files.

    Raises:
        InvalidFile: the pin or one of its files is missing or damaged.
    """
    from pydantic import ValidationError

    try:
        content = (folder / PINNED / f"{name}.pin.json").read_bytes()
        if hashlib.sha256(content).hexdigest()[:PIN_DIGITS] != name:
            raise InvalidFile(f"{PINNED}/{name}.pin.json is damaged")
        pin: Pin = _adapter(Pin).validate_json(content)
        for file in (pin.file, pin.agent, pin.packages):
            if file and files.sha256(folder / PINNED / file) != file.partition(".")[0]:
                raise InvalidFile(f"{PINNED}/{file} is damaged")
    except (OSError, ValidationError) as error:
        raise InvalidFile(f"{PINNED}/{name}: the accepted environment is incomplete: {error}") from error
    return pin


def raw_folder(folder: Path, night: Night) -> Path:
    """Create the folder for the samples of a night.

    Raises:
        RequestError: the folder cannot be created.
    """
    raw = folder / RAW / night.stem
    try:
        files.make(raw)
    except OSError as error:
        raise RequestError(f"cannot create {raw}: {error.strerror}; {ADVICE}") from error
    return raw


def begin(folder: Path, night: Night) -> Path:
    """Create the folder for the samples of a night, and note there that the night began; return the folder.

    Raises:
        RequestError: the folder cannot be written.
    """
    raw = raw_folder(folder, night)
    _write(raw / BEGUN, _adapter(Night).dump_json(night))
    return raw


def unfinished(folder: Path, nights: Sequence[Night]) -> Night | None:
    """Return the night that was killed before its end, if it began recently and comes directly after `nights`."""
    begun = [night for night in _begun(folder) if night.number == following(nights) and _is_late(night)]
    return max(begun, key=lambda night: night.place, default=None)


def _is_late(night: Night) -> bool:
    """Return whether the night began recently.

    If the clock is wrong, the result can be False by mistake; the night then starts again.
    """
    return abs(datetime.now(UTC) - datetime.fromisoformat(night.started_at)) < RESUMED_WITHIN


def _begun(folder: Path) -> Iterator[Night]:
    """Yield the nights whose samples are kept, as stored at their start; leave out nights of older versions."""
    for path in (folder / RAW).glob(f"*/{BEGUN}"):
        with suppress(OSError, ValueError):
            yield _adapter(Night).validate_json(path.read_bytes())


def prune(folder: Path, nights: Sequence[Night], keep_nights: int = RAW_NIGHTS) -> None:
    """Delete the samples of all nights before the last `keep_nights` nights, also of nights that never ended."""
    kept = nights[-keep_nights:]
    unended = {night.stem for night in _begun(folder) if night.place > kept[0].place}
    stems = {night.stem for night in kept} | unended
    for raw in (folder / RAW).glob("*Z-*"):
        if raw.name not in stems:
            shutil.rmtree(raw, ignore_errors=True)


def write_report(folder: Path, name: str, content: str) -> None:
    """Write a report into the folder of the history.

    Raises:
        RequestError: the file cannot be written.
    """
    _write(folder / name, content.encode())
