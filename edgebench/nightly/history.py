"""results/nightly/ <-> nights, acceptances and pinned environments, as plain files that merge by copying.

    nights/20261123T001248Z-<id>.json.gz     what was seen and judged, for ever
    accepted/20261124T090000Z-<id>.json      who moved the baseline, and why
    pinned/<sha256>.onnx, .pyz, .json        what the accepted environments are made of
    raw/20261123T001248Z-<id>/runs.jsonl     every sample, of the last nights

Each file is written whole, under a name of its own, and never changed: a kill leaves an old history or a new one.
gzip's checksum tells a damaged file. A year of 300 configurations is read in seconds without another library.
"""

from __future__ import annotations

import gc
import gzip
import hashlib
import json
import shutil
import zlib
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edgebench.foundation import files
from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.nightly.night import Acceptance, History, Night, Pin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import TypeAdapter

NIGHTS, ACCEPTED, PINNED, RAW = "nights", "accepted", "pinned", "raw"
RAW_NIGHTS = 60  # whose every sample is kept: as many as the page shows
ADVICE = "free space, or name a folder you may write; the history stands as it was"

T = TypeVar("T", Acceptance, Night, Pin)
VERSION_1 = b'{"version": 1,'


def read(folder: Path) -> History:
    """Read a history; a file that cannot be read is left out and named, and so is a copy of a night that is there."""
    notes = list[str]()
    with resting_collector():
        nights = _read_nights(folder / NIGHTS, notes)
    acceptances = tuple(_read_acceptances(folder / ACCEPTED, notes))
    return History(
        nights=tuple(sorted(nights.values(), key=lambda night: (night.started_at, night.id))),
        acceptances=tuple(sorted(acceptances, key=lambda acceptance: (acceptance.accepted_at, acceptance.id))),
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
            notes.append(f"{path.name}: the same night again, left out: {nights[night.id].stem}")
        nights.setdefault(night.id, night)
    return nights


@contextmanager
def resting_collector() -> Iterator[None]:
    """Look for no garbage meanwhile: a year is millions of objects, and none of them is any."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _upgraded(content: bytes) -> bytes:
    """Return a night's file in the words of version 2; version 1 called the components its stack."""
    if not content.startswith(VERSION_1):
        return content
    return content.replace(VERSION_1, b'{"version": 2,', 1).replace(b'"stack":', b'"components":')


def _read_night(path: Path) -> Night:
    from pydantic import ValidationError

    try:
        night: Night = _adapter(Night).validate_json(_upgraded(gzip.decompress(path.read_bytes())))
        return night
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidFile(f"{path.name}: damaged, left out: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidFile(f"{path.name}: no night of this edgebench, left out: {where}: {first['msg']}") from error


def _read_acceptances(folder: Path, notes: list[str]) -> Iterator[Acceptance]:
    from pydantic import ValidationError

    for path in sorted(folder.glob("*.json")):
        try:
            yield _adapter(Acceptance).validate_json(path.read_bytes())
        except (OSError, ValidationError):
            notes.append(f"{path.name}: not an acceptance, left out")


def write_night(folder: Path, night: Night) -> Path:
    """Add a night.

    Raises:
        RequestError: it cannot be written.
    """
    # `version` is a default too, and stays: what reads the file must know it.
    content = json.dumps(
        {"version": night.version} | _adapter(Night).dump_python(night, mode="json", exclude_defaults=True)
    )
    compressed = gzip.compress(content.encode(), compresslevel=6, mtime=0)
    return _write(folder / NIGHTS / f"{night.stem}.json.gz", compressed)


def write_acceptance(folder: Path, acceptance: Acceptance) -> Path:
    """Add an acceptance.

    Raises:
        RequestError: it cannot be written.
    """
    content = _adapter(Acceptance).dump_json(acceptance, indent=2)
    return _write(folder / ACCEPTED / f"{acceptance.stem}.json", content)


def _write(path: Path, content: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot make {path.parent}: {error.strerror}; {ADVICE}") from error
    files.write(path, content, ADVICE)
    return path


def keep_file(folder: Path, file: Path, sha256: str) -> str:
    """Copy a file below `pinned/` under its hash, once; return its name there.

    Raises:
        RequestError: it cannot be written.
    """
    path = folder / PINNED / f"{sha256}{file.suffix}"
    if not path.exists() or files.sha256(path) != sha256:
        _write(path, file.read_bytes())
    return path.name


def write_pin(folder: Path, pin: Pin) -> str:
    """Keep what a configuration was measured with; return the name that a night remembers it by."""
    content = _adapter(Pin).dump_json(pin)
    name = hashlib.sha256(content).hexdigest()[:16]
    if not (path := folder / PINNED / f"{name}.pin.json").exists():
        _write(path, content)
    return name


def read_pin(folder: Path, name: str) -> Pin:
    """Return what a configuration was measured with, its files verified.

    Raises:
        InvalidFile: it or one of its files is missing or damaged.
    """
    from pydantic import ValidationError

    try:
        pin: Pin = _adapter(Pin).validate_json((folder / PINNED / f"{name}.pin.json").read_bytes())
        for file in (pin.file, pin.agent, pin.packages):
            if file and files.sha256(folder / PINNED / file) != file.partition(".")[0]:
                raise InvalidFile(f"{PINNED}/{file} is damaged")
    except (OSError, ValidationError) as error:
        raise InvalidFile(f"{PINNED}/{name}: the accepted environment is not whole: {error}") from error
    return pin


def raw_folder(folder: Path, night: Night) -> Path:
    """Make the folder of a night's samples.

    Raises:
        RequestError: it cannot be made.
    """
    place = folder / RAW / night.stem
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot make {place}: {error.strerror}; {ADVICE}") from error
    return place


def prune(folder: Path, keep_nights: int = RAW_NIGHTS) -> None:
    """Drop the samples of all but the last nights."""
    for place in sorted((folder / RAW).glob("*Z-*"))[:-keep_nights]:
        shutil.rmtree(place, ignore_errors=True)


def write_report(folder: Path, name: str, content: str) -> None:
    """Write a report beside the history.

    Raises:
        RequestError: it cannot be written.
    """
    _write(folder / name, content.encode())
