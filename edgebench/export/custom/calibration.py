"""The sets of inputs on which a model is calibrated for int8: read from the user's folder, or drawn at random.

A set holds one array for each input of the model, enough for one inference. If the batch axis has no fixed size, each
array has a batch of one.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import islice
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.agent.feed import arrays as drawn
from edgebench.export.custom import data
from edgebench.export.custom.shape import said
from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.files import sha256
from edgebench.images.listing import SUFFIXES
from edgebench.schema.cards import FedData
from edgebench.schema.quantization import DATA, RANDOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from edgebench.schema.cards import CustomModel
    from edgebench.schema.feed import Feed, Input
    from edgebench.schema.quantization import Quantization
    from edgebench.schema.variant import Preprocessing

RANDOM_SETS = 16  # more sets of random values would not improve the ranges
Set = dict[str, Any]


def adopt(folder: str, model: CustomModel, recipe: Preprocessing | None) -> FedData:
    """Copy a folder's sets of inputs to the cache.

    A set is an `.npz` file with all inputs, or a picture, or one row from every file `name.npy`, where `name` is an
    input. A file with several batches gives one set per batch. Pictures are normalized by the preprocessing `recipe`,
    or scaled to [0, 1] if `recipe` is None.

    Raises:
        RequestError: the folder has no sets of inputs, or an array does not fit the input of the same name.
    """
    place, feed = Path(folder), model.feed
    assert feed is not None
    if not place.is_dir():
        return _by_name(folder)
    files = [file for file in sorted(place.iterdir()) if file.is_file()]
    if sum(file.stat().st_size for file in files) > data.MOST_BYTES:
        raise RequestError(
            f"wanted at most {data.MOST_BYTES} bytes (1 GiB) in calibration folder {place}; remove some files"
        )
    parts = {file.name: sha256(file) for file in files} | {"model": repr(model.feed), "recipe": repr(recipe)}
    key = provenance.key(parts | {"source": provenance.source("export/custom", "images/decode")})
    return cache.once(
        f"calibration-{place.name}-{key}",
        ".npz",
        FedData,
        lambda path: _write(path, _sets(feed, place, recipe), f"{DATA}{place.name}"),
    )


def _by_name(folder: str) -> FedData:
    known = [card for card in cache.cards(FedData) if card.name == f"{DATA}{folder}"]
    if not known:
        raise RequestError(
            f"--calibration {folder} is not a folder; wanted one with name.npy for each input, .npz files, or images"
        )
    return known[-1]


def _write(path: Path, sets: Iterable[Set], name: str) -> FedData:
    import numpy

    every, size = list[Set](), 0
    for one in sets:
        every.append(one)
        size += sum(values.nbytes for values in one.values())
        if size > data.MOST_BYTES:
            raise RequestError(f"wanted at most {data.MOST_BYTES} bytes (1 GiB) of arrays in {name}; remove some")
    with path.open("wb") as stream:
        numpy.savez(stream, **{entry: numpy.stack([one[entry] for one in every]) for entry in every[0]})
    return FedData(file="", sha256="", name=name)


def sets(feed: Feed, quantization: Quantization) -> Iterator[Set]:
    """Yield the sets of inputs on which a scheme is calibrated, drawn at random with the scheme's seed.

    Raises:
        CaseError: the sets are no longer in the cache, or there are fewer sets than requested.
    """
    import numpy

    if quantization.calibration == RANDOM:
        for number in range(min(quantization.images, RANDOM_SETS)):
            yield drawn(asdict(feed.without_data), 1, seed=quantization.seed + number)
        return
    card = next((one for one in cache.cards(FedData) if one.sha256 == quantization.calibration_sha256), None)
    if card is None or not cache.is_intact(card):
        raise CaseError(f"{quantization.calibration} is no longer in the cache; run again with --calibration")
    with numpy.load(cache.path_of(card), allow_pickle=False) as held:
        every = {name: held[name] for name in held.files}
    count = len(next(iter(every.values()), ()))
    if why := too_few(quantization, count):
        raise CaseError(why)
    for place in numpy.random.default_rng(quantization.seed).permutation(count)[: quantization.images]:
        yield {name: values[place] for name, values in every.items()}


def too_few(quantization: Quantization, count: int) -> str:
    """Return an error text if a scheme needs more than `count` sets of inputs; otherwise, an empty text.

    For a scheme that does not set a number of images, any count is enough.
    """
    if quantization.images <= count or quantization.images == type(quantization)().images:
        return ""
    return (
        f"{quantization.calibration} has {count} sets of inputs to calibrate with, but {quantization.images} were"
        f" requested; use images={count}"
    )


def _sets(feed: Feed, place: Path, recipe: Preprocessing | None) -> Iterator[Set]:
    blocks = _blocks(feed, place)
    if not blocks:
        yield from _of_pictures(feed, place, recipe)
    for source, block in blocks:
        yield from _split(feed, source, block)


def _blocks(feed: Feed, place: Path) -> list[tuple[Path, Set]]:
    """Return groups of arrays, each group with the file or folder from which it comes.

    Each file with arrays for all inputs is a group. If no file has arrays for all inputs, all arrays of the folder are
    one group; but for a model with one input, each array is a group.
    """
    wanted = {entry.name for entry in feed.inputs}
    held = {file: data.arrays_of(file) for file in sorted(place.iterdir()) if file.suffix in (".npy", ".npz")}
    named = {file: _renamed(values, wanted) for file, values in held.items()}
    whole = [(file, values) for file, values in named.items() if wanted <= {*values}]
    if whole:
        if extra := next((file for file in named if file not in dict(whole)), None):
            raise RequestError(
                f"{extra} has only {', '.join(named[extra])}, wanted all of {', '.join(sorted(wanted))}; add the others"
            )
        return whole
    together = {name: values for arrays in named.values() for name, values in arrays.items()}
    if together and len(wanted) == 1:
        (name,) = wanted
        return [(file, {name: values}) for file, arrays in named.items() for values in arrays.values()]
    if together and (missing := sorted(wanted - {*together})):
        has = ", ".join(together)
        raise RequestError(f"{place} has no array for input {missing[0]} (has {has}); write {place}/{missing[0]}.npy")
    return [(place, together)] if together else []


def _renamed(values: Set, wanted: Iterable[str]) -> Set:
    """Rename arrays to the names of their inputs; in an array's name, `_` can stand for `/` or `:`."""
    spelled = {name.replace("/", "_").replace(":", "_"): name for name in wanted}
    return {name if name in wanted else spelled.get(name, name): array for name, array in values.items()}


def _split(feed: Feed, source: Path, block: Mapping[str, Any]) -> Iterator[Set]:
    """Split the arrays of a file into sets; if an array has a single entry, every set gets this entry."""
    cut = {entry.name: _cut(entry, block[entry.name], source) for entry in feed.inputs}
    counts = {name: len(values) for name, values in cut.items()}
    several = {count for count in counts.values() if count > 1}
    if len(several) > 1:
        found = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise RequestError(
            f"{source}: wanted the same number of entries for each input, found {found}; write the same number"
        )
    for number in range(max(several, default=1)):
        yield {name: values[number % len(values)] for name, values in cut.items()}


def _cut(entry: Input, values: Any, source: Path) -> Any:
    """Return an input's values with a new first axis, whose entries are the sets.

    An array for a batch of one need not have a batch axis.
    """
    shape = tuple(size or 1 for size in entry.shape)
    fits = values.dtype.name == entry.dtype and values.size and values.size % prod(shape) == 0
    rest = values.shape[1:] if values.ndim == len(shape) else values.shape
    if not fits or (rest != shape[1:] and values.shape != shape) or (shape and values.ndim > len(shape)):
        raise RequestError(
            f"{source}: wanted {entry.name} of {entry.dtype} {said(entry.shape)}, found {values.dtype.name}"
            f" {said(values.shape)}; write it with the wanted type and shape"
        )
    return values.reshape(-1, *shape)


def _of_pictures(feed: Feed, place: Path, recipe: Preprocessing | None) -> Iterator[Set]:
    """Yield the folder's pictures, resized for the model's only input.

    If memory cannot hold all pictures, only every nth picture is used.
    """
    files = [file for file in sorted(place.iterdir()) if file.name.lower().endswith(SUFFIXES)]
    if not files or len(feed.inputs) != 1 or not data.is_image(feed.inputs[0]):
        names = ", ".join(entry.name for entry in feed.inputs) or "none"
        raise RequestError(f"{place} has no arrays for inputs {names}; write {place}/0.npz with all of them")
    entry = replace(feed.inputs[0], shape=(feed.inputs[0].shape[0] or 1, *feed.inputs[0].shape[1:]))
    most = max(1, data.MOST_BYTES // (4 * prod(entry.shape))) * entry.shape[0]
    chosen = iter(files[:: -(-len(files) // most)])
    while batch := list(islice(chosen, entry.shape[0])):
        yield {entry.name: _normalized(entry, data.of_pictures(entry, batch), recipe)}


def _normalized(entry: Input, images: Any, recipe: Preprocessing | None) -> Any:
    """Normalize images with values in [0, 1] by a preprocessing recipe; return integer images unchanged."""
    import numpy

    is_first = entry.shape[1] in (1, 3)
    if recipe is None or "float" not in entry.dtype or 3 not in entry.shape[1::2]:
        return images
    ends: Sequence[int] = (1, -1, 1, 1) if is_first else (1, 1, 1, -1)
    ordered = images if recipe.channels == "RGB" else numpy.flip(images, 1 if is_first else 3)
    mean, std = (numpy.reshape(values, ends) for values in (recipe.mean, recipe.std))
    return ((ordered * recipe.white - mean) / std).astype(entry.dtype)
