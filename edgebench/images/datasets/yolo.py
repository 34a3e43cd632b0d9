"""Images with one text file each, in the format of YOLO: boxes or polygons, in fractions of the picture.

    images/val/a.jpg, labels/val/a.txt                 or images/a.jpg, labels/a.txt
    train/images/a.jpg, train/labels/a.txt, valid/...  the layout that labelling tools export
    data.yaml or classes.txt                           the names of the classes

A line is `class x y width height`, a box with its centre at x and y, or `class x y x y x y ...`, a polygon. All
coordinates are from 0 to 1.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.images.datasets import _annotated, _masks
from edgebench.images.datasets._annotated import Notes, Object
from edgebench.images.datasets.image_folder import TOOLS
from edgebench.images.labels import listed
from edgebench.images.preprocessing import PRESETS
from edgebench.schema.variant import MAX_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy import uint8
    from numpy.typing import NDArray

    from edgebench.images.datasets._annotated import Annotated, Folder
    from edgebench.images.loader import Opened

__all__ = ["AUGMENTATION", "CLASSES", "NOTE", "PLACE", "PREPROCESSING", "SOURCE", "TOOLS", "open"]

CLASSES = 0
TASKS = ("detection",)
SOURCE = "given"
PLACE = "a folder with images/ and labels/*.txt, or with train and val in each"
PREPROCESSING = PRESETS["whole"]
AUGMENTATION: tuple[str, ...] = ()
NOTE = "user-supplied images; those set aside for calibration are not in the test set."

TRAIN, TEST = ("train", "training"), ("val", "valid", "validation", "test")
UNREAD = "lines of labels are neither `class x y width height` nor a polygon and are left out"
STRAY = "label files have no image and are left out"
_NAMES = re.compile(r"^names:[ \t]*([\[{](?P<row>[^\]}]*)[\]}])?(?P<rows>(\n[ \t]*(-|\d+:)[^\n]*)*)", re.MULTILINE)
_FLOW = re.compile(r"\s*(?:(?P<number>\d+)\s*:)?\s*(?P<name>'[^']*'|\"[^\"]*\"|[^\s,'\"][^,]*)\s*(?:,|$)")
_BLOCK = re.compile(r"\s*(?:-|(?P<number>\d+):)\s*(?P<name>.*)")
_KEYPOINTS = re.compile(r"^kpt_shape:", re.MULTILINE)


def open(place: Path | None) -> Opened:
    """Read the labels and list the images; nothing is decoded.

    Raises:
        RequestError: the folder has none of the layouts above, or only some of the classes have names.
    """
    assert place is not None
    if not place.is_dir():
        raise RequestError(f"{place} is not a folder; wanted {PLACE}")
    folders, notes = _folders(place), {}
    found = {part: _annotated.folder(images) for part, (images, _) in folders.items()}
    objects = dict[str, list[Object]]()
    has_keypoints = any(_KEYPOINTS.search(_text(file)) for file in place.glob("*.y*ml"))
    for part, (_, labels) in folders.items():
        notes[part] = Notes()
        objects[part] = list(_objects(found[part], labels, notes[part], has_keypoints=has_keypoints))
    classes = _classes(place, [one.label for several in objects.values() for one in several])
    return _annotated.opened(place, {part: _part(found[part], classes, objects[part], notes[part]) for part in folders})


def _folders(place: Path) -> dict[str, tuple[Path, Path]]:
    """Return, for each part, the folders of its images and of its labels; without such folders, both are `place`."""
    pairs = {
        part: [
            (images, labels)
            for name in names
            for images, labels in (
                (place / "images" / name, place / "labels" / name),
                (place / name / "images", place / name / "labels"),
            )
            if images.is_dir() and labels.is_dir()
        ]
        for part, names in (("train", TRAIN), ("test", TEST))
    }
    if not pairs["test"]:
        below = [(place / "images", place / "labels"), (place, place)]
        pairs = {"test": [*pairs["train"], *(pair for pair in below if all(map(Path.is_dir, pair)))]}
    return {part: several[0] for part, several in pairs.items() if several}


def _objects(found: Folder, labels: Path, notes: Notes, *, has_keypoints: bool) -> Iterator[Object]:
    """Yield the objects of all label files."""
    known = {Path(name).with_suffix("").as_posix(): index for name, index in found.by_name().items()}
    read = 0
    for file in sorted(labels.rglob("*.txt")):
        index = known.get(file.relative_to(labels).with_suffix("").as_posix())
        if index is not None:
            read += 1
            yield from _lines(file, index, found.sizes[index], notes, has_keypoints=has_keypoints)
        elif file.name not in ("classes.txt", "labels.txt", "train.txt", "val.txt", "test.txt"):
            notes.add(STRAY, file.name)
    if not read:
        raise RequestError(f"{labels}: found no label file of an image in {found.root}; wanted {PLACE}")


def _lines(file: Path, index: int, size: tuple[int, int], notes: Notes, *, has_keypoints: bool) -> Iterator[Object]:
    """Yield the objects of a label file; keypoints, which follow the box, are not read."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read {file}: {error}; write it again") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            label, *values = map(float, line.split())
        except ValueError:
            label, values = -1.0, []
        values = values[:4] if has_keypoints else values
        is_polygon = len(values) > 4 and len(values) % 2 == 0
        if not 0 <= label < MAX_CLASSES or label != int(label) or not (len(values) == 4 or is_polygon):
            notes.add(UNREAD, f"{file.name}:{number}")
            continue
        yield _object(int(label), values, index, size)


def _object(label: int, values: Sequence[float], index: int, size: tuple[int, int]) -> Object:
    """Return an object; convert its box and outline from fractions of the picture to pixels."""
    scaled = [value * size[place % 2] for place, value in enumerate(values)]
    if len(values) == 4:
        x, y, width, height = scaled
        return Object(index, label, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    across, down = scaled[::2], scaled[1::2]
    return Object(index, label, (min(across), min(down), max(across), max(down)), [scaled])


def _classes(place: Path, labels: Sequence[int]) -> tuple[str, ...]:
    """Return the class names from data.yaml or classes.txt; without these files, the class numbers.

    Raises:
        RequestError: a class has no name.
    """
    highest = max(labels, default=-1)
    names = next((_of_yaml(file) for file in sorted(place.glob("*.y*ml"))), ()) or listed(place)
    if names and highest >= len(names):
        raise RequestError(f"{place}: class {highest} is used, but only {len(names)} have names; name all, from 0 on")
    return _annotated.require_classes(place, names or tuple(map(str, range(highest + 1))))


def _of_yaml(file: Path) -> tuple[str, ...]:
    """Return the class names in a data.yaml, which lists them or maps numbers to them; an empty tuple without names.

    A number between two that the mapping lacks is the name of its own class.
    """
    match = _NAMES.search(_text(file))
    if not match:
        return ()
    rows = [row.split(" #")[0].strip() for row in (match["row"] or match["rows"]).splitlines()]
    found = _FLOW.finditer(" ".join(rows)) if match["row"] else filter(None, map(_BLOCK.fullmatch, rows))
    names = {int(one["number"] or place): one["name"].strip().strip("'\"") for place, one in enumerate(found)}
    if max(names, default=0) >= MAX_CLASSES:
        raise RequestError(f"{file}: wanted at most {MAX_CLASSES} classes, found the number {max(names)}; correct it")
    return tuple(names.get(number, str(number)) for number in range(max(names, default=-1) + 1))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8-sig", errors="replace")


def _part(found: Folder, classes: Sequence[str], objects: Sequence[Object], notes: Notes) -> Annotated:
    draw = _drawn if any(one.outline for one in objects) else None
    return _annotated.annotated(found, classes, objects, notes, used=range(len(found.names)), draw=draw)


def _drawn(name: str, size: tuple[int, int], objects: Sequence[Object]) -> NDArray[uint8]:
    """Draw a picture's mask from the polygons of the picture's objects."""
    return _masks.drawn(size, [(one.label, one.box, one.outline) for one in objects])
