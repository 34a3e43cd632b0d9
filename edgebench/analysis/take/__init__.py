"""A row of a results folder -> a folder with the measured file, a card that describes it, and a script that runs it.

The file is copied from the cache. `card` says what the file is, and `script` writes the Python code that runs it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from edgebench.agent import chain
from edgebench.agent.runtimes import ncnn as runtime
from edgebench.analysis.export_script import files_of
from edgebench.analysis.take import card, script
from edgebench.analysis.why import evidence
from edgebench.export.custom.inspect import Port, ports
from edgebench.export.formats import ncnn
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

    from edgebench.foundation.cache import FileCard
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.case import Case
    from edgebench.schema.variant import Variant

CARD, PAGE = "card.json", "card.md"
LONGEST = 100  # most characters in the name of the folder


def take(query: str, folder: Path | None = None) -> tuple[list[Path], str]:
    """Write the file of a row, its card and its script into a folder. `query` names the row as for `edgebench why`.

    Returns:
        The paths of the files that were written, and the reason why there is no script (an empty text if there is a
        script).

    Raises:
        InvalidFile, UnknownName, RequestError: no row or more than one matches, the row's file is no longer in the
            cache, or the folder contains other files or cannot be written.
    """
    row = evidence(query)
    if row.artifact is None:
        raise RequestError(f"wanted a row with a file, found no file of {row.case}; {again(row.case)}")
    found = files_of(row, again(row.case))
    why = script.why_none(row)
    contents = dict(_contents(row, found, why))
    place = folder or Path(re.sub(r"[^\w.@+-]", "_", file_title(str(row.case.variant)))[:LONGEST].lstrip("-."))
    _make(place, {*contents})
    for name, content in contents.items():
        files.write(place / name, content, "free disk space, or name another folder")
    return [place / name for name in contents], why


def again(case: Case) -> str:
    """Return advice for the user, with the command that makes the file of this case again."""
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
    """Make a folder. If it exists, it must contain no other files than `names`, which this command writes.

    Raises:
        RequestError: the folder contains other files, or cannot be made.
    """
    try:
        if others := sorted({path.name for path in folder.iterdir()} - names) if folder.is_dir() else []:
            raise RequestError(f"wanted a new or an empty folder, found {others[0]} in {folder}; name another folder")
        files.make(folder)
    except OSError as error:
        raise RequestError(f"cannot make {folder}: {error.strerror}; name another folder") from error


def _contents(row: Evidence, found: Sequence[FileCard], why: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file: the model, its input arrays (if any), the script and the card."""
    variant, model = row.case.variant, cache.path_of(found[0])
    names, count = ((), 0) if variant.feed else (class_names(variant), _channels(variant))
    arrays = [cache.path_of(file).read_bytes() for file in found[1:]]
    held = _of_model(row, model) | dict(zip((script.ARRAYS,), arrays, strict=False))
    if not why:
        held[script.FILE] = script.rendered(row, held, names, count).encode()
    yield from held.items()
    notes = tuple(filter(None, (why, _runs(variant, why))))
    sheets = card.sheets(row, rows.lines((row,))[0].row, held, _ports(variant, model), names, count, notes)
    yield CARD, as_json("take", document(sheets)).encode()
    yield PAGE, "\n".join(map(markdown, sheets)).encode()


def _of_model(row: Evidence, model: Path) -> dict[str, bytes]:
    """Return the name and the content of each file of a model: two files for ncnn, otherwise one."""
    content = model.read_bytes()
    if not row.artifact or row.artifact.format != runtime.FORMAT:
        return {f"{script.MODEL}{model.suffix}": content}
    weights, description = content[: runtime.weights_bytes(str(model))], runtime.param(str(model))
    return {f"{script.MODEL}.bin": weights, f"{script.MODEL}.param": description.encode()}


def _runs(variant: Variant, why: str) -> str:
    """Say how to run the script; an empty text if there is no script."""
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
    """Return the model's inputs and outputs; if it has several graphs, each name begins with the name of its graph."""
    feed = variant.feed
    if model.suffix in MODEL_FILES:
        return ports(model, feed.signature if feed else "")
    if model.suffix == ncnn.SUFFIX:
        return _ports_of_ncnn(runtime.param(str(model)))
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


def _ports_of_ncnn(description: str) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Return the input and the outputs of a network for ncnn; ncnn's description does not state the outputs' shapes."""
    read, made = list[str](), list[str]()
    for line in description.splitlines()[runtime.HEADER_LINES :]:
        _, _, inputs, outputs, *names = line.split()
        read += names[: int(inputs)]
        made += names[int(inputs) : int(inputs) + int(outputs)]
    shape = "x".join(map(str, ("[n]", *runtime.image_shape(description))))
    ends = sorted(name for name in made if name not in read)
    return (Port(name=made[0], dtype="float32", shape=shape),), tuple(
        Port(name=name, dtype="float32", shape="") for name in ends
    )
