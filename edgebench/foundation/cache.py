"""A key -> a file that is made once, stored with a card that describes it, and verified by hash on each use.

The card is written last, by renaming: a file without a card was interrupted and is ignored.
"""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from edgebench.foundation.errors import RequestError
from edgebench.foundation.files import HOME_VARIABLE, folder, home, settle, sha256, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import TypeAdapter

CARD = ".card.json"


class Card(Protocol):
    """A frozen dataclass that describes a cached object and names the cache folder that stores it."""

    FOLDER: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


class FileCard(Card, Protocol):
    """A card of a file that is stored beside it."""

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
    return home() / card.FOLDER / card.file


@functools.cache
def _decoder(card_type: type[K]) -> TypeAdapter[K]:
    """Build a card type's decoder once per process: building it takes 9 ms, reading a card takes 0.1 ms."""
    from pydantic import TypeAdapter

    return TypeAdapter(card_type)


def find(stem: str, card_type: type[K]) -> K | None:
    """Return the card stored under `stem`; None if there is no readable card."""
    from pydantic import ValidationError

    try:
        card: K = _decoder(card_type).validate_json((home() / card_type.FOLDER / f"{stem}{CARD}").read_bytes())
    except (OSError, ValidationError):
        return None
    return card


def cards(card_type: type[K], stems: str = "*") -> list[K]:
    """Return all readable cards of a type whose stem matches a pattern, oldest first."""
    files = sorted((home() / card_type.FOLDER).glob(f"{stems}{CARD}"), key=lambda file: file.stat().st_mtime_ns)
    candidates = (find(file.name.removesuffix(CARD), card_type) for file in files)
    return [card for card in candidates if card]


def put(stem: str, card: Card) -> None:
    """Store a card under `stem`."""
    write(folder(card.FOLDER) / f"{stem}{CARD}", _decoder(type(card)).dump_json(card, indent=2))


def is_intact(card: FileCard) -> bool:
    """Return whether the card's file exists and still has the hash on the card."""
    try:
        return sha256(path_of(card)) == card.sha256
    except OSError:
        return False


def find_intact(stem: str, card_type: type[F]) -> F | None:
    """Return the card stored under `stem` if its file is intact; else None."""
    card = find(stem, card_type)
    return card if card and is_intact(card) else None


def keep(stem: str, suffix: str, card_type: type[F], make: Callable[[Path], F]) -> F:
    """Call `make` to write a file and describe it; store both under `stem`.

    Only one process at a time makes the file, and it appears complete or not at all.

    Raises:
        RequestError: the file cannot be written.
    """
    from filelock import FileLock

    place = folder(card_type.FOLDER)
    path = place / f"{stem}{suffix}"
    scratch = path.with_name(f"making-{os.getpid()}-{path.name}")
    with FileLock(place / f"{stem}.lock"):
        try:
            card = replace(make(scratch), file=path.name, sha256=sha256(scratch))
            settle(scratch, path)
        except OSError as error:
            raise RequestError(f"cannot keep {path}: {error.strerror}; free space or set {HOME_VARIABLE}") from error
        finally:
            scratch.unlink(missing_ok=True)
        put(stem, card)
    return card


def once(stem: str, suffix: str, card_type: type[F], make: Callable[[Path], F]) -> F:
    """Return the card stored under `stem` if its file is intact; else make and store both."""
    return find_intact(stem, card_type) or keep(stem, suffix, card_type, make)
