"""Copy a user-supplied model, such as `net.onnx` or `nets.py:build`, to the cache, and describe it in a card.

Every model whose inputs and outputs are tensors of numbers can be measured. Accuracy is measured for classifiers and
for detectors. Classifiers and detectors have one input of images with 1 or 3 channels, of shape (N, C, S, S) or (N, S,
S, C). A classifier has one output of class scores, of shape (N, K). The outputs of a detector are read by the decoder
that `--decode` names. The module `inputs` defines the input values of all other models.

A model file such as `net.onnx` or `net.tflite` can run no Python code: a runtime executes only its graph. A Python file
such as `nets.py` is imported, and the named function is called.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench.export.custom import inputs, module, onnx, parts, shape, tflite
from edgebench.foundation import bounded, cache, files, provenance
from edgebench.foundation.bounded import Bounds, OutOfBounds
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.units import MIB
from edgebench.networks.custom import stem
from edgebench.schema import names
from edgebench.schema.cards import CustomModel
from edgebench.schema.decoding import parse
from edgebench.schema.feed import Feed
from edgebench.schema.names import MODEL_FILES, PARTS, PYTHON, file_and_function, title
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

MOST_BYTES = 2 * 2**30  # size of the largest possible protobuf or flatbuffer
# The memory of the process that opens and checks a file: at most this constant plus this multiple of the file's size.
# A VGG-19 whose graph generates its weights takes 1 GiB.
LEAST_MEMORY_BYTES, COPIES = 3 * 2**30, 12
LEAST_FOR_BOUNDS_BYTES = 16 * 2**20
LEAST_TIME_S, SLOWEST_BYTES_PER_S = 60.0, 10 * 2**20
_READERS = dict(zip(MODEL_FILES, (onnx, tflite), strict=True))


def adopt(name: str, asked: str, *, is_fed: bool = False, decode: str = "") -> CustomModel:
    """Copy a model to the cache, and return its card.

    `asked` is the value of the option `--input`, and `decode` is the value of `--decode`. With `is_fed`, the model is
    given arrays for its input tensors, even if it is an image classifier.

    Raises:
        RequestError: the model is missing or damaged, or it cannot be measured; the message says what to do.
    """
    inputs.parse(asked)
    if PARTS in name:
        _require_alone(name, decode)
        return _of_parts(name, asked)
    file, function = file_and_function(name)
    path = Path(file)
    if not path.exists():
        return _by_name(name, asked, is_fed=is_fed, decode=decode)
    require_file(path)
    if path.suffix != PYTHON:
        return _in_bounds(path, title(name), asked, is_fed=is_fed, decode=decode)
    if not function:
        raise RequestError(f"wanted {file}:function, where the function returns an nn.Module; found {name}")
    with TemporaryDirectory() as scratch:
        module.trace(path, function, asked, traced := Path(scratch) / "traced.onnx")
        source = os.path.abspath(path)  # noqa: PTH100  # unlike Path.resolve, abspath keeps the names of links
        return _in_bounds(traced, title(name), "", source=source, is_fed=is_fed, decode=decode)


def _require_alone(name: str, decode: str) -> None:
    if decode:
        raise RequestError(f"wanted one file with --decode, found {name}; export the detector as one file")


def _of_parts(name: str, asked: str) -> CustomModel:
    """Copy a model of several files to the cache; if no file exists, look for a model of this name in the cache."""
    if any(Path(file_and_function(part)[0]).exists() for part in parts.require(name)):
        return parts.adopt(name, asked, adopt)
    return _by_name(name, asked, is_fed=False, decode="")


def refused(name: str, why: str) -> CustomModel:
    """Return the card of a model that cannot be measured, so that its cases fail with the reason `why`."""
    paths = [Path(file_and_function(part)[0]) for part in names.parts(name)]
    try:
        content = "".join(map(files.sha256, paths)) if len(paths) == 1 else ""
    except OSError:
        content = ""
    for path in filter(lambda path: path.name, paths):
        why = why.replace(str(path), path.name)  # results must not contain a user's paths
    card = CustomModel(
        file="",
        sha256="",
        name=title(name),
        format=paths[-1].suffix.removeprefix("."),
        content_sha256=content,
        source="",
        layout="",
        channels=0,
        resolution=0,
        dtype="",
        batch=0,
        classes=0,
        precision=Precision.FP32,
        params=None,
        macs=None,
        feed=Feed(inputs=()),
        refused=why,
    )
    cache.put(stem(title(name), content, provenance.key({"why": why})), card)
    return card


def require_file(path: Path) -> None:
    """Refuse a path that is not a file, a file that is empty or too large, and a name with unprintable characters.

    Raises:
        RequestError: the path is refused for one of these reasons.
    """
    if not path.is_file():
        raise RequestError(f"{path} is not a file; wanted one such as net.onnx, net.tflite or nets.py:function")
    if not (size := path.stat().st_size):
        raise RequestError(f"{path} is empty; write it again")
    if size > MOST_BYTES:
        raise RequestError(f"{path} has {size} bytes, wanted at most {MOST_BYTES} (2 GiB)")
    if not str(path).isprintable():
        raise RequestError(f"wanted printable characters in a model's name, found {str(path)!r}; rename the file")


def _in_bounds(path: Path, name: str, asked: str, *, source: str = "", is_fed: bool, decode: str) -> CustomModel:
    """Read a model in a child process whose memory and time are limited.

    Without limits, even a small file could make a library use all memory, or never return. A small TFLite file is read
    in this process: only edgebench's own reader opens it, and the memory of that reader is at most a few times the
    file's size.
    """
    size = path.stat().st_size
    bounds = Bounds(memory_bytes=_memory_for(size), time_s=LEAST_TIME_S + size / SLOWEST_BYTES_PER_S)
    given: dict[str, Any] = {"path": str(path), "name": name, "asked": asked, "source": source}
    given |= {"is_fed": is_fed, "decode": decode}
    is_harmless = path.suffix == f".{tflite.FORMAT}" and size < LEAST_FOR_BOUNDS_BYTES
    try:
        kept_under = keep(**given) if is_harmless else bounded.call(f"{__name__}:keep", given, bounds)
    except OutOfBounds as error:
        raise RequestError(
            f"{name}, a file of {size / MIB:.1f} MiB, could not be checked: {error}; export it again, with its weights"
            " stored in the file, and with tensors no larger than needed"
        ) from error
    card = cache.find(kept_under, CustomModel)
    assert card
    return card


def _memory_for(size: int) -> int:
    """Return the memory limit for reading a file of this size; libraries hold several copies of the file's weights."""
    return LEAST_MEMORY_BYTES + COPIES * size


def keep(path: str, name: str, asked: str, source: str, *, is_fed: bool = False, decode: str = "") -> str:
    """Copy a model file to the cache; return the name of its card, without a suffix."""
    return _kept(Path(path), name, asked, source=source, is_fed=is_fed, decode=decode)


def _kept(path: Path, name: str, asked: str, *, source: str, is_fed: bool, decode: str) -> str:
    """Read a model file, unless the same content was read before with the same options; return the name of its card."""
    reader = _READERS[path.suffix]
    try:
        content = reader.content(path, MOST_BYTES)
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    if content != files.sha256(path):  # the file has external data
        bounded.limit(_memory_for(onnx.size(path)))
    made_by = provenance.source("export/custom", "export/formats/onnx", *(["tasks/detection"] if decode else []))
    parts = {"name": name, "asked": asked, "from": source, "source": made_by, "fed": str(is_fed), "decode": decode}
    key = provenance.key(parts)
    kept_under = stem(title(name), content, key)
    card = cache.once(
        kept_under,
        path.suffix,
        CustomModel,
        lambda place: _read(
            path, place, name=name, asked=asked, content=content, source=source, is_fed=is_fed, decode=decode
        ),
    )
    cache.put(kept_under, card)  # updates the time of use, so that a search by name finds this model first
    return kept_under


def _read(path: Path, place: Path, **given: str | bool) -> CustomModel:
    """Read a file; if it is an ONNX file, run it once, to find out now whether a run exceeds the memory limit."""
    card: CustomModel = _READERS[path.suffix].read(path, place, **given)
    if card.format == onnx.FORMAT:
        onnx.run_once(place)
    return card


def _by_name(name: str, asked: str, *, is_fed: bool, decode: str) -> CustomModel:
    """Return the card of a model that was used before; `name` is the name that results give to the model."""
    known = [card for card in cache.cards(CustomModel) if card.name == name and not card.refused]
    known = [card for card in known if card.feed is not None or not is_fed]
    known = [card for card in known if str(card.decoding or "") == (str(parse(decode)) if decode else "")]
    if not known:
        place = name if PARTS in name else file_and_function(name)[0]
        raise RequestError(f"nothing is at {place}; wanted a model's file, or the name of a model used before")
    wanted = inputs.parse(asked)
    fitting = [card for card in known if _fits(card, wanted)]
    if not fitting:
        found = known[-1].feed.sizes if known[-1].feed else shape.said(_dimensions(known[-1]))
        raise RequestError(f"wanted --input {asked}, but {name} was last used with {found}; give the file's path")
    return fitting[-1]


def _fits(card: CustomModel, wanted: Mapping[str, shape.Dimensions]) -> bool:
    """Return whether a model that was used before accepts the shapes that are requested now."""
    if card.feed is None:
        return all(sizes[1:] == _dimensions(card)[1:] for sizes in wanted.values())
    known = {entry.name: entry.shape for entry in card.feed.inputs}
    if len(known) == 1:
        known[""] = next(iter(known.values()))
    return all(
        name in known and len(sizes) == len(known[name]) and all(map(_agree, known[name], sizes))
        for name, sizes in wanted.items()
    )


def _agree(known: int, wanted: int) -> bool:
    return wanted == (known or 1)


def _dimensions(card: CustomModel) -> shape.Dimensions:
    sides = (card.resolution, card.resolution)
    return (0, card.channels, *sides) if card.layout == "NCHW" else (0, *sides, card.channels)


def network(card: CustomModel) -> nn.Module:
    """Return the network that a Python file's function builds, for formats that need an nn.Module.

    Raises:
        CaseError: the file is gone, or its function no longer returns a network.
    """
    try:
        return module.network(Path(card.source), file_and_function(card.name)[1])
    except (OSError, RequestError) as error:
        said = str(error).replace(card.source, card.name)  # records must not contain a user's paths
        raise CaseError(f"{card.name} changed after it was first read: {said}; run again with its file") from error
