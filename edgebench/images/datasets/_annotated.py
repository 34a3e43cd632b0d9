"""Picture files and annotated objects -> pictures with checked labels, and notices about what was left out.

The modules `coco`, `voc` and `yolo` read the files of their formats into `Object`s; this module checks the objects.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from edgebench.foundation.errors import CaseError, RequestError
from edgebench.images.datasets.image_folder import LEAST_CALIBRATION, Files, contents, fingerprint, set_aside
from edgebench.images.listing import pictures, printable, some
from edgebench.images.loader import THREADS, Opened, Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy import float32, int64, uint8
    from numpy.typing import NDArray

    from edgebench.images.listing import Stamp

MOST_MASKED = 254  # the most classes that a mask's byte can tell apart: 0 is the background, and 255 is ignored
OUTSIDE = "objects outside of their picture are left out"
CUT = "boxes reach beyond their picture and are cut at its edge"
EMPTY = "objects without an area are left out"
ODD = "objects whose box is not finite are left out"
TWICE = "objects are annotated twice and count once"
OTHER_SIZE = "pictures have another size than their annotations say and are left out"
MASK_SIZE = "masks have another size than their picture; objects stay, but metrics ignore the pixels in their boxes"
MISSING = "annotated pictures are not in the folder and are left out"
UNNAMED = "pictures have no annotations file or entry and are left out"
WITHOUT = "pictures have no object; they are kept, and every box that a network finds on them counts as wrong"


class Object(NamedTuple):
    """One object from an annotation file.

    Attributes:
        picture: index of the picture that shows the object.
        label: the object's class, from 0.
        box: left, top, right and bottom of the object, in pixels.
        outline: polygons or run lengths, from which a mask is drawn; None if the object has no outline.
    """

    picture: int
    label: int
    box: tuple[float, float, float, float]
    outline: Any = None


@dataclass(slots=True, kw_only=True)
class Notes:
    """Counts of what was left out or changed, by reason, with the first few names for each reason."""

    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, what: str, name: str = "", count: int = 1) -> None:
        """Count `count` more cases of `what`; the notice for `what` is the number of its cases followed by its text."""
        self.counts[what] += count
        if name and len(self.names[what]) < 4:
            self.names[what].append(printable(name))

    def words(self) -> tuple[str, ...]:
        """Return one notice for each reason why something was left out or changed."""
        return tuple(
            f"{count} {what}" + (f": {some(self.names[what])}" if self.names[what] else "")
            for what, count in self.counts.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated(Files):
    """Pictures, each in a file of its own, and the annotated objects of each picture.

    Attributes:
        sizes: width and height of each picture after it is turned upright; (0, 0) for an unreadable picture.
        objects: the objects of each picture.
        draw: a function that returns the mask of a picture, (H, W); it returns None for a picture without a mask. If no
            picture has a mask, there is no function: `draw` is None.
    """

    sizes: tuple[tuple[int, int], ...]
    objects: tuple[tuple[Object, ...], ...]
    draw: Callable[[str, tuple[int, int], Sequence[Object]], NDArray[uint8] | None] | None = None

    def truth(self, index: int) -> Truth:
        """Return the classes and boxes of a picture's objects, and the picture's mask if the data set has masks."""
        import numpy

        objects, size = self.objects[index], self.sizes[index]
        boxes: NDArray[float32] = numpy.array([one.box for one in objects], numpy.float32).reshape(-1, 4)
        classes: NDArray[int64] = numpy.array([one.label for one in objects], numpy.int64)
        mask = self.draw(self.names[index], size, objects) if self.draw and len(self.classes) <= MOST_MASKED else None
        return Truth(classes=classes, boxes=boxes, mask=mask, size=size)

    def only(self, indices: Sequence[int]) -> Self:
        """Return a part of the pictures: those at these indices."""
        sizes, objects = tuple(map(self.sizes.__getitem__, indices)), tuple(map(self.objects.__getitem__, indices))
        return replace(Files.only(self, indices), sizes=sizes, objects=objects)


class Folder(NamedTuple):
    """The pictures below a folder, sorted by name, with the size of each."""

    root: Path
    names: tuple[str, ...]
    digests: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    notices: tuple[str, ...]

    def by_name(self) -> dict[str, int]:
        """Map each picture's path below the folder to the picture's index."""
        return {name: index for index, name in enumerate(self.names)}


def folder(root: Path) -> Folder:
    """List the pictures below a folder; read only the headers of pictures that changed since the last listing."""
    listing = pictures(root, "")
    names, hashed = tuple(sorted(listing.stamps)), contents(root, "", listing.stamps)
    with ThreadPoolExecutor(THREADS) as pool:
        sizes = tuple(pool.map(lambda name: _size(root / name, listing.stamps[name]), names))
    return Folder(root, names, tuple(map(hashed.__getitem__, names)), sizes, listing.notices)


@lru_cache(maxsize=500_000)
def _size(file: Path, stamp: Stamp) -> tuple[int, int]:
    """Return a picture's width and height after it is turned upright; (0, 0) if the file cannot be read.

    The result is cached for each file and `stamp`: a changed file has another stamp, so it is read again.
    """
    from edgebench.images.decode import size

    try:
        return size(file)
    except Exception:  # decoders raise many kinds of errors; the file is reported as damaged later
        return 0, 0


def annotated(
    found: Folder,
    classes: Sequence[str],
    objects: Iterable[Object],
    notes: Notes,
    *,
    used: Sequence[int],
    draw: Callable[[str, tuple[int, int], Sequence[Object]], NDArray[uint8] | None] | None = None,
) -> Annotated:
    """Return the pictures at the indices `used` with their checked objects; boxes are cut at the picture's edge.

    Raises:
        RequestError: fewer than two pictures are left, or all boxes are given in fractions of their picture.
    """
    import numpy

    if len(used) < 2:
        raise RequestError(f"wanted annotated pictures in {found.root}, found {len(used)}; {_said(notes)}")
    held: dict[int, dict[tuple[int, tuple[float, ...]], Object]] = defaultdict(dict)
    chosen, objects = frozenset(used), list(objects)
    if objects and all(side <= 1 for one in objects for side in one.box):
        raise RequestError(f"{found.root}: wanted boxes in pixels, found only boxes in fractions; multiply by the size")
    for one in objects:
        kept = _judged(one, found, notes) if one.picture in chosen else None
        if kept is None:
            continue
        if held[one.picture].setdefault((kept.label, kept.box), kept) is not kept:
            notes.add(TWICE, found.names[one.picture])
    for index in used:
        if not held[index]:
            notes.add(WITHOUT, found.names[index])
    whole = Annotated(
        root=found.root,
        names=found.names,
        digests=found.digests,
        labels=numpy.zeros(len(found.names), numpy.int64),
        classes=tuple(classes),
        notices=(*found.notices, *notes.words()),
        sizes=found.sizes,
        objects=tuple(tuple(held[index].values()) for index in range(len(found.names))),
        draw=draw,
    )
    return whole.only(used)


def _said(notes: Notes) -> str:
    return f"{'; '.join(notes.words()) or 'no picture is annotated'}; give a folder with pictures and annotations"


def _judged(one: Object, found: Folder, notes: Notes) -> Object | None:
    """Return an object, with the box cut to the part inside the picture; None if the object cannot be used."""
    name, (width, height) = found.names[one.picture], found.sizes[one.picture]
    if not all(map(isfinite, one.box)):
        notes.add(ODD, name)
        return None
    left, top, right, bottom = one.box
    if right <= left or bottom <= top:
        notes.add(EMPTY, name)
        return None
    if not (width and height):  # the picture cannot be read, and is left out as damaged
        return one
    inside = max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        notes.add(OUTSIDE, name)
        return None
    if any(abs(before - after) > 1 for before, after in zip(one.box, inside, strict=True)):
        notes.add(CUT, name)
    return one._replace(box=inside)


def require_classes(place: Path, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the classes; refuse an empty list, and a name that occurs twice.

    Raises:
        RequestError: there are no classes, or two have the same name.
    """
    if not classes:
        raise RequestError(f"{place}: wanted at least one class, found none; annotate an object")
    if twice := [name for name, count in Counter(classes).items() if count > 1]:
        raise RequestError(f"{place}: wanted classes of different names, found {twice[0]} twice; rename one")
    return tuple(classes)


def opened(place: Path, parts: Mapping[str, Annotated]) -> Opened:
    """Return a data set from the images of the part `test` and, if it exists, of the part `train`.

    The calibration images are taken out of `train`, or out of `test` if there is no `train`.

    Raises:
        RequestError: the two parts have different classes.
    """
    test, train = parts["test"], parts.get("train")
    if train and train.classes != test.classes:
        odd = next(iter(sorted({*train.classes} ^ {*test.classes})), "their order")
        raise RequestError(f"{place}: wanted the same classes to train and to test on, found them to differ in {odd}")
    if train:
        calibration, rest = set_aside(train, LEAST_CALIBRATION)
        splits = {"calibration": calibration, "train": rest, "test": test}
    else:
        calibration, rest = set_aside(test)
        splits = {"calibration": calibration, "test": rest}

    def part(name: str) -> Files:
        if name not in splits:
            raise CaseError(f"{place.name} has no images to {name} on; add a part named {name}")
        return splits[name]

    everything = list(parts.values())
    return Opened(
        classes=len(test.classes),
        sha256=_fingerprint(everything),
        part=part,
        files=tuple(everything),
        notices=tuple(notice for listed in everything for notice in listed.notices),
    )


def _fingerprint(everything: Sequence[Annotated]) -> str:
    """Return a hash of a folder's files and annotations; folders with the same hash are the same data set."""
    digest = hashlib.sha256(fingerprint(everything).encode())
    for listed in everything:
        for objects in listed.objects:
            digest.update(repr([(one.label, one.box, one.outline) for one in objects]).encode())
    return digest.hexdigest()
