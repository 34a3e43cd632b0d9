"""Labelled images, one file a data set.

A data set offers
    CLASSES                    how many
    SOURCE                     where the images come from
    PREPROCESSING              what was done to them, in words, as shown with a row
    NOTE                       what a reader of its accuracies must know
    TOOLS                      installed packages whose version shapes the images
    load(split, resolution)    (images (N, 3, R, R) float32 as the networks take them, labels (N,) int64)

`split` is `train`, `calibration` or `test`; the three share no image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.build import channels
from edgebench.shelf import load
from edgebench.spec import Weighting

if TYPE_CHECKING:
    from numpy import float32, int64
    from numpy.typing import NDArray

    from edgebench.spec import Variant


def why_no_accuracy(variant: Variant) -> str:
    """Say why the variant's answers cannot be right or wrong on its data set; empty where they can."""
    if variant.weights == Weighting.RANDOM:
        return "no accuracy: the weights are random"
    if variant.classes != (known := load("datasets", variant.dataset).CLASSES):
        return f"no accuracy: the network has {variant.classes} classes, {variant.dataset} has {known}"
    return ""


def split(variant: Variant, name: str) -> tuple[NDArray[float32], NDArray[int64]]:
    """Return a split of the variant's data set as its network takes it: (N, C, R, R), grey where C is 1."""
    images, labels = load("datasets", variant.dataset).load(name, variant.resolution)
    return (images if channels(variant) == images.shape[1] else images.mean(1, keepdims=True)), labels
