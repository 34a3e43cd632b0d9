"""A network's description, drawn once and kept: importing torch takes ten times as long as describing with it."""

from __future__ import annotations

import functools
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from edgebench import cache
from edgebench.build import channels as channels_of_shelf
from edgebench.describe import Description, describe
from edgebench.errors import CaseError, RequestError
from edgebench.record import OwnModel
from edgebench.shelf import load, module
from edgebench.spec import Weighting

if TYPE_CHECKING:
    from edgebench.spec import Variant


@functools.cache
def blueprint(name: str, width: float, resolution: int = 0, classes: int = 0) -> Description:
    """Describe a network of the shelf; a resolution or number of classes of 0 is the published one.

    Raises:
        UnknownName, RequestError: there is no such network, or it takes no such input.
    """
    parts = {
        "asked": repr((name, float(width), resolution, classes)),
        "source": cache.source(module("architectures", name), "build", "describe"),
        "torch": version("torch"),
    }
    stem = f"{name}-{width:g}@{resolution or 'native'}-{cache.key(parts)}"
    if known := cache.find(stem, Description):
        return known
    family = load("architectures", name)
    drawn = describe(name, width, resolution or family.RESOLUTIONS[name][0], classes or family.CLASSES)
    with suppress(RequestError):  # nowhere to keep it: it is drawn again the next time
        cache.put(stem, drawn)
    return drawn


def given(variant: Variant) -> OwnModel:
    """Return the card of a model that somebody gave.

    Raises:
        CaseError: it is no longer in the cache.
    """
    wanted = (variant.architecture, variant.weights_sha256, variant.resolution)
    for card in reversed(cache.cards(OwnModel)):
        if (card.name, card.content_sha256, card.resolution) == wanted:
            return card
    raise CaseError(f"{variant.architecture} is no longer in the cache; run again with its file")


def channels(variant: Variant) -> int:
    """Return how many channels the network's input has: 3, or 1 for grey."""
    return given(variant).channels if variant.weights == Weighting.OWN else channels_of_shelf(variant)


def cost(variant: Variant) -> Description | OwnModel:
    """Say what a variant costs on paper, which does not depend on its precision or weights."""
    if variant.weights == Weighting.OWN:
        return given(variant)
    return blueprint(variant.architecture, variant.width, variant.resolution, variant.classes)
