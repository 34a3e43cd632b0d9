"""The null decoder, which accepts no outputs and finds no boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHAPES = ""
SCORES = ""
PREPROCESSING = ""
MIXES = False


def classes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Return 0, because no outputs fit."""
    return 0


def candidates(outputs: Sequence[NDArray[Any]], resolution: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return empty arrays of scores and boxes."""
    import numpy

    return numpy.zeros((1, 0), numpy.float32), numpy.zeros((0, 4), numpy.float32)
