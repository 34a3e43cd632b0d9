"""The outlines of a picture's objects, as polygons or run lengths -> the picture's mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import bool_, float64, uint8
    from numpy.typing import NDArray

UNJUDGED = 255
Outlined = tuple[int, tuple[float, ...], Any]  # an object: class, box, and outline as polygons or run lengths


def drawn(size: tuple[int, int], objects: Sequence[Outlined]) -> NDArray[uint8]:
    """Return a mask, (H, W): 0 for background, else a pixel's class plus 1; small objects are drawn over large objects.

    If an object has no usable outline, all pixels in its box get the value 255, which metrics ignore.
    """
    import numpy

    mask = numpy.zeros((size[1], size[0]), numpy.uint8)
    for label, box, outline in sorted(objects, key=lambda one: -_area(one[1])):
        inside = _inside(outline, size)
        if inside is None:
            left, top, right, bottom = (round(value) for value in box)
            mask[top:bottom, left:right] = UNJUDGED
        else:
            mask[inside] = label + 1
    return mask


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _inside(outline: Any, size: tuple[int, int]) -> NDArray[bool_] | None:
    """Return an array, (H, W), true inside an outline; None if the outline has an unknown form, or another size."""
    if isinstance(outline, dict):
        return _runs(outline, size)
    if isinstance(outline, list):
        return polygons(outline, size)
    return None


def polygons(outline: Sequence[Any], size: tuple[int, int]) -> NDArray[bool_] | None:
    """Return an array that is true for pixels whose centre is in a polygon; None if no polygon is usable.

    Each polygon is a list of alternating x and y, in pixels.
    """
    import numpy

    usable = [part[: len(part) // 2 * 2] for part in outline if isinstance(part, list) and len(part) >= 6]
    whole = numpy.zeros(size[::-1], bool)
    for part in usable:
        points = numpy.array(part, numpy.float64).reshape(-1, 2)
        low, high = (end.clip(0, size).astype(int) for end in (numpy.floor(points.min(0)), numpy.ceil(points.max(0))))
        whole[low[1] : high[1], low[0] : high[0]] |= _polygon(points - low, (high - low).tolist())
    return whole if usable else None


def _polygon(points: NDArray[float64], size: Sequence[int]) -> NDArray[bool_]:
    """Return an array that is true inside one polygon, given as its n corners, (n, 2).

    A pixel is inside if, in its row, an odd number of the polygon's edges lie to the left of the pixel's centre.
    """
    import numpy

    width, height = size
    ends, centres = numpy.roll(points, -1, 0), numpy.arange(height)[:, None] + 0.5
    rows, edges = ((points[:, 1] <= centres) != (ends[:, 1] <= centres)).nonzero()
    start, slope = points[edges], (ends - points)[edges]
    across = start[:, 0] + (rows + 0.5 - start[:, 1]) / slope[:, 1] * slope[:, 0]
    crossings = numpy.zeros((height, width + 1), numpy.int32)
    numpy.add.at(crossings, (rows, numpy.ceil(across - 0.5).clip(0, width).astype(int)), 1)
    inside: NDArray[bool_] = crossings.cumsum(1)[:, :width] % 2 == 1
    return inside


def _runs(outline: dict[str, Any], size: tuple[int, int]) -> NDArray[bool_] | None:
    """Return an array that is true inside an object given as COCO's run lengths; None if they are for another size.

    The runs go down one column after the other: the first run is outside of the object, the second run inside, and so
    on.
    """
    import numpy

    counts, stated = outline.get("counts"), outline.get("size")
    if not isinstance(stated, list) or tuple(stated[::-1]) != size:
        return None
    lengths = _lengths(counts) if isinstance(counts, str) else counts
    if not isinstance(lengths, list) or sum(lengths) != size[0] * size[1] or min(lengths, default=0) < 0:
        return None
    is_inside = numpy.arange(len(lengths)) % 2 == 1
    pixels: NDArray[bool_] = numpy.repeat(is_inside, lengths).reshape(size).T
    return pixels


def _lengths(text: str) -> list[int]:
    """Decode COCO's compressed run lengths.

    Each character, minus the code of '0', holds 5 bits of a number, and one bit that says whether the number goes on in
    the next character. The first three numbers are lengths; every later number is the difference between a length and
    the length two places before.
    """
    lengths, value, shift = list[int](), 0, 0
    for letter in text:
        digit = ord(letter) - 48
        value |= (digit & 0x1F) << shift
        shift += 5
        if digit & 0x20:
            continue
        if digit & 0x10:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    return lengths
