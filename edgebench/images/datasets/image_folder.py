"""A folder of one's own images: a folder a class, or one of files with a labels file; ImageNet's validation layout.

    val/n01440764/ILSVRC2012_val_00000293.JPEG ...     classes are the folders' names in order, as ImageNet counts
                                                       its synsets; of a part of them, `classes.txt` says the order
    val/ILSVRC2012_val_00000001.JPEG ...               with labels.txt or val.txt beside them, a line an image:
                                                       its name, then its class, by number from 0 or by name
    photos/train/..., photos/val/...                   two such folders: one to train on, one to test on

How the files that list labels and classes are read is in `images/labels`. A folder without train/ cannot be trained on.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.files import folder as cache_folder
from edgebench.foundation.files import sha256 as sha256_of
from edgebench.foundation.files import write
from edgebench.images.labels import PLACE, labels
from edgebench.images.listing import is_junk, pictures, printable, some
from edgebench.images.loader import THREADS, Inspected, Opened
from edgebench.images.preprocessing import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy import int64
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgebench.images.listing import Listing, Stamp

CLASSES = 0
SOURCE = "given"
PREPROCESSING = PRESETS["torchvision"]
AUGMENTATION = ("flip", "shift")
TOOLS = ("pillow", "numpy")
NOTE = "images that were given; those set aside for calibration are no part of the test."

PARTS = ("train", "val")
CALIBRATION, SEED = 500, 0  # images set aside, or a tenth of fewer than ten times as many


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Pictures in files, by their names below a folder."""

    root: Path
    names: tuple[str, ...]
    digests: tuple[str, ...]
    labels: NDArray[int64]
    classes: tuple[str, ...]
    notices: tuple[str, ...] = ()
    white: float = 255.0
    depth: str = "uint8"

    def name(self, index: int) -> str:
        """Name it by its file, in characters that can be shown and kept."""
        return printable(self.names[index])

    def picture(self, index: int) -> Image:
        """Decode it to RGB."""
        from edgebench.images.decode import decode

        try:
            return decode(self.root / self.names[index])
        except Exception as error:  # every decoder has errors of its own
            raise CaseError(f"{self.name(index)} can no longer be read: {type(error).__name__}; restore it") from error

    def inspect(self, indices: Sequence[int]) -> list[Inspected]:
        """Decode these for a first time."""
        from edgebench.images import decode

        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(lambda index: decode.inspect(self.root / self.names[index]), indices))

    def only(self, indices: Sequence[int]) -> Files:
        """Return some of them."""
        names, digests = (tuple(all[index] for index in indices) for all in (self.names, self.digests))
        return replace(self, names=names, digests=digests, labels=self.labels[list(indices)])


def open(place: Path | None) -> Opened:
    """Find every image and its class; nothing is decoded.

    Raises:
        RequestError: this is no such folder, or some of its images have no class.
    """
    assert place is not None
    if not place.is_dir():
        raise RequestError(f"{place} is no folder; wanted {PLACE}")
    if all((place / part).is_dir() for part in PARTS):
        return _both(place, _listed(place, "train/"), _listed(place, "val/"))
    given = _listed(place, "")
    aside, rest = _set_aside(given)
    return _opened(given, {"calibration": aside, "test": rest})


def _both(place: Path, train: Files, val: Files) -> Opened:
    if train.classes != val.classes:
        odd = next(iter(sorted(set(train.classes) ^ set(val.classes))), "their order")
        raise RequestError(f"{place}: wanted the same classes in train and val, found them to differ in {odd}")
    aside, rest = _set_aside(train)
    return _opened(train, {"calibration": aside, "train": rest, "test": val}, also=val)


def _opened(files: Files, parts: dict[str, Files], also: Files | None = None) -> Opened:
    def part(name: str) -> Files:
        if name not in parts:
            raise CaseError(f"{files.root.name} has no images to {name} on: wanted train and val folders in it")
        return parts[name]

    everything = [files, *([also] if also else [])]
    return Opened(
        classes=len(files.classes),
        sha256=fingerprint(everything),
        part=part,
        files=tuple(everything),
        notices=(
            *(notice for listed in everything for notice in listed.notices),
            *(_unread(files.root) if also else ()),
        ),
    )


def _unread(place: Path) -> Iterator[str]:
    """Say which folders lie beside the two that are read."""
    beside = sorted(entry.name for entry in place.iterdir() if entry.is_dir() and not is_junk(entry.name))
    if others := [printable(name) for name in beside if name not in PARTS]:
        yield f"only train and val are read, and not {some(others)} beside them"


def fingerprint(everything: Sequence[Files]) -> str:
    """Hash names, contents and labels: another folder with the same ones is the same data set."""
    digest = hashlib.sha256(os.fsencode("\n".join(everything[0].classes)))
    for files in everything:
        for name, content, label in zip(files.names, files.digests, files.labels, strict=True):
            digest.update(os.fsencode(f"\n{name}\t{content}\t{label}"))
    return digest.hexdigest()


def contents(root: Path, below: str, found: Mapping[str, Stamp]) -> dict[str, str]:
    """Hash every file; one of the size and time that it had when it was hashed before is not read again."""
    folder = os.path.abspath(root / below)  # noqa: PTH100  # links keep their names, as in the catalogue
    kept = cache_folder("digests") / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.json"
    known = {name: seen for name, seen in _remembered(kept).items() if found.get(name) == tuple(seen[:2])}
    changed = [name for name in found if name not in known]
    with ThreadPoolExecutor(THREADS) as pool:
        digests = dict(zip(changed, pool.map(lambda name: _sha256(root / name), changed), strict=True))
    known |= {name: (*found[name], digest) for name, digest in digests.items() if digest}
    if any(digests.values()):
        write(kept, json.dumps(known).encode())
    return {name: seen[2] for name, seen in known.items()} | {name: "" for name in changed if not digests[name]}


def _remembered(kept: Path) -> dict[str, tuple[int, int, str]]:
    """Read what was hashed before; nothing where that cannot be read."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(dict[str, tuple[int, int, str]]).validate_python(json.loads(kept.read_bytes()))
    except (OSError, ValueError, ValidationError):
        return {}


def _sha256(file: Path) -> str:
    """Hash a file; empty where it cannot be read: a link to nothing is a damaged image."""
    try:
        return sha256_of(file)
    except OSError:
        return ""


def _set_aside(files: Files) -> tuple[Files, Files]:
    """Draw the images to calibrate with; return them and the others."""
    import numpy

    count = len(files.names)
    drawn = numpy.random.default_rng(SEED).permutation(count)
    first = min(CALIBRATION, max(1, count // 10))
    return files.only(sorted(drawn[:first])), files.only(sorted(drawn[first:]))


def _listed(root: Path, below: str) -> Files:
    """List one folder's images, in the order of their names."""
    import numpy

    listing = pictures(root, below)
    names = tuple(sorted(listing.stamps))
    if len(names) < 2:
        raise RequestError(f"wanted images in {root / below}, found {len(names)}: no data set; name {PLACE}")
    short = [name.removeprefix(below) for name in names]
    found = labels(root, below, short, listing)
    numbers = numpy.array([found.by_name[name] for name in short], numpy.int64)
    listed = files(root, below, listing, numbers, found.classes)
    return replace(listed, notices=(*listed.notices, *found.notices))


def files(root: Path, below: str, listing: Listing, numbers: NDArray[int64], classes: tuple[str, ...]) -> Files:
    """Hash the pictures of a listing; the labels' numbers are in the order of their names."""
    names, hashed = tuple(sorted(listing.stamps)), contents(root, below, listing.stamps)
    digests = tuple(map(hashed.__getitem__, names))
    return Files(root=root, names=names, digests=digests, labels=numbers, classes=classes, notices=listing.notices)
