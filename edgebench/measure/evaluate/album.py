"""Make an album of the boxes or maps that a network predicts: the ten test images with the largest errors."""

from __future__ import annotations

from base64 import b64encode
from heapq import nlargest
from io import BytesIO
from itertools import repeat
from math import isnan
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from edgebench.foundation import cache
from edgebench.foundation.files import folder
from edgebench.images.contact import COLOURS, coloured
from edgebench.results import pictures
from edgebench.schema.variant import task
from edgebench.tasks import detection, localization, segmentation
from edgebench.tasks.detection import boxes, decoders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy import uint8
    from numpy.typing import NDArray

    from edgebench.images.loader import Images, Truth
    from edgebench.schema.variant import Variant
    from edgebench.tasks.detection.boxes import Boxes
    from edgebench.tasks.localization import Answer

MOST = 10  # pictures
SIDE, QUALITY = 224, 80  # longer side of a picture in pixels, and quality of the JPEG file

Rows = Any  # an iterator over parts of the outputs, each of shape (n, values)


def write(
    artifact_sha256: str,
    variant: Variant,
    images: Images,
    truth: Callable[[int], Truth],
    outputs: Rows,
    reference: Rows | None,
) -> None:
    """Write the album of an artifact to the cache; do nothing if the artifact predicts neither boxes nor maps.

    `truth` is a function from an image's index to its true labels.
    """
    if not (pages_of := PAGES.get(task(variant))):
        return
    pages = pages_of(variant, images, truth, outputs, reference)
    cache.write_sealed(place(artifact_sha256), {"pictures": pages, "colours": list(COLOURS)})


def _of_boxes(
    variant: Variant, images: Images, truth: Callable[[int], Truth], outputs: Rows, reference: Rows | None
) -> list[dict[str, Any]]:
    heads = detection.of_heads(variant.classes, variant.resolution)
    decode = decoders.decoder(variant.decoding, variant.resolution) if variant.decoding else heads
    found = _all(decode, outputs)
    floats = _all(decode, reference) if reference is not None else None
    errors = [_errors(answer, truth(index)) for index, answer in enumerate(found)]
    worst = sorted(range(len(errors)), key=lambda index: (-errors[index], index))[:MOST]
    return [
        _page(images, index, truth(index), errors[index], found[index], floats[index] if floats else None)
        for index in worst
    ]


def _of_single_boxes(
    variant: Variant, images: Images, truth: Callable[[int], Truth], outputs: Rows, reference: Rows | None
) -> list[dict[str, Any]]:
    """Return the pages of the images with the most errors (a wrong box, a wrong class), those of least IoU first.

    Images without an object are left out, because the metrics of localization do not count them, either.
    """
    answers = _localized(variant, outputs)
    parents = _localized(variant, reference) if reference is not None else None
    results = [localization.seen(answer, truth(index)) for index, answer in enumerate(answers)]
    errors = [(result.iou <= localization.OVERLAP) + (not result.is_right) for result in results]
    counted = [index for index, result in enumerate(results) if not isnan(result.iou)]
    worst = sorted(counted, key=lambda index: (-errors[index], results[index].iou, index))[:MOST]
    return [
        _of_object(images, index, truth(index), errors[index], answers[index], parents[index] if parents else None)
        for index in worst
    ]


def _localized(variant: Variant, rows: Rows) -> list[Answer]:
    head = variant.classes, variant.resolution
    return [answer for part in rows for answer in localization.decode(part, *head)]


def _of_object(
    images: Images, index: int, truth: Truth, errors: int, answer: Answer, parent: Answer | None
) -> dict[str, Any]:
    """Return a page of the album: a picture, its largest object, and the box and the IoU of each answer.

    A localizer has no score for a box.
    """
    answers = {"this": answer} | ({"float": parent} if parent else {})
    label, box = localization.object_of(truth)
    wanted = localization.Answer(label, box.astype("f4"))
    boxes = {name: [_box(one)] for name, one in {"truth": wanted, **answers}.items()}
    overlaps = {name: round(localization.seen(one, truth).iou, 4) for name, one in answers.items()}
    return _picture(images, index, truth, errors) | {"iou": overlaps} | boxes


def _box(answer: Answer) -> list[float | None]:
    return [answer.label, None, *(round(value, 4) for value in answer.box.tolist())]


def _of_maps(
    variant: Variant, images: Images, truth: Callable[[int], Truth], outputs: Rows, reference: Rows | None
) -> list[dict[str, Any]]:
    """Return the pages of the images with the most wrong pixels; only the maps of these images are held in memory."""
    sides = (variant.resolution,) * 2
    pairs = zip(_maps(outputs, sides), _maps(reference, sides) if reference is not None else repeat(None), strict=False)
    errors = ((_wrong(pair[0], truth(index)), -index, pair) for index, pair in enumerate(pairs))
    worst = nlargest(MOST, errors, key=itemgetter(0, 1))
    return [_mapped(images, -place, truth(-place), wrong, *pair) for wrong, place, pair in worst]


def _maps(rows: Rows, sides: tuple[int, int]) -> Iterator[NDArray[uint8]]:
    return (row.reshape(sides) for part in rows for row in part)


def _wrong(answer: NDArray[uint8], truth: Truth) -> int:
    """Return the number of the truth's pixels that have another class in the network's map."""
    assert truth.mask is not None
    height, width = truth.mask.shape
    is_wrong = segmentation.resized(answer, (height, width)) != truth.mask
    return int((is_wrong & (truth.mask != segmentation.IGNORED)).sum())


def _mapped(
    images: Images, index: int, truth: Truth, wrong: int, answer: NDArray[uint8], parent: NDArray[uint8] | None
) -> dict[str, Any]:
    """Return a page of the album: the part of a picture that the network sees, and a map from each source."""
    assert truth.mask is not None
    (height, width), name = truth.mask.shape, images.pictures.name(int(images.kept[index]))
    maps = {"truth": truth.mask, "this": answer} | ({} if parent is None else {"float": parent})
    drawn = {source: _png(classes) for source, classes in maps.items()}
    return {"name": name, "errors": wrong, "jpeg": _jpeg(images, index), "size": [width, height], "maps": drawn}


def _png(classes: NDArray[uint8]) -> str:
    """Return a map as a PNG file in base64, at most SIDE pixels long: the background is transparent, each class has a
    colour, and pixels of no class are grey.
    """
    from PIL.Image import fromarray
    from PIL.ImageColor import getrgb

    scale = min(1.0, SIDE / max(classes.shape))
    height, width = (max(1, round(side * scale)) for side in classes.shape)
    colours = [getrgb(COLOURS[index % len(COLOURS)]) for index in range(segmentation.MOST_CLASSES)]
    picture = fromarray(segmentation.resized(classes, (height, width)), "P")
    picture.putpalette([value for colour in ((0, 0, 0), *colours, (128, 128, 128)) for value in colour])
    file = BytesIO()
    picture.save(file, "PNG", transparency=0)
    return b64encode(file.getvalue()).decode()


def place(artifact_sha256: str) -> Path:
    """Return the path of an artifact's album in the cache."""
    return folder("albums") / f"{artifact_sha256[:16]}.json"


def copy(artifact_sha256: str, results: Path) -> None:
    """Copy an artifact's album, if it has one, to a results folder."""
    if album := cache.read(place(artifact_sha256)):
        pictures.write(results, artifact_sha256, album)


def _all(decode: Callable[..., list[Boxes]], rows: Rows) -> list[Boxes]:
    return [answer for part in rows for answer in decode(part, detection.SURE)]


def _errors(answer: Boxes, truth: Truth) -> int:
    """Return the number of objects that no box finds, plus the number of boxes that find no object."""
    import numpy

    assert truth.boxes is not None
    overlaps = boxes.iou(answer.boxes * numpy.array(truth.size * 2), truth.boxes)
    is_found = (overlaps >= detection.ALIKE) & (answer.classes[:, None] == truth.classes)
    return int((~is_found.any(0)).sum() + (~is_found.any(1)).sum())


def _page(images: Images, index: int, truth: Truth, errors: int, answer: Boxes, parent: Boxes | None) -> dict[str, Any]:
    """Return a page of the album: the part of a picture that the network sees, and boxes in fractions of that part's
    sides.
    """
    assert truth.boxes is not None
    whole = truth.size * 2
    objects = [
        [label, 1.0, *(round(value / side, 4) for value, side in zip(box, whole, strict=True))]
        for label, box in zip(truth.classes.tolist(), truth.boxes.tolist(), strict=True)
    ]
    answers = {"truth": objects, "this": _boxes(answer)} | ({"float": _boxes(parent)} if parent else {})
    return _picture(images, index, truth, errors) | answers


def _picture(images: Images, index: int, truth: Truth, errors: int) -> dict[str, Any]:
    name = images.pictures.name(int(images.kept[index]))
    return {"name": name, "errors": errors, "jpeg": _jpeg(images, index), "size": list(truth.size)}


def _boxes(answer: Boxes) -> list[list[float]]:
    rows = zip(answer.classes.tolist(), answer.scores.tolist(), answer.boxes.tolist(), strict=True)
    return [[label, round(score, 3), *(round(value, 4) for value in box)] for label, score, box in rows]


def _jpeg(images: Images, index: int) -> str:
    """Return the part of the picture that the network sees, as a JPEG file in base64."""
    picture = coloured(images.pictures.picture(int(images.kept[index])), images.pictures.white)
    left, top, right, bottom = map(round, images.part(index))
    part = picture.crop((left, top, right, bottom))  # parts outside the picture, as in a letterbox, become black
    scale = min(1.0, SIDE / max(part.size))
    width, height = (max(1, round(side * scale)) for side in part.size)
    small = part.resize((width, height))
    file = BytesIO()
    small.save(file, "JPEG", quality=QUALITY)
    return b64encode(file.getvalue()).decode()


PAGES = {"detection": _of_boxes, "localization": _of_single_boxes, "segmentation": _of_maps}
