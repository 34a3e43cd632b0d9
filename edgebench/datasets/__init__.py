"""Labelled images, one file a data set.

A data set offers
    CLASSES                    how many; 0 where only the opened one knows
    SOURCE                     where the images come from
    PLACE                      what to name after the colon of `--dataset name:path`, in words; empty for a bundled one
    PREPROCESSING              its own recipe
    NOTE                       what a reader of its accuracies must know
    TOOLS                      installed packages whose version shapes the images
    open(place)                what lies there, refused unless it is whole

A split is `train`, `calibration` or `test`; the three share no image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.build import channels
from edgebench.images import Images
from edgebench.shelf import load, module
from edgebench.spec import Weighting

if TYPE_CHECKING:
    from types import ModuleType

    from edgebench.spec import Preprocessing, Variant


def family(dataset: str) -> ModuleType:
    """Return the plug-in of a data set's name: `image_folder` for `image_folder:val`."""
    return load("datasets", dataset.partition(":")[0])


def sources(dataset: str) -> list[str]:
    """Name the modules of this package that shape a data set's images."""
    return [module("datasets", dataset.partition(":")[0]), "images", "preprocessing"]


def recipe(variant: Variant) -> Preprocessing:
    """Return how the variant's pictures become images: its own recipe, or its data set's."""
    own: Preprocessing = family(variant.dataset).PREPROCESSING
    return variant.preprocessing or own


def why_no_accuracy(variant: Variant) -> str:
    """Say why the variant's answers cannot be right or wrong on its data set; empty where they can."""
    if variant.weights == Weighting.RANDOM:
        return "no accuracy: the weights are random"
    known = (variant.dataset_classes or family(variant.dataset).CLASSES) + recipe(variant).label_offset
    if variant.classes != known:
        return f"no accuracy: the network has {variant.classes} classes, {variant.dataset} has {known}"
    return ""


def split(variant: Variant, name: str) -> Images:
    """Return a split of the variant's data set as its network takes it: (N, C, R, R), grey where C is 1."""
    import numpy

    pictures = family(variant.dataset).open(None).part(name)
    return Images(
        pictures=pictures,
        kept=numpy.arange(len(pictures.labels)),
        recipe=recipe(variant),
        resolution=variant.resolution,
        channels=channels(variant),
    )
