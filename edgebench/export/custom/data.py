"""Copy the values for a model's inputs from a folder of arrays or images to one file in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from edgebench.export.custom.shape import said
from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import RequestError, in_words
from edgebench.foundation.files import sha256
from edgebench.images.listing import SUFFIXES
from edgebench.schema.cards import FedData

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgebench.schema.cards import CustomModel
    from edgebench.schema.feed import Input

MOST_BYTES = 2**30
_CHANNELS = {1: "L", 3: "RGB"}


def adopt(folder: str, model: CustomModel) -> FedData:
    """Copy the values for a model's inputs from a folder to the cache.

    The values of an input are in `name.npy`, under `name` in an `.npz` file, or in pictures.

    Raises:
        RequestError: the folder or an array is missing, or an array does not fit its input.
    """
    assert model.feed is not None
    place = Path(folder)
    if not place.is_dir():
        return _by_name(folder)
    arrays = _arrays(place)
    values = {entry.name: _fitting(entry, arrays, place) for entry in model.feed.inputs}
    files = sorted(file for file in place.iterdir() if file.is_file())
    if sum(file.stat().st_size for file in files) > MOST_BYTES:
        raise RequestError(f"wanted at most {MOST_BYTES} bytes (1 GiB) in --input-data {place}; remove some files")
    parts = {file.name: sha256(file) for file in files} | {"model": repr(model.feed)}
    key = provenance.key(parts | {"source": provenance.source("export/custom/data", "images/decode")})
    return cache.once(f"{place.name}-{key}", ".npz", FedData, lambda path: _write(path, values, place.name))


def _by_name(folder: str) -> FedData:
    known = [card for card in cache.cards(FedData) if card.name == folder]
    if not known:
        raise RequestError(
            f"--input-data {folder} is not a folder; wanted one that has name.npy for each input, or images"
        )
    return known[-1]


def _write(path: Path, values: dict[str, Any], name: str) -> FedData:
    import numpy

    with path.open("wb") as stream:
        numpy.savez(stream, **values)
    return FedData(file="", sha256="", name=name)


def _arrays(place: Path) -> dict[str, Any]:
    """Return all arrays of the folder, as a mapping from name to array."""
    return {name: values for file in sorted(place.iterdir()) for name, values in arrays_of(file).items()}


def arrays_of(file: Path) -> dict[str, Any]:
    """Return a mapping from name to array for a `.npy` or `.npz` file, and an empty mapping for any other file.

    Raises:
        RequestError: the file is damaged, or holds something other than numbers.
    """
    import numpy

    try:
        if file.suffix == ".npy":
            return {file.stem: numpy.load(file, allow_pickle=False)}
        if file.suffix == ".npz":
            with numpy.load(file, allow_pickle=False) as held:
                return {name: held[name] for name in held.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise RequestError(f"{file} is not a complete array of numbers: {error}; write it again") from error
    return {}


def _fitting(entry: Input, arrays: dict[str, Any], place: Path) -> Any:
    """Return the checked array for an input; if the folder lacks the array, make it from the folder's pictures."""
    name = entry.name.replace("/", "_").replace(":", "_")
    values = arrays.get(entry.name, arrays.get(name))
    if values is None:
        pictures = [file for file in sorted(place.iterdir()) if file.name.lower().endswith(SUFFIXES)]
        if not pictures or not is_image(entry):
            has = ", ".join(arrays) or "none"
            raise RequestError(f"{place} has no array for input {entry.name} (has {has}); write {place}/{name}.npy")
        return of_pictures(entry, pictures)
    wanted = "uint16" if entry.dtype == "bfloat16" else entry.dtype
    if values.dtype.name != wanted or len(values.shape) != len(entry.shape) or not _agree(entry.shape, values.shape):
        raise RequestError(
            f"{place}: wanted {entry.name} of {wanted} {said(entry.shape)}, found {values.dtype.name}"
            f" {said(values.shape)}; write it with the wanted type and shape"
        )
    return values


def _agree(wanted: Iterable[int], found: Iterable[int]) -> bool:
    """Return whether the sizes of an array fit an input; an open axis of the input accepts any size except 0."""
    return all(size == (mine or size) and size > 0 for mine, size in zip(wanted, found, strict=True))


def is_image(entry: Input) -> bool:
    """Return whether an input can take pictures: it has four axes, one of which has size 1 or 3."""
    return len(entry.shape) == 4 and bool({entry.shape[1], entry.shape[3]} & {*_CHANNELS})


def of_pictures(entry: Input, pictures: list[Path]) -> Any:
    """Return pictures resized for an input: values from 0 to 1 for a float input, pixel values for an integer input.

    Raises:
        RequestError: a picture cannot be decoded.
    """
    import numpy

    from edgebench.images.decode import decode

    _, first, middle, last = entry.shape
    is_first = first in _CHANNELS
    channels, height, width = (first, middle, last) if is_first else (last, first, middle)
    rows = []
    for file in pictures[: entry.shape[0] or 32]:
        try:
            pixels = numpy.asarray(decode(file).convert(_CHANNELS[channels]).resize((width, height)))
        except Exception as error:  # decoders raise many kinds of errors
            raise RequestError(f"{file} cannot be decoded: {in_words(error)}; leave it out") from error
        pixels = pixels.reshape(height, width, channels)
        rows.append(pixels.transpose(2, 0, 1) if is_first else pixels)
    images = numpy.stack(rows)
    missing = (entry.shape[0] or len(images)) - len(images)
    images = numpy.concatenate([images, *[images[-1:]] * missing]) if missing > 0 else images
    return images.astype(entry.dtype) if "int" in entry.dtype else (images / 255).astype(entry.dtype)
