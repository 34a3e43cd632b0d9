"""Conversions for several layouts of a detector's outputs: transposition, centres to corners, pixels to fractions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEAST_SCORE = -1.0  # a smaller value cannot be a probability, not even after rounding to int8
IN_PIXELS = 2.0  # a larger coordinate is in pixels, because fractions of the input are not much above 1


def squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape without axes of size 1; return it unchanged if fewer than two axes would remain."""
    longer = tuple(size for size in shape if size != 1)
    return longer if len(longer) > 1 else tuple(shape)


def channels(shapes: Sequence[tuple[int, ...]], before: int) -> int:
    """Return the number of classes of one list of boxes; 0 if the shapes do not describe a single list.

    The shorter axis of the list has `before` values, such as coordinates, and then the classes.
    """
    if len(shapes) != 1 or len(squeezed(shapes[0])) != 2:
        return 0
    return max(0, min(squeezed(shapes[0])) - before)


def channels_first(output: NDArray[Any], *, by_box: bool) -> NDArray[Any]:
    """Return a list of n boxes as an array of shape (channels, n). The shorter axis has the channels.

    If both axes are equally long, `by_box` says whether the first axis has the boxes.
    """
    table = output.reshape(squeezed(output.shape))
    is_turned = table.shape[0] > table.shape[1] or (by_box and table.shape[0] == table.shape[1])
    return table.T if is_turned else table


def corners(centres: NDArray[Any], resolution: int) -> NDArray[Any]:
    """Return boxes as left, top, right, bottom in fractions of the input, (n, 4).

    `centres` are boxes as centre and size, (4, n), in pixels or in fractions.
    """
    import numpy

    middle, half = centres[:2], centres[2:] / 2
    return fractions(numpy.concatenate((middle - half, middle + half)).T, resolution)


def fractions(found: NDArray[Any], resolution: int) -> NDArray[Any]:
    """Return boxes in fractions of the input, (n, 4). Boxes are taken to be in pixels if a coordinate is above 2."""
    import numpy

    return found / numpy.float32(resolution if abs(found).max(initial=0.0) > IN_PIXELS else 1)


def probabilities(scores: NDArray[Any]) -> NDArray[Any]:
    """Return the scores unchanged, after a check that all of them are probabilities.

    Raises:
        ValueError: the scores are not probabilities.
    """
    if scores.min(initial=0.0) < LEAST_SCORE:
        raise ValueError(
            f"wanted scores from 0 to 1, found {scores.min():.3g} to {scores.max():.3g}; export the model with the"
            " sigmoid or softmax included, or name another decoder with --decode"
        )
    return scores
