"""A key -> a file that is made once, verified on each use, and described by a card, a JSON file beside it.

The card is written last. A file without a card is ignored, because it may be incomplete: its writing was interrupted.
Each card contains a seal, which is a hash of the card's content and name. If a cached file or its card is damaged,
edgebench reports it on standard error and makes the file again, as if it were missing.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from edgebench.foundation import seal
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.files import (
    HOME_VARIABLE,
    SCRATCH,
    folder,
    home,
    lock_file,
    place,
    settle,
    sha256,
    used,
    write,
)
from edgebench.foundation.progress import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import TypeAdapter

CARD = ".card.json"


class Card(Protocol):
    """A frozen dataclass that describes a cached object and names the cache folder that stores it."""

    FOLDER: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


class FileCard(Card, Protocol):
    """A card (description of a cached object) whose object is one file in the card's folder."""

    @property
    def file(self) -> str:
        """Name of the file in the card's folder."""

    @property
    def sha256(self) -> str:
        """Hash of the file's content."""


K = TypeVar("K", bound=Card)
F = TypeVar("F", bound=FileCard)


def path_of(card: FileCard) -> Path:
    """Return the path of the card's file."""
    return home() / card.FOLDER / Path(card.file).name


@functools.cache
def _decoder(card_type: type[K]) -> TypeAdapter[K]:
    """Return the decoder for a type of card; it is built only once per process, because building it takes 9 ms."""
    from pydantic import TypeAdapter

    return TypeAdapter(card_type)


def read(path: Path) -> dict[str, Any] | None:
    """Return the fields of a JSON file that was stored with a seal, a hash of the file's content.

    The result is None if the file is missing or damaged; damage is reported on standard error.
    """
    try:
        with seal.opened(path) as stream:
            return seal.unsealed(_name(path), stream.read())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        warn_damaged(path)
        return None


def write_sealed(path: Path, fields: dict[str, Any]) -> None:
    """Store fields in the cache as a JSON file with a seal, a hash of the file's content.

    Raises:
        RequestError: the file cannot be written.
    """
    write(path, seal.sealed(_name(path), fields))


def warn_damaged(path: Path) -> None:
    """Report that a file or folder of the cache is damaged; delete it if it is a folder."""
    if path.is_dir() and not path.is_symlink():
        seal.discard(path)  # a new file can be renamed over an old file, but not over a folder
    warn(f"{_name(path)} in the cache was damaged; edgebench makes it again, or asks you for it")


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def find(stem: str, card_type: type[K]) -> K | None:
    """Return the card in the cache's file `<stem>.card.json`; None if there is no valid card."""
    from pydantic import ValidationError

    path = place(card_type.FOLDER) / f"{stem}{CARD}"
    fields = read(path)
    if fields is None:
        return None
    try:
        card = card_of(card_type, fields)
    except ValidationError:
        return None
    if not hasattr(card, "file"):
        used(path)
    return card


def card_of(card_type: type[K], fields: dict[str, Any]) -> K:
    """Return the card that has these fields.

    Raises:
        ValidationError: a field is missing, unknown, or of another type.
    """
    # The fields pass through JSON, because pydantic's strict mode reads tuples and enums only from JSON.
    card: K = _decoder(card_type).validate_json(json.dumps(fields))
    return card


def fields_of(card: Card) -> dict[str, Any]:
    """Return the fields of a card as JSON can hold them."""
    fields: dict[str, Any] = json.loads(_decoder(type(card)).dump_json(card))
    return fields


def cards(card_type: type[K], stems: str = "*") -> list[K]:
    """Return all readable cards of a type, oldest first; `stems` is a pattern that the names of their files match."""
    files = sorted(place(card_type.FOLDER).glob(f"{stems}{CARD}"), key=lambda file: file.lstat().st_mtime_ns)
    candidates = (find(file.name.removesuffix(CARD), card_type) for file in files)
    return [card for card in candidates if card]


def with_hash(card_type: type[F], sha256: str) -> F | None:
    """Return the card of an intact file whose content has this hash; None if there is no such file."""
    return next((card for card in cards(card_type) if card.sha256 == sha256 and is_intact(card)), None)


def put(stem: str, card: Card) -> None:
    """Store a card in the cache as the file `<stem>.card.json`."""
    write_sealed(folder(card.FOLDER) / f"{stem}{CARD}", fields_of(card))


def is_intact(card: FileCard) -> bool:
    """Return whether the card's file exists, belongs to this user and still has the hash in the card."""
    path = place(card.FOLDER) / Path(card.file).name
    # The use is recorded in the access time of the card, because setting the file's would also change the file's ctime.
    # A process that reads the file at the same time would take the new ctime as a sign of new content.
    used(path.with_name(f"{path.stem}{CARD}"))
    return has_hash(path, card.sha256)


def has_hash(path: Path, sha256: str) -> bool:
    """Return whether a cached file has this hash; report a damaged file on standard error."""
    try:
        if seal.digest(path) == sha256:
            return True
    except FileNotFoundError:
        return False
    except OSError:  # the path is a link, belongs to another user, or cannot be read
        pass
    warn_damaged(path)
    return False


def find_intact(stem: str, card_type: type[F]) -> F | None:
    """Return the card in `<stem>.card.json` if the file that it describes is intact; otherwise None."""
    card = find(stem, card_type)
    return card if card and is_intact(card) else None


def keep(stem: str, suffix: str, card_type: type[F], make: Callable[[Path], F]) -> F:
    """Call `make`, which writes a file and returns its card; store both in the cache, with names that begin with
    `stem`.

    Only one process at a time makes the file, and no process ever sees a half-written file.

    Raises:
        RequestError: the file cannot be written.
    """
    from filelock import FileLock

    path = folder(card_type.FOLDER) / f"{stem}{suffix}"
    try:
        lock = FileLock(lock_file(path.with_name(f"{stem}.lock")))
        with lock, TemporaryDirectory(dir=path.parent, prefix=SCRATCH) as scratch:
            made = Path(scratch) / f"made{suffix}"
            card = replace(make(made), file=path.name, sha256=sha256(made))
            settle(made, path)
            put(stem, card)
    except OSError as error:
        raise RequestError(f"cannot keep {path}: {error.strerror}; free space or set {HOME_VARIABLE}") from error
    return card


def once(stem: str, suffix: str, card_type: type[F], make: Callable[[Path], F]) -> F:
    """Return the card in `<stem>.card.json` if its file is intact; otherwise make and store a file and a card."""
    return find_intact(stem, card_type) or keep(stem, suffix, card_type, make)


def receive(card: F, content: bytes, *, replaces: bool = False) -> F:
    """Store a file that another machine made, with its card.

    If the cache has an intact file of this name, that file stays, unless `replaces` and its content differs.

    Raises:
        CaseError: the content does not have the hash that the card states.
        RequestError: the file cannot be written.
    """
    if (found := hashlib.sha256(content).hexdigest()) != card.sha256:
        raise CaseError(f"wanted {card.file} with the hash {card.sha256[:16]}, found {found[:16]}")

    def make(path: Path) -> F:
        path.write_bytes(content)
        return card

    name = Path(card.file)
    known = find_intact(name.stem, type(card))
    if known and (known.sha256 == card.sha256 or not replaces):
        return known
    return keep(name.stem, name.suffix, type(card), make)
