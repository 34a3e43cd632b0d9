"""What travels between a session and a worker: requests and answers as JSON, which name files by their hashes."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

import edgebench
from edgebench import export
from edgebench.export.formats import tool_version
from edgebench.foundation import cache
from edgebench.foundation.shelf import load, names
from edgebench.measure.builders.work import File, Piece
from edgebench.measure.evaluate.on_host import Evaluated
from edgebench.networks.custom import given
from edgebench.schema.artifact import Artifact
from edgebench.schema.cards import CustomModel, FedData, Weights
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.foundation.cache import FileCard

_CARDS: dict[str, Any] = {card.FOLDER: card for card in (Artifact, CustomModel, Evaluated, FedData, Weights)}
_PIECE: TypeAdapter[Piece] = TypeAdapter(Piece)
SOURCE = "edgebench's source"  # the name of the code's hash among the versions


def request(piece: Piece, inputs: list[FileCard]) -> str:
    """Return the request to make a file from inputs, whose content travels beside the request."""
    return json.dumps({"file": json.loads(_PIECE.dump_json(piece)), "inputs": [label(card) for card in inputs]})


def requested(text: str) -> tuple[Piece, list[FileCard]]:
    """Return the file and the inputs of a request.

    Raises:
        ValidationError: the text is not a request.
    """
    fields = json.loads(text)
    return _PIECE.validate_json(json.dumps(fields["file"])), [card_of(label) for label in fields["inputs"]]


def label(card: FileCard) -> dict[str, Any]:
    """Return the JSON that describes a file: the folder of the cache to which it belongs, and its card."""
    return {"folder": card.FOLDER, "card": cache.fields_of(card)}


def card_of(label: dict[str, Any]) -> FileCard:
    """Return the card in a label.

    Raises:
        KeyError, ValidationError: the label is none of a file.
    """
    card: FileCard = cache.card_of(_CARDS[label["folder"]], label["card"])
    return card


def inputs(piece: Piece) -> Iterator[FileCard]:
    """Yield the cards of the files in this machine's cache from which a file is made.

    Raises:
        CaseError: a user-supplied model is no longer in the cache.
    """
    variant, quantization = piece.variant, piece.variant.quantization
    for source in piece.sources:
        if isinstance(source, File) and source != piece and (card := source.find()):
            yield card
    if piece.format and variant.weights not in (WeightSource.TRAINED, WeightSource.CUSTOM):
        yield from filter(None, [export.known_weights(variant)])
    if variant.weights == WeightSource.CUSTOM:
        yield given(variant)
    if quantization and (data := cache.with_hash(FedData, quantization.calibration_sha256)):
        yield data


@functools.cache
def versions() -> dict[str, str]:
    """Return what determines the content of files on this machine: the hash of the code, and the versions of tools."""
    tools = {tool for shelf in ("formats", "datasets") for name in names(shelf) for tool in load(shelf, name).TOOLS}
    known = {SOURCE: _source()}
    for tool in sorted({*tools, "distributed"}):
        try:
            known[tool] = tool_version(tool)
        except importlib.metadata.PackageNotFoundError:
            continue
    return known


def _source() -> str:
    """Return a hash of all code of this package."""
    package = Path(edgebench.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def differing(theirs: dict[str, str]) -> str:
    """Return in words which versions of a worker differ from those of this machine; an empty text if none does."""
    return ", ".join(
        f"{tool} {theirs.get(tool, 'missing')} instead of {version}"
        for tool, version in versions().items()
        if theirs.get(tool) != version
    )
