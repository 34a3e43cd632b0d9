"""A network's description, drawn once and kept: importing torch takes ten times as long as describing with it."""

from __future__ import annotations

import functools
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from edgebench import cache
from edgebench.describe import Description, describe
from edgebench.errors import RequestError
from edgebench.shelf import load, module

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


def cost(variant: Variant) -> Description:
    """Describe a variant: what it costs does not depend on its precision or weights."""
    return blueprint(variant.architecture, variant.width, variant.resolution, variant.classes)
