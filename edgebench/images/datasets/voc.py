"""Images with one XML file each, in the format of PASCAL VOC: boxes, and masks in `SegmentationClass`.

    VOC2012/JPEGImages/2007_000027.jpg, Annotations/2007_000027.xml
    VOC2012/ImageSets/Main/train.txt, val.txt          names of the images to train on and to test on; without these
                                                       files, all images are to test on
    VOC2012/SegmentationClass/2007_000032.png          each pixel's class plus 1; 255 is ignored

Classes are sorted by name, as in VOC, unless a `classes.txt` or `labels.txt` gives another order. Coordinates count
pixels from 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from edgebench.foundation.errors import RequestError
from edgebench.images.datasets import _annotated
from edgebench.images.datasets._annotated import Notes, Object
from edgebench.images.datasets.image_folder import TOOLS
from edgebench.images.labels import listed
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
SOURCE = "Everingham et al., The Pascal Visual Object Classes Challenge, IJCV 2010, for the format; given"
PLACE = "a folder with JPEGImages and Annotations/*.xml"
PREPROCESSING = PRESETS["whole"]
AUGMENTATION: tuple[str, ...] = ()
NOTE = (
    "user-supplied images; objects marked difficult are left out, and images set aside for calibration are not in the"
    " test set."
)

DIFFICULT = "objects marked difficult are left out: boxes found there count as wrong"
NO_BOX = "objects without a name or a box of four numbers are left out"
IMAGES, NOTES, MAPS = "JPEGImages", "Annotations", "SegmentationClass"


def open(place: Path | None) -> Opened:
    """Read the annotations and list the images; nothing is decoded.

    Raises:
        RequestError: the folder does not have the layout above, or an XML file cannot be read.
    """
    assert place is not None
    place = next(iter(sorted(place.glob("VOC*[0-9]/"))), place) if not (place / NOTES).is_dir() else place
    for name in (IMAGES, NOTES):
        if not (place / name).is_dir():
            raise RequestError(f"{place}: found no folder {name}; wanted {PLACE}")
    found = _annotated.folder(place / IMAGES)
    roots = {index: _xml(place, name) for index, name in enumerate(found.names)}
    known = {str(one.findtext("name")) for root in roots.values() if root is not None for one in root.iter("object")}
    classes = _annotated.require_classes(place, listed(place) or tuple(sorted(known - {"None"})))
    if unknown := sorted(known - {"None"} - set(classes)):
        raise RequestError(f"{place}: class {unknown[0]} is not in its list of classes; add it there, in its position")
    parts = _parts(place, found)
    return _annotated.opened(place, {part: _part(place, found, roots, classes, used) for part, used in parts.items()})


def _xml(place: Path, name: str) -> ElementTree.Element | None:
    """Parse an image's annotations file; return None if there is no such file."""
    file = place / NOTES / Path(name).with_suffix(".xml")
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RequestError(f"cannot read {file}: {error.strerror}; make it readable") from error
    if b"<!ENTITY" in content:
        raise RequestError(f"{file} defines entities, which are not read; write it without them")
    try:
        return ElementTree.fromstring(content)  # noqa: S314  # safe, because entities are refused above
    except (ElementTree.ParseError, ValueError) as error:
        raise RequestError(f"{file} is no XML: {error}; write it again") from error


def _parts(place: Path, found: Folder) -> dict[str, list[str]]:
    """Return the image names of each part from the lists in `ImageSets/Main`; without lists, all are for testing."""
    lists = {name: place / "ImageSets" / "Main" / f"{name}.txt" for name in ("train", "val", "test")}
    read = {name: _stems(file) for name, file in lists.items() if file.is_file()}
    tested = read.get("test") or read.get("val")
    if tested is None:
        return {"test": [Path(name).stem for name in found.names]}
    return {"train": read["train"], "test": tested} if read.get("train") else {"test": tested}


def _stems(file: Path) -> list[str]:
    """Return the first word of each line of a file."""
    return [line.split()[0] for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _part(
    place: Path,
    found: Folder,
    roots: Mapping[int, ElementTree.Element | None],
    classes: Sequence[str],
    stems: Sequence[str],
) -> Annotated:
    notes, labels = Notes(), {name: number for number, name in enumerate(classes)}
    by_stem = {Path(name).stem: index for name, index in found.by_name().items()}
    objects, used = list[Object](), list[int]()
    for stem in dict.fromkeys(stems):
        index = by_stem.get(stem)
        if index is None:
            notes.add(_annotated.MISSING, stem)
        elif (root := roots[index]) is None:
            notes.add(_annotated.UNNAMED, found.names[index])
        elif _has_another_size(root, found.sizes[index]):
            notes.add(_annotated.OTHER_SIZE, found.names[index])
        else:
            used.append(index)
            objects += _objects(root, index, labels, notes)
    maps = place / MAPS
    draw = _Maps(maps, len(classes)).drawn if maps.is_dir() else None
    return _annotated.annotated(found, classes, objects, notes, used=sorted(used), draw=draw)


def _has_another_size(root: ElementTree.Element, size: tuple[int, int]) -> bool:
    stated = tuple(root.findtext(f"size/{side}", "") for side in ("width", "height"))
    return all(stated) and any(size) and stated not in ((str(size[0]), str(size[1])), ("0", "0"))


def _objects(root: ElementTree.Element, picture: int, labels: Mapping[str, int], notes: Notes) -> Iterator[Object]:
    for one in root.iter("object"):
        name, box = one.findtext("name"), _box(one)
        if name is None or box is None:
            notes.add(NO_BOX, f"object of {root.findtext('filename')}")
        elif one.findtext("difficult", "0").strip() == "1":
            notes.add(DIFFICULT)
        else:
            yield Object(picture, labels[name], box)


def _box(one: ElementTree.Element) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom, counted from 0 with exclusive ends; VOC counts from 1 with inclusive ends."""
    try:
        left, top, right, bottom = (float(one.findtext(f"bndbox/{side}", "")) for side in SIDES)
    except ValueError:
        return None
    return left - 1, top - 1, right, bottom


SIDES = ("xmin", "ymin", "xmax", "ymax")


class _Maps:
    """The masks of pictures, read from a folder of PNG files."""

    def __init__(self, root: Path, classes: int) -> None:
        self._root, self._classes = root, classes

    def drawn(self, name: str, size: tuple[int, int], objects: Any) -> NDArray[uint8] | None:
        """Return a picture's mask; None if the mask is missing, is of another size, or contains unknown classes."""
        import numpy
        from PIL import Image

        file = self._root / Path(name).with_suffix(".png")
        if not file.is_file():
            return None
        with Image.open(file) as picture:
            pixels: NDArray[uint8] = numpy.array(picture, numpy.uint8)
        is_known = (pixels <= self._classes) | (pixels == 255)
        return pixels if pixels.shape == size[::-1] and is_known.all() else None
