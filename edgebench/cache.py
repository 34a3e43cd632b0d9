"""A key -> a file made once, kept with the card that says what it is, and verified by hash on use.

The card is written last, by renaming: a file without one was interrupted and does not count.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from edgebench.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import TypeAdapter

HOME_VARIABLE = "EDGEBENCH_CACHE"
CARD = ".card.json"
_PACKAGE = Path(__file__).parent


class Card(Protocol):
    """A frozen dataclass that describes something made once, and says in which folder of the cache it is kept."""

    FOLDER: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


class FileCard(Card, Protocol):
    """A card of a file that is kept beside it."""

    @property
    def file(self) -> str:
        """Name of the file in the card's folder."""

    @property
    def sha256(self) -> str:
        """Hash of the file's content."""


K = TypeVar("K", bound=Card)
F = TypeVar("F", bound=FileCard)


def home() -> Path:
    """Return the cache directory: `$EDGEBENCH_CACHE`, or the user's own."""
    from platformdirs import user_cache_path

    return Path(os.environ.get(HOME_VARIABLE) or user_cache_path("edgebench"))


def folder(kind: str) -> Path:
    """Return the cache's folder for one kind of file, made if need be.

    Raises:
        RequestError: it cannot be made.
    """
    place = home() / kind
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"cannot keep files in {place}: {error.strerror}; set {HOME_VARIABLE} to a writable folder"
        ) from error
    return place


def key(parts: Mapping[str, str]) -> str:
    """Hash everything that shapes a file into 16 hexadecimal digits."""
    text = "\n".join(f"{name}={value}" for name, value in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def source(*modules: str) -> str:
    """Hash the source of modules of this package, by path (`formats/onnx`), with what they use of their shelf."""
    digest = hashlib.sha256()
    for module in sorted(set().union(*map(_with_neighbours, modules))):
        for file in _files(module):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _files(module: str) -> list[Path]:
    """List a module's files: one, or those of its folder."""
    folder = _PACKAGE / module
    return sorted(folder.glob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def _with_neighbours(module: str) -> set[str]:
    shelf, _, _ = module.rpartition("/")
    text = "".join(file.read_text() for file in _files(module))
    used = re.findall(rf"^from edgebench\.{shelf}\.(\w+) import", text, re.MULTILINE) if shelf else []
    return {module}.union(*(_with_neighbours(f"{shelf}/{name}") for name in used))


def sha256(path: str | Path) -> str:
    """Hash a file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def path_of(card: FileCard) -> Path:
    """Return where the card's file lies."""
    return home() / card.FOLDER / card.file


@functools.cache
def _decoder(card_type: type[K]) -> TypeAdapter[K]:
    """Build a card type's decoder once per process: that takes 9 ms, reading a card with it 0.1 ms."""
    from pydantic import TypeAdapter

    return TypeAdapter(card_type)


def find(stem: str, card_type: type[K]) -> K | None:
    """Return the card kept under `stem`, or None; a card that cannot be read counts as none."""
    from pydantic import ValidationError

    try:
        card: K = _decoder(card_type).validate_json((home() / card_type.FOLDER / f"{stem}{CARD}").read_bytes())
    except (OSError, ValidationError):
        return None
    return card


def cards(card_type: type[K]) -> list[K]:
    """Return every card of a kind that can be read, the one written last at the end."""
    files = sorted((home() / card_type.FOLDER).glob(f"*{CARD}"), key=lambda file: file.stat().st_mtime_ns)
    found = (find(file.name.removesuffix(CARD), card_type) for file in files)
    return [card for card in found if card]


def put(stem: str, card: Card) -> None:
    """Keep a card under `stem`."""
    write(folder(card.FOLDER) / f"{stem}{CARD}", _decoder(type(card)).dump_json(card, indent=2))


def write(path: Path, content: bytes, advice: str = f"free space or set {HOME_VARIABLE}") -> None:
    """Replace a file whole: a reader sees the old content or the new.

    Raises:
        RequestError: it cannot be written, or the disk is full; the message ends with the advice.
    """
    scratch = path.with_name(f"making-{os.getpid()}-{path.name}")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    except OSError as error:
        raise RequestError(f"cannot write {path}: {error.strerror}; {advice}") from error
    finally:
        scratch.unlink(missing_ok=True)


def is_intact(card: FileCard) -> bool:
    """Tell whether the card's file is still the one that was described."""
    try:
        return sha256(path_of(card)) == card.sha256
    except OSError:
        return False


def find_intact(stem: str, card_type: type[F]) -> F | None:
    """Return the card kept under `stem` if its file is still the one that was described."""
    card = find(stem, card_type)
    return card if card and is_intact(card) else None


def keep(stem: str, suffix: str, card_type: type[F], make: Callable[[Path], F]) -> F:
    """Let `make` write a file and describe it; keep both under `stem`.

    One process makes at a time; the file appears whole or not at all.
    """
    from filelock import FileLock

    place = folder(card_type.FOLDER)
    path = place / f"{stem}{suffix}"
    scratch = path.with_name(f"making-{os.getpid()}-{path.name}")
    with FileLock(place / f"{stem}.lock"):
        try:
            card = replace(make(scratch), file=path.name, sha256=sha256(scratch))
            scratch.replace(path)
        except OSError as error:
            raise RequestError(f"cannot keep {path}: {error.strerror}; free space or set {HOME_VARIABLE}") from error
        finally:
            scratch.unlink(missing_ok=True)
        put(stem, card)
    return card


def once(stem: str, suffix: str, card_type: type[F], make: Callable[[Path], F]) -> F:
    """Return what is kept under `stem` if it is intact; else keep what `make` writes."""
    return find_intact(stem, card_type) or keep(stem, suffix, card_type, make)
