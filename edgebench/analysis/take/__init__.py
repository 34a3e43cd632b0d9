"""A row of a results folder -> its very file, a card of it, and a script that runs it, in a folder to take away.

row -> artifact in the cache -> card (what the file is), script (a file of Python that runs it) -> a folder
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from edgebench.agent import chain
from edgebench.analysis.export_script import files_of
from edgebench.analysis.take import card, script
from edgebench.analysis.why import evidence
from edgebench.export.custom.inspect import ports
from edgebench.foundation import cache, files
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.sheet import as_json, document, markdown
from edgebench.images.class_names import class_names
from edgebench.networks.custom import channels
from edgebench.results.table import rows
from edgebench.schema.names import MODEL_FILES, file_title
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.export.custom.inspect import Port
    from edgebench.foundation.cache import FileCard
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.case import Case
    from edgebench.schema.variant import Variant

CARD, PAGE = "card.json", "card.md"
LONGEST = 100  # characters of a folder's name


def take(query: str, folder: Path | None = None) -> tuple[list[Path], str]:
    """Write the file of the row that `why` would find, its card and its script into a folder.

    Returns:
        the paths of what was written, and why there is no script; empty if there is one.

    Raises:
        InvalidFile, UnknownName, RequestError: no row or more than one matches, its file is no longer in the cache, or
            the folder holds other files or cannot be written.
    """
    row = evidence(query)
    if row.artifact is None:
        raise RequestError(f"wanted a row with a file, found none of {row.case}; {again(row.case)}")
    found = files_of(row, again(row.case))
    why = script.why_none(row)
    contents = dict(_contents(row, found, why))
    place = folder or Path(re.sub(r"[^\w.@+-]", "_", file_title(str(row.case.variant)))[:LONGEST].lstrip("-."))
    _make(place, {*contents})
    for name, content in contents.items():
        files.write(place / name, content, "free space, or name another folder")
    return [place / name for name in contents], why


def again(case: Case) -> str:
    """Return the advice to make a case's file again, with the command for it."""
    variant, is_custom = case.variant, case.variant.weights == WeightSource.CUSTOM
    flags = {"model": variant.architecture}
    if not is_custom:
        flags |= {"width": f"{variant.width:g}", "resolution": str(variant.resolution), "weights": variant.weights}
    flags |= {"precision": str(variant.precision), "quantization": str(variant.quantization or "")}
    flags |= {"dataset": variant.dataset} if variant.dataset_sha256 or not is_custom else {}
    flags |= {"runtime": case.runtime.name, "target": case.target}
    words = [word for name, value in flags.items() if value for word in (f"--{name}", value)]
    return f"make it again with `edgebench run {shlex.join(words)}`"


def _make(folder: Path, names: set[str]) -> None:
    """Make a folder, or refuse one with files that this command does not write.

    Raises:
        RequestError: it holds other files, or cannot be made.
    """
    try:
        if others := sorted({path.name for path in folder.iterdir()} - names) if folder.is_dir() else []:
            raise RequestError(f"wanted a new or an empty folder, found {others[0]} in {folder}; name another one")
        files.make(folder)
    except OSError as error:
        raise RequestError(f"cannot make {folder}: {error.strerror}; name another folder") from error


def _contents(row: Evidence, found: Sequence[FileCard], why: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file: the model, the arrays of its inputs, the script and the card."""
    variant, model = row.case.variant, cache.path_of(found[0])
    names, count = ((), 0) if variant.feed else (class_names(variant), _channels(variant))
    held = {
        name: cache.path_of(file).read_bytes()
        for name, file in zip((f"{script.MODEL}{model.suffix}", script.ARRAYS), found, strict=False)
    }
    if not why:
        held[script.FILE] = script.rendered(row, found, model.suffix, names, count).encode()
    yield from held.items()
    notes = tuple(filter(None, (why, _runs(variant, why))))
    sheets = card.sheets(row, rows.lines((row,))[0].row, held, _ports(variant, model), names, count, notes)
    yield CARD, as_json("take", document(sheets)).encode()
    yield PAGE, "\n".join(map(markdown, sheets)).encode()


def _runs(variant: Variant, why: str) -> str:
    """Say how the script is run; empty without one."""
    words = f"python {script.FILE}" if variant.feed else f"python {script.FILE} picture.jpg"
    return "" if why else f"Run it: {words}."


def _channels(variant: Variant) -> int:
    """Return the number of channels of a network's input.

    Raises:
        RequestError: the user-supplied model is no longer in the cache.
    """
    try:
        return channels(variant)
    except CaseError as error:
        raise RequestError(str(error)) from error


def _ports(variant: Variant, model: Path) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Return the inputs and the outputs of the model; of several graphs, those of each, after its name."""
    feed = variant.feed
    if model.suffix in MODEL_FILES:
        return ports(model, feed.signature if feed else "")
    if not feed or not feed.parts:
        return (), ()
    with TemporaryDirectory() as scratch:
        graphs = [
            (part.name, ports(Path(path), part.signature))
            for part, path in zip(feed.parts, chain.unpack(model, scratch), strict=True)
        ]
    takes, makes = (
        tuple(replace(port, name=f"{name}: {port.name}") for name, graph in graphs for port in graph[side])
        for side in (0, 1)
    )
    return takes, makes
