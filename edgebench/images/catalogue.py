"""A data set's name -> the opened data set, and a card (a small JSON file in the cache) with the data set's path.

A data set is identified by its content: if a folder is copied, the copy is the same data set.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import CaseError, RequestError, UnknownName
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.foundation.shelf import load, names
from edgebench.schema.cards import DataSet
from edgebench.schema.names import dataset_plugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from edgebench.images.loader import Inspected, Opened

LOOK = 1000  # number of pictures between two progress messages
NAMED = 3  # the largest number of damaged pictures that a notice names


def family(dataset: str) -> ModuleType:
    """Return the plug-in of a data set: `image_folder` for `image_folder:val`.

    Raises:
        UnknownName: there is no such plug-in; if `dataset` is a folder, the message suggests `image_folder:path`.
    """
    try:
        return load("datasets", dataset_plugin(dataset))
    except UnknownName as error:
        if Path(dataset).is_dir():
            error.args = (f"{error}; for the images in that folder write image_folder:{dataset}",)
        raise


def title(dataset: str) -> str:
    """Return a data set's name with only the end of its path: `image_folder:val` for `image_folder:photos/val`."""
    name, _, place = dataset.partition(":")
    return f"{name}:{Path(os.path.abspath(place)).name}" if place else name  # noqa: PTH100  # keep a link's name


def calibrating(calibration: str) -> str:
    """Return the data set that the option `calibration` names; any unknown name is taken as a folder of images."""
    return calibration if dataset_plugin(calibration) in names("datasets") else f"unlabelled:{calibration}"


def adopt(dataset: str) -> DataSet:
    """Find a data set by its path, which is then stored, or by its short name, whose path was stored earlier.

    Raises:
        RequestError: there is no such data set, it is incomplete, or it changed after its path was given.
    """
    name, _, place = dataset.partition(":")
    plugin = family(dataset)
    if not plugin.PLACE:
        _require(not place, f"{name} is bundled; wanted {name}, found {dataset}")
        return DataSet(name=name, sha256="", classes=plugin.CLASSES, path="")
    _require(bool(place), f"wanted {name}:path, {plugin.PLACE}; found no path")
    path = Path(os.path.abspath(place))  # noqa: PTH100  # keep a link's name
    _require(_is_text(path), f"wanted {name}:path in UTF-8, found {str(path)!r}; rename it")
    if not path.exists():
        return _by_name(dataset)
    opened = plugin.open(path)
    card = DataSet(name=title(dataset), sha256=opened.sha256, classes=opened.classes, path=str(path))
    if known := cache.find(_stem(card.sha256), DataSet):
        card = replace(known, name=card.name, classes=card.classes, path=card.path)
    cache.put(_stem(card.sha256), card)
    return card


def _is_text(path: Path) -> bool:
    """Return whether a path, which can contain any bytes, is valid Unicode, as the JSON of a card requires."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise RequestError(message)


def _by_name(dataset: str) -> DataSet:
    """Find a data set by its short name, if its path was given earlier."""
    known = [card for card in cache.cards(DataSet) if card.name == dataset]
    _require(bool(known), f"nothing is at {dataset.partition(':')[2]}; wanted {family(dataset).PLACE}")
    try:
        _open(known[-1])
    except CaseError as error:
        raise RequestError(str(error)) from error
    return known[-1]


def _stem(sha256: str) -> str:
    return sha256[:16]


def find(dataset: str, sha256: str) -> tuple[DataSet, Opened]:
    """Return a data set's card and the opened data set.

    Raises:
        CaseError: the data set was moved or changed after its path was given.
    """
    if not sha256:
        return DataSet(name=dataset, sha256="", classes=family(dataset).CLASSES, path=""), family(dataset).open(None)
    card = cache.find(_stem(sha256), DataSet)
    if card is None:
        raise CaseError(f"the path of {dataset} is not known on this machine; give it with --dataset")
    return card, _open(card)


def _open(card: DataSet) -> Opened:
    advice = "restore it, or give its path again"
    if not Path(card.path).exists():
        raise CaseError(f"{card.name} is no longer where it was; {advice}")
    try:
        opened: Opened = family(card.name).open(Path(card.path))
    except RequestError as error:
        reason = str(error).replace(card.path, card.name)  # records must contain no path
        raise CaseError(f"{card.name} changed since its path was given: {reason}; {advice}") from error
    if opened.sha256 != card.sha256:
        raise CaseError(f"{card.name} changed since its path was given: other files or labels; {advice}")
    return opened


def damaged(card: DataSet, opened: Opened, show: Show) -> tuple[str, ...]:
    """Return the names of pictures that cannot be decoded.

    All pictures are decoded once; the names of the damaged pictures are then stored in the data set's card.
    """
    total = sum(len(files.names) for files in opened.files)
    if total and (card.damaged is None or card.decoder != _decoder()):
        card = _inspected(card, opened, total, show)
        cache.put(_stem(card.sha256), card)
    for text in (*opened.notices, *_notices(card, total)):
        show(Notice(text=f"{card.name}: {text}"))
    return card.damaged or ()


def _notices(card: DataSet, total: int) -> Iterator[str]:
    """Return notices about pictures that are left out or that decoding alters."""
    if card.damaged:
        first = ", ".join(map(card.with_reason, card.damaged[:NAMED]))
        more = " ..." if len(card.damaged) > NAMED else ""
        yield f"{len(card.damaged)} of {total} images cannot be read and are left out: {first}{more}"
    if card.remarks:
        yield f"of {total} images, " + "; ".join(f"{count} {remark}" for remark, count in card.remarks.items())


def _decoder() -> str:
    """Return a text that identifies the decoding code and Pillow; if it changes, pictures are checked again."""
    import PIL

    return f"{provenance.source('images/decode')} pillow {PIL.__version__}"


def _inspected(card: DataSet, opened: Opened, total: int, show: Show) -> DataSet:
    """Decode every picture once; return the card, with the damaged pictures and the remarks on intact pictures."""
    reasons, remarks = dict[str, str](), Counter[str]()
    for name, inspected in _inspect(card.name, opened, total, show):
        remarks.update(inspected.remarks)
        if inspected.is_damaged:
            reasons[name] = inspected.reason
    known = {name: reason for name, reason in reasons.items() if reason}
    return replace(card, damaged=tuple(reasons), reasons=known, remarks=dict(remarks), decoder=_decoder())


def _inspect(name: str, opened: Opened, total: int, show: Show) -> Iterator[tuple[str, Inspected]]:
    done = 0
    for files in opened.files:
        for start in range(0, len(files.names), LOOK):
            show(Step(activity="check", subject=f"{total} images of {name}", done=done, total=total))
            part = range(start, min(start + LOOK, len(files.names)))
            yield from zip(map(files.name, part), files.inspect(part), strict=True)
            done += len(part)
