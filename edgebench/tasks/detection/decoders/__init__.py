"""The outputs of a user-supplied detector -> boxes, one file per layout; plain numpy, which also runs on targets.

A decoder defines
    SHAPES                      the outputs that it takes for one image, in words
    SCORES                      what it makes of class scores and of objectness, in words
    PREPROCESSING               the preset that networks of this layout were trained with
    MIXES                       whether boxes and scores are in one output, so that int8 gives them one scale
    classes(shapes)             number of classes in outputs of these shapes, without the batch; 0 if they do not fit
    candidates(outputs, resolution)
                                scores (classes, n) from 0 to 1 and boxes (n, 4) of one image, from its outputs in the
                                file's order; a box is left, top, right, bottom in fractions of the input
    priors(resolution)          optional: the default boxes, (n, 4), of a layout whose boxes are offsets from these
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.shelf import literal, load, names
from edgebench.schema.decoding import parse
from edgebench.tasks.detection import boxes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy import float32
    from numpy.typing import NDArray

    from edgebench.schema.decoding import Decoding
    from edgebench.tasks.detection.boxes import Boxes

    Shapes = Sequence[tuple[int, ...]]

OFFERS = ("SHAPES", "SCORES", "PREPROCESSING", "MIXES", "classes", "candidates")
MAY_OFFER = ("priors",)
CANDIDATES = 1000  # boxes of one picture before suppression; a layout of three boxes per cell has many duplicates


def require_fit(model: str, decoder: str, shapes: Shapes) -> int:
    """Return the number of classes that a decoder reads in outputs of these shapes, without the batch.

    Raises:
        RequestError: there is no such decoder, or the outputs do not fit it.
    """
    require("decoder", decoder, names("decoders"))
    plugin = load("decoders", decoder)
    if count := int(plugin.classes(shapes)):
        return count
    others = fitting(shapes)
    advice = f"use --decode {' or '.join(others)}, which fits" if others else _advice(decoder)
    raise RequestError(f"{model}: decoder {decoder} wants {plugin.SHAPES}, found {worded(shapes)}; {advice}")


def fitting(shapes: Shapes) -> tuple[str, ...]:
    """List the decoders that outputs of these shapes fit."""
    return tuple(name for name in names("decoders") if load("decoders", name).classes(shapes))


def alternatives(decoding: Decoding, classes: int, wanted: int) -> str:
    """Say how a decoder came to another number of classes than the data's, and which decoder reads as many; or nothing.

    `classes` is what it read in the outputs.
    """
    if classes == wanted:
        return ""
    counts = {name: load("decoders", name).classes(decoding.shapes) for name in names("decoders")}
    others = " or ".join(name for name, count in counts.items() if count == wanted)
    read = f"decoder {decoding.name} reads {worded(decoding.shapes)} as boxes of {classes} classes"
    return f"{read}; --decode {others} would read {wanted}" if others else read


def worded(shapes: Shapes) -> str:
    """Write the shapes of outputs for people, for a batch of one."""
    sizes = ["x".join(str(size or "?") for size in (1, *shape)) for shape in shapes]
    return f"output{'s' * (len(sizes) != 1)} of {' and '.join(sizes) or 'nothing'}"


def _advice(decoder: str) -> str:
    plugins = {name: load("decoders", name) for name in names("decoders") if name != decoder}
    others = "; ".join(f"{name} wants {plugin.SHAPES}" for name, plugin in plugins.items() if plugin.SHAPES)
    return f"no decoder fits ({others}): export the model with such outputs"


def of_network(name: str, classes: int, resolution: int) -> Decoding | None:
    """Return how the raw heads of a network of this package become boxes; None unless its family names a decoder."""
    if not (text := literal("architectures", name, "DECODER")):
        return None
    decoding = parse(text)
    count = len(load("decoders", decoding.name).priors(resolution))
    return replace(decoding, shapes=((count, 1 + classes), (count, 4)))


def decoder(decoding: Decoding, resolution: int) -> Callable[..., list[Boxes]]:
    """Return a function from all outputs of N images, (N, values), and optionally a lowest score, to their boxes."""
    return partial(_decoded, load("decoders", decoding.name), decoding, resolution)


def _decoded(
    plugin: Any, decoding: Decoding, resolution: int, values: NDArray[float32], score: float | None = None
) -> list[Boxes]:
    least = decoding.score if score is None else score
    images = (list(_split(row, decoding.shapes)) for row in values)
    pairs = (plugin.candidates(outputs, resolution) for outputs in images)
    return [_of_image(scores, found, least, decoding.iou) for scores, found in pairs]


def _split(row: NDArray[float32], shapes: Shapes) -> Iterator[NDArray[float32]]:
    """Yield the outputs of one image; values that are not finite become 0."""
    import numpy

    finite, start = numpy.where(numpy.isfinite(row), row, 0).astype("f4"), 0
    for shape in shapes:
        yield finite[start : start + prod(shape)].reshape(shape)
        start += prod(shape)


def _of_image(scores: NDArray[Any], found: NDArray[Any], least: float, overlap: float) -> Boxes:
    """Return the boxes of one image that are kept."""
    return boxes.kept(scores, lambda places: found[places].clip(0, 1), least, overlap, CANDIDATES)
