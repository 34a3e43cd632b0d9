"""Decoders of detectors' outputs to boxes, one file per layout of outputs; plain numpy, because targets run them, too.

A decoder defines
    SHAPES                      in words: the shapes of the outputs that it accepts, for one image
    SCORES                      in words: how it computes a score from class scores and objectness
    PREPROCESSING               the name of the preprocessing with which networks of this layout are trained
    MIXES                       whether boxes and scores are in one output, so that int8 gives them one common scale
    classes(shapes)             number of classes in outputs of these shapes (without the batch axis); 0 if they do not
                                fit this decoder
    candidates(outputs, resolution)
                                scores (classes, n) from 0 to 1 and boxes (n, 4) of one image, from its outputs in the
                                file's order; a box is left, top, right, bottom, in fractions of the input's side
    priors(resolution)          optional: the default boxes, (n, 4), if the outputs are offsets from default boxes
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
CANDIDATES = 1000  # largest number of boxes per picture before suppression, which removes many duplicates


def require_fit(model: str, decoder: str, shapes: Shapes) -> int:
    """Return a detector's number of classes, which the decoder derives from the outputs' shapes (without batch axis).

    Raises:
        RequestError: there is no such decoder, or the shapes do not fit the decoder.
    """
    require("decoder", decoder, names("decoders"))
    plugin = load("decoders", decoder)
    if count := int(plugin.classes(shapes)):
        return count
    others = fitting(shapes)
    advice = f"use --decode {' or '.join(others)}, which fits" if others else _advice(decoder)
    raise RequestError(f"{model}: decoder {decoder} wants {plugin.SHAPES}, found {worded(shapes)}; {advice}")


def fitting(shapes: Shapes) -> tuple[str, ...]:
    """Return the names of the decoders that accept outputs of these shapes."""
    return tuple(name for name in names("decoders") if load("decoders", name).classes(shapes))


def alternatives(decoding: Decoding, classes: int, wanted: int) -> str:
    """Say that a decoder finds a wrong number of classes in the outputs, and which decoder finds the right number.

    `classes` is the number that the decoder finds in the outputs, and `wanted` is the data set's number. The text is
    empty if both numbers are equal.
    """
    if classes == wanted:
        return ""
    counts = {name: load("decoders", name).classes(decoding.shapes) for name in names("decoders")}
    others = " or ".join(name for name, count in counts.items() if count == wanted)
    read = f"decoder {decoding.name} reads {worded(decoding.shapes)} as boxes of {classes} classes"
    return f"{read}; --decode {others} would read {wanted}" if others else read


def worded(shapes: Shapes) -> str:
    """Return the shapes of outputs as text, such as `1x84x8400`, with a batch axis of size 1."""
    sizes = ["x".join(str(size or "?") for size in (1, *shape)) for shape in shapes]
    return f"output{'s' * (len(sizes) != 1)} of {' and '.join(sizes) or 'nothing'}"


def _advice(decoder: str) -> str:
    plugins = {name: load("decoders", name) for name in names("decoders") if name != decoder}
    others = "; ".join(f"{name} wants {plugin.SHAPES}" for name, plugin in plugins.items() if plugin.SHAPES)
    return f"no decoder fits ({others}): export the model with such outputs"


def of_network(name: str, classes: int, resolution: int) -> Decoding | None:
    """Return how to decode a built-in network's raw heads to boxes; None if its family of networks names no decoder."""
    if not (text := literal("architectures", name, "DECODER")):
        return None
    decoding = parse(text)
    count = len(load("decoders", decoding.name).priors(resolution))
    return replace(decoding, shapes=((count, 1 + classes), (count, 4)))


def decoder(decoding: Decoding, resolution: int) -> Callable[..., list[Boxes]]:
    """Return a function that decodes all outputs of N images, (N, values), to boxes; a least score is optional."""
    return partial(_decoded, load("decoders", decoding.name), decoding, resolution)


def _decoded(
    plugin: Any, decoding: Decoding, resolution: int, values: NDArray[float32], score: float | None = None
) -> list[Boxes]:
    least = decoding.score if score is None else score
    images = (list(_split(row, decoding.shapes)) for row in values)
    pairs = (plugin.candidates(outputs, resolution) for outputs in images)
    return [_of_image(scores, found, least, decoding.iou) for scores, found in pairs]


def _split(row: NDArray[float32], shapes: Shapes) -> Iterator[NDArray[float32]]:
    """Yield each output of one image, reshaped to the output's own shape. Values that are not finite become 0."""
    import numpy

    finite, start = numpy.where(numpy.isfinite(row), row, 0).astype("f4"), 0
    for shape in shapes:
        yield finite[start : start + prod(shape)].reshape(shape)
        start += prod(shape)


def _of_image(scores: NDArray[Any], found: NDArray[Any], least: float, overlap: float) -> Boxes:
    """Return the boxes of one image that remain after suppression."""
    return boxes.kept(scores, lambda places: found[places].clip(0, 1), least, overlap, CANDIDATES)
