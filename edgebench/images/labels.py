"""A data set's folder and pictures -> the class of each picture, and the order of the classes."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from unicodedata import normalize

from edgebench.foundation.errors import RequestError
from edgebench.foundation.units import counted
from edgebench.images.listing import LABELS, ORDERS, SUFFIXES, some
from edgebench.schema.variant import MAX_CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from edgebench.images.listing import Listing

PLACE = "a folder of class folders, or of images with a labels.txt"
WHOLE = r"-?\d{1,18}"  # a class's number
# A number with a fraction or a hexadecimal number is not the number of a class, and in practice never its name.
FRACTION = r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?0[xob][0-9a-f]+"
NAME = r'(?:"([^"]*)"|(.*\S))\s+'
NAME_AND_CLASS = [re.compile(NAME + label) for label in (r'"([^"]*)"', r"(\S+)")]

FROM_ONE = (
    "{file}: no image has class 0, the least is {first}; numbers count from 0, so if these count from 1, subtract 1"
    " from each"
)
BY_VALUE = (
    "classes that are numbers are in the order of their values; torchvision and Keras sort them as text, {first} before"
    " {second}: if your model was trained so, list that order in a {file}"
)
PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"}  # not classes

Line = tuple[int, str]  # a line of a list: its number, from 1, and its text


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The classes in order, and the mapping `by_name` from each picture's name below the folder to its class number."""

    classes: tuple[str, ...]
    by_name: dict[str, int]
    notices: tuple[str, ...] = ()


def labels(root: Path, below: str, names: Sequence[str], listing: Listing) -> Labels:
    """Return the class of each picture in a folder of the data set.

    Raises:
        RequestError: a picture has no class, or a list is malformed; the message names the file and line.
    """
    folder = root / below
    file = _labels_file(folder, names)
    given = _from_file(file, names, listing) if file else _from_folders(folder, names, listing)
    order, written = _written([folder, root], file, set(given.values()))
    if file and all(re.fullmatch(WHOLE, label) for label in given.values()):
        count = len(written) or max(2, 1 + max(map(int, given.values())))
        numbers = _numbered(file, given, min(count, MAX_CLASSES))
        unused = (FROM_ONE.format(file=file.name, first=min(numbers.values())),) if min(numbers.values()) else ()
        return Labels(classes=written or tuple(map(str, range(count))), by_name=numbers, notices=unused)
    if file and not written:
        _require_names(file, given)
    empty = () if file or written else sorted(set(map(composed, listing.empty)))
    classes = _several(folder, written or tuple(sorted({*given.values(), *empty}, key=_in_order)))
    places = {name: place for place, name in enumerate(classes)}
    if unknown := next((label for label in given.values() if label not in places), None):
        raise RequestError(f"{folder}: class {unknown} is not in {order}; add it there, in its position")
    notices = (
        [f"{counted(len(empty), 'class', 'has')} no image; every class keeps its number: {some(list(empty))}"]
        if empty
        else []
    )
    notices += [] if written else [*_of_order(classes), *_of_likeness(classes)]
    by_name = {name: places[label] for name, label in given.items()}
    return Labels(classes=classes, by_name=by_name, notices=tuple(notices))


def _of_order(classes: Sequence[str]) -> Iterator[str]:
    """Yield a notice if other programs, which sort names as text, would number the classes in another way."""
    places = {name: place for place, name in enumerate(classes)}
    for first, second in pairwise(sorted(classes)):
        if places[first] > places[second]:
            yield BY_VALUE.format(first=first, second=second, file=ORDERS[0])
            return


def _of_likeness(classes: Sequence[str]) -> Iterator[str]:
    """Yield a notice for classes whose names differ only in case or in blanks, and which may be meant as one class."""
    alike = defaultdict[str, list[str]](list)
    for name in classes:
        alike["".join(name.casefold().split())].append(name)
    for names in alike.values():
        if len(names) > 1:
            shown = ", ".join(map(repr, names))
            yield f"{shown} are different classes, although their names differ only in case or blanks"


def _labels_file(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the file that states the class of each picture; None if there is no such file.

    Beside class folders, a `labels.txt` may list only the names of the classes; such a file is not returned.
    """
    files = [folder / name for name in LABELS if (folder / name).is_file()]
    known = set(map(composed, names))
    listing = [file for file in files if any(_names_picture(line, known) for _, line in _lines(file))]
    if len({tuple(sorted(" ".join(text.split()) for _, text in _lines(file))) for file in listing}) > 1:
        found = " and ".join(file.name for file in listing)
        raise RequestError(f"{folder}: {found} state different classes of the images; remove the wrong one")
    has_loose = any(os.sep not in name for name in names)
    return next(iter(listing or (files if has_loose else ())), None)


def composed(text: str) -> str:
    """Return text with each accented letter as one character (NFC); some file systems store accents separately."""
    return normalize("NFC", text)


def _names_picture(line: str, names: set[str]) -> bool:
    name = (_fields(line) or (line.strip(),))[0]
    return name in names or name.lower().endswith(SUFFIXES)


def _lines(file: Path) -> list[Line]:
    """Read the lines that are not empty, each as NFC; accept any line ending and a byte order mark."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{file}: wanted text in UTF-8, found an invalid byte at {error.start}; save it as UTF-8"
        ) from error
    except OSError as error:
        raise RequestError(f"cannot read {file}: {error.strerror}; correct it") from error
    return [(number, line) for number, line in enumerate(composed(text).split("\n"), 1) if line.strip()]


def _fields(line: str) -> tuple[str, ...]:
    """Split a line into name and class; a faulty line gives fewer parts. A class with spaces needs quotes or a tab."""
    if "\t" in line.strip():
        fields = tuple(field.strip().strip('"') for field in line.strip().split("\t") if field.strip())
        return fields if len(fields) == 2 else ()
    match = next(filter(None, (pattern.fullmatch(line.strip()) for pattern in NAME_AND_CLASS)), None)
    return tuple(field for field in match.groups() if field is not None) if match else ()


def _from_file(file: Path, names: Sequence[str], listing: Listing) -> dict[str, str]:
    """Return each image's label from lines of `name label`.

    Raises:
        RequestError: a line is malformed, or the lines do not name exactly the images in the folder.
    """
    given, lines = dict[str, str](), dict[str, int]()
    real = _by_composed_name(file.parent, names)
    for number, line in _lines(file):
        if len(fields := _fields(line)) != 2:
            raise RequestError(f"{file}:{number}: wanted an image's name and its class, found {line.strip()!r}")
        name, label = fields
        if lines.setdefault(name, number) != number:
            raise RequestError(f"{file}:{number}: {name} is named in line {lines[name]}, too; remove one")
        given[real.get(name, name)] = label
    if odd := sorted((given.keys() ^ set(names)) - listing.repeated.keys()):
        why = "is listed there but not in the folder" if odd[0] in given else "has no label"
        raise RequestError(f"{file}: {odd[0]} {why}; names that do not match: {len(odd)}; correct them")
    return given


def _from_folders(folder: Path, names: Sequence[str], listing: Listing) -> dict[str, str]:
    """Return each image's class, which is the name of the class folder that contains the image.

    Raises:
        RequestError: an image is in no class folder, or a class folder has files but no image.
    """
    _by_composed_name(folder, sorted({name.partition(os.sep)[0] for name in names}))
    given = {name: composed(name.partition(os.sep)[0]) for name in names}
    if given and set(given.values()) <= PARTS:
        found = " and ".join(sorted(set(given.values())))
        raise RequestError(
            f"{folder}: wanted class folders, or train/ and val/ with class folders, found {found}; rename the folder"
            f" to test on to val, or give one folder, {folder / min(given.values())}"
        )
    if loose := [name for name in names if os.sep not in name]:
        raise RequestError(
            f"{folder}: {counted(len(loose), 'image', 'has')} no class, such as {loose[0]}; add a {LABELS[0]}"
        )
    if odd := sorted({*map(composed, listing.folders - listing.empty)} - set(given.values())):
        raise RequestError(f"{folder}: found no image in class folder {odd[0]}; fill it or remove it")
    return given


def _by_composed_name(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Map each name's composed form (NFC) to the real name.

    Raises:
        RequestError: two names differ only in how accented letters are stored, and so look the same.
    """
    real = dict[str, str]()
    for name in names:
        if (other := real.setdefault(composed(name), name)) != name:
            raise RequestError(
                f"{folder}: wanted different names, found {composed(name)} twice, {other!a} and {name!a},"
                " which differ only in how their accents are written (Unicode NFC and NFD); merge or rename them"
            )
    return real


def _written(folders: Iterable[Path], labels_file: Path | None, given: set[str]) -> tuple[str, tuple[str, ...]]:
    """Return the name of the file that lists the classes, and the classes; ("", ()) if there is no such file."""
    files = (folder / name for folder in folders for name in ORDERS)
    for file in files:
        if file != labels_file and file.is_file() and (lines := _lines(file)):
            return file.name, _classes(file, lines, given)
    return "", ()


def _classes(file: Path, lines: list[Line], given: set[str]) -> tuple[str, ...]:
    """Return the class that each line names.

    The functions in READINGS read the lines in different ways, for example only the first word of each line. The first
    function whose result contains all `given` classes is used.
    """
    readings = [reading for read in READINGS if (reading := read([line for _, line in lines]))]
    unique = [reading for reading in readings if len(set(reading)) == len(reading)]
    if not unique:
        _refuse_repeated(file, lines)
    fitting = [reading for reading in unique if given and given <= set(reading)]
    if len({tuple(map(reading.index, sorted(given))) for reading in fitting}) > 1:
        line = lines[0][1].strip()
        raise RequestError(f"{file}: lines such as {line!r} can be read in two ways; leave only one name on each line")
    return tuple((fitting or unique)[0])


def _refuse_repeated(file: Path, lines: list[Line]) -> None:
    first = dict[str, int]()
    for number, line in lines:
        if first.setdefault(name := line.split()[0], number) != number:
            raise RequestError(f"{file}:{number}: class {name} is named in line {first[name]}, too; remove one")


def _first_words(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines]


def _first_fields(lines: list[str]) -> list[str]:
    return [line.strip().split("\t")[0].strip().strip('"') for line in lines]


def _behind_numbers(lines: list[str]) -> list[str]:
    """Sort lines such as `1 great dane` by number; an empty list if the numbers are not 0, 1, ... or 1, 2, ..."""
    return _numbered_lines(lines, r"(?P<number>\d{1,18})[\s:,]+(?P<name>.*\S)")


def _before_numbers(lines: list[str]) -> list[str]:
    """Sort lines such as `great dane 1` by number; an empty list if the numbers are not 0, 1, ... or 1, 2, ..."""
    return _numbered_lines(lines, r"(?P<name>.*[^\s:,])[\s:,]+(?P<number>\d{1,18})")


def _numbered_lines(lines: list[str], pattern: str) -> list[str]:
    matches = [re.fullmatch(pattern, line.strip()) for line in lines]
    pairs = sorted((int(match["number"]), match["name"].strip('"')) for match in matches if match)
    counts = [number for number, _ in pairs]
    is_counted = counts in (list(range(len(lines))), list(range(1, len(lines) + 1)))
    return [name for _, name in pairs] if is_counted else []


READINGS: tuple[Callable[[list[str]], list[str]], ...] = (
    _first_words,
    _first_fields,
    _behind_numbers,
    _before_numbers,
)


def _in_order(name: str) -> tuple[int, str]:
    """Return a sort key: numbers by value first, then other names as text."""
    return int(name) if name.isdecimal() and len(name) < len(str(10**18)) else 10**18, name


def _several(folder: Path, classes: tuple[str, ...]) -> tuple[str, ...]:
    if not 2 <= len(classes) <= MAX_CLASSES:
        found = classes[0] if len(classes) == 1 else len(classes)
        raise RequestError(f"{folder}: wanted 2 to {MAX_CLASSES} classes, found {found}; give {PLACE}")
    return classes


def _numbered(file: Path, given: dict[str, str], count: int) -> dict[str, int]:
    for name, label in given.items():
        if not 0 <= int(label) < count:
            raise RequestError(f"{file}: {name} has label {label}, wanted 0 to {count - 1}; correct it")
    return {name: int(label) for name, label in given.items()}


def _require_names(file: Path, given: dict[str, str]) -> None:
    """Refuse numbers among labels that are read as names: sorted as names, 10 would precede 2 and get its number."""
    are_numbers = (label for label in given.values() if re.fullmatch(FRACTION, label, re.I) or label.isdigit())
    if numbers := list(are_numbers):
        names = sorted(set(given.values()) - set(numbers))
        found = f"{numbers[0]} and {names[0]}" if names else numbers[0]
        raise RequestError(f"{file}: wanted whole numbers from 0 as classes, or names, found {found}; correct it")


def listed(folder: Path) -> tuple[str, ...]:
    """Return the classes in a folder's `classes.txt` or `labels.txt`, one per line; an empty tuple without such a file.

    Raises:
        RequestError: a class is listed twice.
    """
    files = (folder / name for name in ORDERS[:2] if (folder / name).is_file())
    return next((_classes(file, lines, set()) for file in files if (lines := _lines(file))), ())
