"""Images with one JSON file of object instances, in COCO's format: boxes, polygons and run-length masks.

    val.json                                           the images are beside it, or in a folder `val` or `images`
    annotations/instances_val2017.json, val2017/...    COCO as downloaded; instances_train2017.json is for training
    train/_annotations.coco.json, valid/...            the layout that labelling tools export

Each category is a class. Classes are numbered from 0 in the order of the categories' ids; the ids can have gaps.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation.errors import RequestError
from edgebench.images.datasets import _annotated, _masks
from edgebench.images.datasets._annotated import Notes, Object
from edgebench.images.datasets.image_folder import TOOLS
from edgebench.images.preprocessing import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy import uint8
    from numpy.typing import NDArray

    from edgebench.images.datasets._annotated import Annotated, Folder
    from edgebench.images.loader import Opened

__all__ = ["AUGMENTATION", "CLASSES", "NOTE", "PLACE", "PREPROCESSING", "SOURCE", "TOOLS", "open"]

CLASSES = 0
TASKS = ("detection", "segmentation")
SOURCE = "Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, for the format; given"
PLACE = "a COCO JSON of instances, or a folder with annotations/instances_*.json and the images"
PREPROCESSING = PRESETS["whole"]
AUGMENTATION: tuple[str, ...] = ()
NOTE = "user-supplied images; crowds are left out, and images set aside for calibration are not in the test set."

CROWDS = "crowds are left out: boxes found there count as wrong"
NO_CATEGORY = "annotations of a category that is not listed are left out"
NO_PICTURE = "annotations of an image that is not listed are left out"
NO_BOX = "annotations without a box of four numbers are left out"


def open(place: Path | None) -> Opened:
    """Read the annotations and list the images; nothing is decoded.

    Raises:
        RequestError: there are no annotations or images, or two images have the same id.
    """
    assert place is not None
    files = {"test": place} if place.is_file() else _files(place)
    return _annotated.opened(place, {name: _part(file) for name, file in files.items()})


def _files(place: Path) -> dict[str, Path]:
    """Return the JSON file of each part, `train` and `test`, that a folder has."""
    below = ("*.json", "annotations/*.json", "*/_annotations.coco.json")
    known = sorted(file for pattern in below for file in place.glob(pattern) if _is_of_instances(file))
    train = [file for file in known if "train" in file.relative_to(place).as_posix()]
    test = [file for file in known if file not in train]
    for part in (train, test):
        if len(part) > 1:
            found = ", ".join(file.relative_to(place).as_posix() for file in part[:3])
            raise RequestError(f"{place}: wanted one JSON of instances to test on, found {found}; name one of them")
    if not known:
        raise RequestError(f"{place}: found no JSON of instances; wanted {PLACE}")
    parts = {"train": train, "test": test} if train and test else {"test": known}
    return {name: part[0] for name, part in parts.items()}


def _is_of_instances(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(("captions", "person_keypoints", "panoptic", "stuff", "image_"))


def _part(file: Path) -> Annotated:
    content, notes = _read(file), Notes()
    images, categories = _by_id(file, content, "images"), _by_id(file, content, "categories")
    found = _annotated.folder(_images(file, images))
    labels = {number: place for place, number in enumerate(sorted(categories))}
    classes = _annotated.require_classes(
        file, [str(categories[number].get("name", number)) for number in sorted(categories)]
    )
    if unused := max(labels) - min(labels) + 1 - len(labels):
        text = f"category ids between {min(labels)} and {max(labels)} are unused; classes are numbered without them"
        notes.add(text, count=unused)
    places = _places(images, found, notes)
    objects = list(_objects(content.get("annotations") or [], places, labels, images, notes))
    objects = [_with_fitting_mask(one, found, notes) for one in objects]
    draw = _drawn if any(one.outline for one in objects) else None
    return _annotated.annotated(found, classes, objects, notes, used=sorted(set(places.values())), draw=draw)


def _read(file: Path) -> dict[str, Any]:
    try:
        status = file.stat()
        return _parsed(file, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise RequestError(f"cannot read {file}: {error.strerror}; make it readable") from error


@lru_cache(maxsize=4)
def _parsed(file: Path, changed_ns: int, size: int) -> dict[str, Any]:
    """Parse a JSON file; the result is cached until the file's timestamp or size changes."""
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{file} is no JSON: {error}; write it again") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in ("images", "categories")):
        raise RequestError(f"{file}: wanted COCO's lists images, annotations and categories; name a JSON of instances")
    return content


def _by_id(file: Path, content: Mapping[str, Any], noun: str) -> dict[int, dict[str, Any]]:
    """Map ids to images or categories."""
    known = dict[int, dict[str, Any]]()
    for entry in content[noun]:
        number = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(number, int):
            raise RequestError(f"{file}: wanted a whole number as the id of each of its {noun}, found {number!r}")
        if number in known:
            raise RequestError(f"{file}: two of its {noun} have the id {number}; give each an id of its own")
        known[number] = entry
    return known


def _images(file: Path, images: Mapping[int, Mapping[str, Any]]) -> Path:
    """Return the folder of the images: the first candidate that contains at least one listed image."""
    part = file.stem.rpartition("_")[2] or file.stem
    above = (file.parent, file.parent.parent)
    beside = [folder / name for folder in above for name in (part, file.stem, f"images/{part}", "images")]
    first = [str(entry.get("file_name", "")) for entry in list(images.values())[:20]]
    for folder in (file.parent, *beside):
        if folder.is_dir() and any(name and (folder / name).is_file() for name in first):
            return folder
    raise RequestError(
        f"{file}: found none of its images, such as {first[0] if first else 'none'}, beside it; wanted them in"
        f" {file.parent / 'images'}, or in {file.parent.parent / part}"
    )


def _places(images: Mapping[int, Mapping[str, Any]], found: Folder, notes: Notes) -> dict[int, int]:
    """Map ids of annotated images to indices in the folder; leave out images that are missing or of another size."""
    known, places = found.by_name(), dict[int, int]()
    for number, entry in images.items():
        name = str(entry.get("file_name", ""))
        place = known.get(name)
        if place is None:
            notes.add(_annotated.MISSING, name)
            continue
        stated, real = (entry.get("width"), entry.get("height")), found.sizes[place]
        if all(isinstance(side, int) for side in stated) and stated != real and any(real):
            notes.add(_annotated.OTHER_SIZE, name)
            continue
        places[number] = place
    for place in sorted({*range(len(found.names))} - {known.get(str(one.get("file_name"))) for one in images.values()}):
        notes.add(_annotated.UNNAMED, found.names[place])
    return places


def _objects(
    annotations: Sequence[Any],
    places: Mapping[int, int],
    labels: Mapping[int, int],
    images: Mapping[int, Any],
    notes: Notes,
) -> Iterator[Object]:
    """Yield the objects of all images that are used."""
    for given in annotations:
        entry = given if isinstance(given, dict) else {}
        number = entry.get("image_id")
        if not isinstance(number, int) or number not in images:
            notes.add(NO_PICTURE, f"annotation {entry.get('id')}")
        elif number in places:
            yield from _object(entry, places[number], labels, notes)


def _object(entry: Mapping[str, Any], place: int, labels: Mapping[int, int], notes: Notes) -> Iterator[Object]:
    """Yield the object that an annotation describes; yield nothing if it describes a crowd or is incomplete."""
    name, category, box = f"annotation {entry.get('id')}", entry.get("category_id"), entry.get("bbox")
    if entry.get("iscrowd"):
        notes.add(CROWDS)
    elif not isinstance(category, int) or category not in labels:
        notes.add(NO_CATEGORY, name)
    elif not isinstance(box, list) or len(box) != 4 or not all(isinstance(side, int | float) for side in box):
        notes.add(NO_BOX, name)
    else:
        left, top, width, height = map(float, box)
        yield Object(place, labels[category], (left, top, left + width, top + height), entry.get("segmentation"))


def _with_fitting_mask(one: Object, found: Folder, notes: Notes) -> Object:
    """Return an object; its run lengths are left out if they were made for a picture of another size."""
    size = found.sizes[one.picture]
    if not isinstance(one.outline, dict) or one.outline.get("size") == [size[1], size[0]]:
        return one
    notes.add(_annotated.MASK_SIZE, found.names[one.picture])
    return one._replace(outline=None)


def _drawn(name: str, size: tuple[int, int], objects: Sequence[Object]) -> NDArray[uint8]:
    """Draw a picture's mask from the outlines of the picture's objects."""
    return _masks.drawn(size, [(one.label, one.box, one.outline) for one in objects])
