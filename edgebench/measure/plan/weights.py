"""Choose the weights of a cell's network: trained by edgebench, random, or from a file, a folder or a hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgebench.foundation import cache
from edgebench.foundation.errors import RequestError
from edgebench.images import catalogue
from edgebench.networks import build
from edgebench.schema.cards import UnfitWeights
from edgebench.schema.names import is_in_hub, is_weights_file
from edgebench.schema.variant import WeightSource
from edgebench.train import checkpoint, hub, published_files

if TYPE_CHECKING:
    from edgebench.schema.cards import Weights
    from edgebench.schema.sweep import Cell
    from edgebench.schema.variant import Preprocessing, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The weights of one cell.

    Attributes:
        name: a `WeightSource`, or the name of a file.
        sha256: the file's hash; an empty text if there is no file.
        inputs: the preprocessing that belongs to the file; None if it is not known.
        classifier: `random` if the file lacks a classifier, so that a classifier with random weights is added;
            otherwise empty.
    """

    name: str
    classes: int
    sha256: str = ""
    padding: Literal["", "tf"] = ""
    inputs: Preprocessing | None = None
    classifier: Literal["", "random"] = ""


def chosen(cell: Cell, classes: int) -> Chosen:
    """Return the weights of a cell; `classes` is the number of classes of the cell's data set.

    Raises:
        RequestError: a file does not fit the network, a hub does not have the network, or the training data have
            another number of classes.
    """
    if cell.weights_dir:
        return _from_folder(cell, classes)
    if is_in_hub(cell.weights) or is_weights_file(cell.weights):
        build.check(cell.model, cell.width, cell.resolution)
        adopt = hub.adopt if is_in_hub(cell.weights) else checkpoint.adopt
        return _adopted(*adopt(cell.weights, cell.model, cell.width, cell.resolution), cell.classes or classes)
    if cell.weights == WeightSource.TRAINED and cell.classes not in (0, classes):
        raise RequestError(
            f"wanted {cell.classes} classes, found {classes} in {catalogue.title(cell.dataset)} to train on"
        )
    return Chosen(name=WeightSource(cell.weights), classes=cell.classes or classes)


def refusal(variant: Variant) -> str:
    """Return why a network's file in a folder of weights cannot be used; an empty text if it can."""
    if variant.weights in [*WeightSource]:
        return ""
    if not variant.weights_sha256:
        return f"wanted {variant.weights} in the folder of weights, found no such file; put it there"
    card = cache.find(_unfit(variant.architecture, variant.weights, variant.weights_sha256), UnfitWeights)
    return card.reason if card and checkpoint.find(variant) is None else ""


def _adopted(card: Weights, sha256: str, classes: int) -> Chosen:
    """Return the weights of a file; if the file has no classifier, add a random classifier with `classes` classes."""
    return Chosen(
        name=card.recipe,
        sha256=sha256,
        classes=card.classes or classes,
        padding=card.padding,
        inputs=card.inputs,
        classifier="" if card.classes else "random",
    )


def _from_folder(cell: Cell, classes: int) -> Chosen:
    """Return the weights that a folder has for a cell; if the file cannot be used, the cell's row gives the reason."""
    build.check(cell.model, cell.width, cell.resolution)
    path = published_files.find(Path(cell.weights_dir), cell.model, cell.width, cell.resolution)
    missing = Chosen(name=path.name, classes=cell.classes or classes)
    if not path.exists():
        return missing
    try:
        return _adopted(*checkpoint.adopt(str(path), cell.model, cell.width, cell.resolution), missing.classes)
    except RequestError as error:
        sha256 = checkpoint.sha256(str(path))
        reason = str(error).replace(str(path), path.name)  # records, which store this reason, must not contain paths
        cache.put(_unfit(cell.model, path.name, sha256), UnfitWeights(reason=reason))
        return Chosen(name=path.name, sha256=sha256, classes=missing.classes)


def _unfit(model: str, file: str, sha256: str) -> str:
    return f"unfit-{model}-{Path(file).stem}-{sha256[:16]}"
