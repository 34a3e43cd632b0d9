"""A folder of one's own images: a folder a class, or one of files with a labels file; ImageNet's validation layout.

    val/n01440764/ILSVRC2012_val_00000293.JPEG ...     classes are the folders' names in order, as ImageNet counts
                                                       its synsets; of a part of them, `classes.txt` says the order
    val/ILSVRC2012_val_00000001.JPEG ...               with labels.txt or val.txt beside them, a line an image:
                                                       its name, then its class, by number from 0 or by name
    photos/train/..., photos/val/...                   two such folders: one to train on, one to test on

`classes.txt` has a class a line, of which the first word counts. A folder without train/ cannot be trained on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.files import folder as cache_folder
from edgebench.foundation.files import sha256 as sha256_of
from edgebench.foundation.files import write
from edgebench.images.loader import THREADS, Opened
from edgebench.images.preprocessing import PRESETS
from edgebench.schema.variant import MAX_CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy import int64
    from numpy.typing import NDArray
    from PIL.Image import Image

CLASSES = 0
SOURCE = "given"
PLACE = "a folder of class folders, or of images with a labels.txt"
PREPROCESSING = PRESETS["torchvision"]
AUGMENTATION = ("flip", "shift")
TOOLS = ("pillow", "numpy")
NOTE = "images that were given; those set aside for calibration are no part of the test."

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff")
LABELS, ORDER = ("labels.txt", "val.txt"), "classes.txt"
# Images set aside to calibrate with: a tenth, but at most so many, and at least so many of a set that has more.
CALIBRATION, LEAST_CALIBRATION, SEED = 500, 32, 0

Stamp = tuple[int, int]  # a file's size, and when it was written, ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Pictures in files, by their names below a folder."""

    root: Path
    names: tuple[str, ...]
    digests: tuple[str, ...]
    labels: NDArray[int64]
    classes: tuple[str, ...]
    white: float = 255.0
    depth: str = "uint8"

    def name(self, index: int) -> str:
        """Name it by its file, in characters that can be shown and kept."""
        return os.fsencode(self.names[index]).decode(errors="backslashreplace")

    def picture(self, index: int) -> Image:
        """Decode it to RGB."""
        from PIL import Image

        try:
            with Image.open(self.root / self.names[index]) as image:
                return _rgb(image)
        except Exception as error:  # every decoder has errors of its own
            raise CaseError(f"{self.name(index)} can no longer be read: {type(error).__name__}; restore it") from error

    def damaged(self, indices: Sequence[int]) -> list[str]:
        """Name those that cannot be decoded."""
        with ThreadPoolExecutor(THREADS) as pool:
            return [name for name in pool.map(self._name_if_damaged, indices) if name]

    def _name_if_damaged(self, index: int) -> str:
        from PIL import Image

        try:
            with Image.open(self.root / self.names[index]) as image:
                image.draft("RGB", (1, 1))  # an eighth of a JPEG's pixels, from all of its bytes
                image.load()
        except Exception:  # as above
            return self.name(index)
        return ""

    def only(self, indices: Sequence[int]) -> Files:
        """Return some of them."""
        names, digests = (tuple(all[index] for index in indices) for all in (self.names, self.digests))
        return replace(self, names=names, digests=digests, labels=self.labels[list(indices)])


def _rgb(image: Image) -> Image:
    """Drop transparency and palettes; Pillow wants them dropped one after the other."""
    return (image.convert("RGBA") if image.mode in ("P", "PA", "LA") else image).convert("RGB")


def open(place: Path | None) -> Opened:
    """Find every image and its class; nothing is decoded.

    Raises:
        RequestError: this is no such folder, or some of its images have no class.
    """
    assert place is not None
    if not place.is_dir():
        raise RequestError(f"{place} is no folder; wanted {PLACE}")
    if all((place / part).is_dir() for part in ("train", "val")):
        return _both(place, _listed(place, "train/"), _listed(place, "val/"))
    given = _listed(place, "")
    aside, rest = _set_aside(given)
    return _opened(given, {"calibration": aside, "test": rest})


def _both(place: Path, train: Files, val: Files) -> Opened:
    if train.classes != val.classes:
        odd = next(iter(sorted(set(train.classes) ^ set(val.classes))), "their order")
        raise RequestError(f"{place}: wanted the same classes in train and val, found them to differ in {odd}")
    aside, rest = _set_aside(train, LEAST_CALIBRATION)  # as many at least are left to train on
    return _opened(train, {"calibration": aside, "train": rest, "test": val}, also=val)


def _opened(files: Files, parts: dict[str, Files], also: Files | None = None) -> Opened:
    def part(name: str) -> Files:
        if name not in parts:
            raise CaseError(f"{files.root.name} has no images to {name} on: wanted train and val folders in it")
        return parts[name]

    everything = [files, *([also] if also else [])]
    return Opened(classes=len(files.classes), sha256=fingerprint(everything), part=part, files=tuple(everything))


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


def _set_aside(files: Files, left: int = 0) -> tuple[Files, Files]:
    """Draw the images to calibrate with; return them and the others, more than `left` where the least is taken."""
    import numpy

    count = len(files.names)
    drawn = numpy.random.default_rng(SEED).permutation(count)
    least = LEAST_CALIBRATION if count > LEAST_CALIBRATION + left else 1
    first = min(CALIBRATION, max(least, count // 10))
    return files.only(sorted(drawn[:first])), files.only(sorted(drawn[first:]))


def _listed(root: Path, below: str) -> Files:
    """List one folder's images, in the order of their names."""
    import numpy

    found = images(root, below)
    names = tuple(sorted(found))
    if len(names) < 2:
        raise RequestError(f"wanted images in {root / below}, found {len(names)}: no data set; name {PLACE}")
    classes, by_name = _labels(root, below, [name.removeprefix(below) for name in names])
    labels = numpy.array([by_name[name.removeprefix(below)] for name in names], numpy.int64)
    hashed = contents(root, below, found)
    return Files(root=root, names=names, digests=tuple(map(hashed.__getitem__, names)), labels=labels, classes=classes)


def images(root: Path, below: str) -> dict[str, Stamp]:
    """Map every image's name to its size and time."""
    found = dict[str, Stamp]()
    for folder, folders, files in os.walk(root / below, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                path = os.path.join(folder, name)  # noqa: PTH118  # a million of them: a Path each takes seconds
                found[os.path.relpath(path, root)] = _stamp(path)
    return found


def _stamp(path: str) -> Stamp:
    try:
        seen = os.stat(path)  # noqa: PTH116  # as above
    except OSError:  # a link to nothing
        return 0, 0
    return seen.st_size, seen.st_mtime_ns


def _labels(root: Path, below: str, names: Sequence[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the classes in order, and every image's by its name."""
    folder = root / below
    written = _written(folder) or _written(root)
    file = next((folder / name for name in LABELS if (folder / name).is_file()), None)
    given = _from_file(file, names) if file else _from_folders(folder, names)
    if file and all(re.fullmatch(r"-?\d+", label) for label in given.values()):
        count = len(written) or max(2, 1 + max(map(int, given.values())))
        numbers = _numbered(file, given, min(count, MAX_CLASSES))
        return written or tuple(map(str, range(count))), numbers
    classes = _several(folder, written or tuple(sorted(set(given.values()), key=_in_order)))
    places = {name: place for place, name in enumerate(classes)}
    if unknown := next((label for label in given.values() if label not in places), None):
        raise RequestError(f"{folder}: class {unknown} is not in {ORDER}; add it there, in its place")
    return classes, {name: places[label] for name, label in given.items()}


def _written(folder: Path) -> tuple[str, ...]:
    """Read the classes' order where somebody wrote it down."""
    lines = _lines(folder / ORDER) if (folder / ORDER).is_file() else []
    return tuple(line.split()[0] for line in lines if line.strip())


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise RequestError(f"{file}: wanted text in UTF-8, found another byte at {error.start}; save it so") from error
    except OSError as error:
        raise RequestError(f"cannot read {file}: {error.strerror}; correct it") from error


def _in_order(name: str) -> tuple[int, str]:
    """Sort numbers by their value, then synsets and words as text."""
    return int(name) if name.isdecimal() else MAX_CLASSES, name


def _several(folder: Path, classes: tuple[str, ...]) -> tuple[str, ...]:
    if not 2 <= len(classes) <= MAX_CLASSES:
        found = classes[0] if len(classes) == 1 else len(classes)
        raise RequestError(f"{folder}: wanted 2 to {MAX_CLASSES} classes, found {found}; name {PLACE}")
    return classes


def _numbered(file: Path, given: dict[str, str], count: int) -> dict[str, int]:
    for name, label in given.items():
        if not 0 <= int(label) < count:
            raise RequestError(f"{file}: {name} has label {label}, wanted 0 to {count - 1}; correct it")
    return {name: int(label) for name, label in given.items()}


def _from_folders(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Take the first folder below as the class; every one holds images, and every image lies in one."""
    given = {name: name.partition(os.sep)[0] for name in names}
    if loose := [name for name in names if os.sep not in name]:
        raise RequestError(f"{folder}: {len(loose)} images have no class, {loose[0]} first; add a {LABELS[0]}")
    below = {entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    if empty := sorted(below - set(given.values())):
        raise RequestError(f"{folder}: found no image in class folder {empty[0]}; fill it or remove it")
    return given


def _from_file(file: Path, names: Sequence[str]) -> dict[str, str]:
    """Read `name label` lines; they name the images that there are, no more and no fewer."""
    given = dict[str, str]()
    for number, line in enumerate(_lines(file), 1):
        words = line.rsplit(None, 1)
        if len(words) == 1:
            raise RequestError(f"{file}:{number}: wanted an image's name and its class, found {line.strip()!r}")
        if words:
            given[words[0].strip()] = words[1]
    if odd := sorted(given.keys() ^ set(names)):
        why = "is named there and not in the folder" if odd[0] in given else "has no label"
        raise RequestError(f"{file}: {odd[0]} {why}, as {len(odd) - 1} others; correct it")
    return given
