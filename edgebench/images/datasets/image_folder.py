"""A folder of user-supplied images: one folder per class, or one folder with a labels file; ImageNet's layout works.

    val/n01440764/ILSVRC2012_val_00000293.JPEG ...     the classes are the sorted folder names, as in ImageNet; for a
                                                       subset of ImageNet's classes, `classes.txt` gives the order
    val/ILSVRC2012_val_00000001.JPEG ...               with labels.txt or val.txt beside them, one line per image:
                                                       its name, then its class, as a number from 0 or a name
    photos/train/..., photos/val/...                   two folders in these layouts: to train on, to test on

The module `images/labels` reads the files that list labels and classes. Training needs a `train` folder.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import time_ns
from typing import TYPE_CHECKING, Self, TypeVar

from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.files import folder as cache_folder
from edgebench.foundation.files import sha256 as sha256_of
from edgebench.foundation.files import used
from edgebench.foundation.seal import SETTLED_S
from edgebench.images.labels import PLACE, labels
from edgebench.images.listing import is_junk, pictures, printable, some
from edgebench.images.loader import THREADS, Inspected, Labelled, Opened
from edgebench.images.preprocessing import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy import int64
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgebench.images.listing import Listing, Stamp

CLASSES = 0
TASKS = ("classification",)
SOURCE = "given"
PREPROCESSING = PRESETS["torchvision"]
AUGMENTATION = ("flip", "shift")
TOOLS = ("pillow", "numpy")
NOTE = "user-supplied images; those set aside for calibration are not in the test set."

PARTS = ("train", "val")
# A tenth of all images are for calibration, but never more than CALIBRATION images.
# If enough images exist, at least LEAST_CALIBRATION of them are for calibration.
CALIBRATION, LEAST_CALIBRATION, SEED = 500, 32, 0


Listed = TypeVar("Listed", bound="Files")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files(Labelled):
    """Pictures in files below a folder.

    Attributes:
        names: paths relative to `root`.
        digests: hash of each file; an empty text for an unreadable file.
        classes: the names of the classes, in the order of the classes' numbers.
    """

    root: Path
    names: tuple[str, ...]
    digests: tuple[str, ...]
    labels: NDArray[int64]
    classes: tuple[str, ...]
    notices: tuple[str, ...] = ()
    white: float = 255.0
    depth: str = "uint8"

    def name(self, index: int) -> str:
        """Return the file's name; bytes that are not text are escaped."""
        return printable(self.names[index])

    def picture(self, index: int) -> Image:
        """Decode the picture to RGB.

        Raises:
            CaseError: the picture cannot be decoded.
        """
        from edgebench.images.decode import decode

        try:
            return decode(self.root / self.names[index])
        except Exception as error:  # decoders raise many kinds of errors
            raise CaseError(f"{self.name(index)} can no longer be read: {type(error).__name__}; restore it") from error

    def inspect(self, indices: Sequence[int]) -> list[Inspected]:
        """Decode each of the pictures at these indices once; return, in the same order, whether each is usable."""
        from edgebench.images import decode

        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(lambda index: decode.inspect(self.root / self.names[index]), indices))

    def only(self, indices: Sequence[int]) -> Self:
        """Return a part of the pictures: those at these indices."""
        names, digests = (tuple(all[index] for index in indices) for all in (self.names, self.digests))
        return replace(self, names=names, digests=digests, labels=self.labels[list(indices)])


def open(place: Path | None) -> Opened:
    """List all images and their classes; nothing is decoded.

    Raises:
        RequestError: the folder has none of the layouts above, or an image has no class.
    """
    assert place is not None
    if not place.is_dir():
        raise RequestError(f"{place} is not a folder; wanted {PLACE}")
    if all((place / part).is_dir() for part in PARTS):
        return _both(place, _listed(place, "train/"), _listed(place, "val/"))
    files = _listed(place, "")
    calibration, test = set_aside(files)
    return _opened(files, {"calibration": calibration, "test": test})


def _both(place: Path, train: Files, val: Files) -> Opened:
    if train.classes != val.classes:
        odd = next(iter(sorted(set(train.classes) ^ set(val.classes))), "their order")
        raise RequestError(f"{place}: wanted the same classes in train and val, found them to differ in {odd}")
    calibration, rest = set_aside(train, LEAST_CALIBRATION)  # LEAST_CALIBRATION images or more must remain for training
    return _opened(train, {"calibration": calibration, "train": rest, "test": val}, also=val)


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
    """Yield a notice if there are folders other than `train` and `val`, because only these two are read."""
    beside = sorted(entry.name for entry in place.iterdir() if entry.is_dir() and not is_junk(entry.name))
    if others := [printable(name) for name in beside if name not in PARTS]:
        yield f"only train and val are read; other folders beside them are ignored: {some(others)}"


def fingerprint(everything: Sequence[Files]) -> str:
    """Return a hash of file names, file contents and labels; folders with the same hash are the same data set."""
    digest = hashlib.sha256(os.fsencode("\n".join(everything[0].classes)))
    for files in everything:
        for name, content, label in zip(files.names, files.digests, files.labels, strict=True):
            digest.update(os.fsencode(f"\n{name}\t{content}\t{label}"))
    return digest.hexdigest()


def contents(root: Path, below: str, stamps: Mapping[str, Stamp]) -> dict[str, str]:
    """Map each file's name to a hash of its content; a file that did not change since last time is not read again."""
    folder = os.path.abspath(root / below)  # noqa: PTH100  # a link must keep its own name, as in the catalogue
    index = cache_folder("digests") / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.json"
    known = {name: entry for name, entry in _cached(index).items() if stamps.get(name) == tuple(entry[:-1])}
    changed = [name for name in stamps if name not in known]
    # If a file changed a moment ago, its hash is not stored: it may change again without a new timestamp.
    settled = time_ns() - int(SETTLED_S * 1e9)
    with ThreadPoolExecutor(THREADS) as pool:
        digests = dict(zip(changed, pool.map(lambda name: _sha256(root / name), changed), strict=True))
    hashed = {name: entry[-1] for name, entry in known.items()} | digests
    fresh = {name: (*stamps[name], digest) for name, digest in digests.items() if digest and stamps[name][-1] < settled}
    if fresh:
        cache.write_sealed(index, {"files": known | fresh})
    return hashed


def _cached(index: Path) -> dict[str, tuple[int, int, int, int, str]]:
    """Read the stored index, which maps each file to a stamp (size, times) and a hash; empty if there is none."""
    from pydantic import TypeAdapter, ValidationError

    used(index)
    try:
        fields = (cache.read(index) or {}).get("files", {})
        return TypeAdapter(dict[str, tuple[int, int, int, int, str]]).validate_python(fields)
    except ValidationError:  # an index from an earlier version of edgebench
        return {}


def _sha256(file: Path) -> str:
    """Return a file's hash; an empty text if the file cannot be read, for example because it is a broken link."""
    try:
        return sha256_of(file)
    except OSError:
        return ""


def set_aside(files: Listed, left: int = 0) -> tuple[Listed, Listed]:
    """Choose calibration images at random; return two groups: the chosen images and the remaining images.

    At least LEAST_CALIBRATION images are chosen, provided that more than `left` images remain.
    """
    import numpy

    count = len(files.names)
    drawn = numpy.random.default_rng(SEED).permutation(count)
    least = LEAST_CALIBRATION if count > LEAST_CALIBRATION + left else 1
    first = min(CALIBRATION, max(least, count // 10))
    return files.only(sorted(drawn[:first])), files.only(sorted(drawn[first:]))


def _listed(root: Path, below: str) -> Files:
    """List one folder's images, sorted by name."""
    import numpy

    listing = pictures(root, below)
    names = tuple(sorted(listing.stamps))
    if len(names) < 2:
        raise RequestError(f"wanted images in {root / below}, found {len(names)}: not a data set; give {PLACE}")
    short = [name.removeprefix(below) for name in names]
    found = labels(root, below, short, listing)
    numbers = numpy.array([found.by_name[name] for name in short], numpy.int64)
    listed = files(root, below, listing, numbers, found.classes)
    return replace(listed, notices=(*listed.notices, *found.notices))


def files(root: Path, below: str, listing: Listing, numbers: NDArray[int64], classes: tuple[str, ...]) -> Files:
    """Return the pictures of a listing, with hashes of their files; `numbers` maps each picture's name to its class."""
    names, hashed = tuple(sorted(listing.stamps)), contents(root, below, listing.stamps)
    digests = tuple(map(hashed.__getitem__, names))
    return Files(root=root, names=names, digests=digests, labels=numbers, classes=classes, notices=listing.notices)
