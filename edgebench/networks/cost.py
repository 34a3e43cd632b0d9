"""A network's description (its layers, parameters and multiply-adds), computed once and then cached.

A description is computed with torch, and importing torch takes ten times as long as the computation. The package ships
descriptions of the built-in networks at their published sizes. Each description is stored under a hash of the code and
of the torch version that made it; if the code or the version changes, the description is computed again. The package
also ships the side from which on each network supports every resolution, under a hash of the network's code.
"""

from __future__ import annotations

import functools
import gzip
import json
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import literal, load, module, names
from edgebench.networks import build
from edgebench.networks.describe import Description, describe
from edgebench.schema.variant import MAX_RESOLUTION, WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.schema.variant import Variant


TORCH = "torch"
SHIPPED = Path(__file__).with_name("blueprints.json.gz")


@functools.cache
def blueprint(name: str, width: float, resolution: int = 0, classes: int = 0) -> Description:
    """Describe a built-in network.

    If the resolution or the number of classes is 0, the published value is used.

    Raises:
        UnknownName, RequestError: there is no such network, or it does not support the width or resolution.
    """
    stem = _stem(name, width, resolution, classes)
    if known := _known(stem):
        return known
    drawn = draw(name, width, resolution, classes)
    with suppress(RequestError):  # if the cache cannot be written, the description is computed again the next time
        cache.put(stem, drawn)
    return drawn


def _known(stem: str) -> Description | None:
    """Return a description from the cache or the package; None if it must be computed."""
    with suppress(RequestError):  # if the cache cannot be read, the description is computed each time
        if kept := cache.find(stem, Description):
            return kept
    return _shipped(stem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The size of a network, for an estimate of the time that work on it takes."""

    macs: float
    layers: int


@functools.cache
def estimate(name: str, width: float, resolution: int, classes: int) -> Estimate:
    """Estimate a built-in network's multiply-adds and layers without building the network.

    If the network is not described yet, scale the description at the nearest published width: the multiply-adds grow
    with the square of the width and with the square of the resolution.
    """
    if known := _known(_stem(name, width, resolution, classes)):
        return Estimate(macs=known.macs, layers=len(known.layers))
    published = min(_widths(name), key=lambda each: abs(each - width))
    like = blueprint(name, published)
    scale = (width / like.width * resolution / like.resolution) ** 2
    return Estimate(macs=like.macs * scale, layers=len(like.layers))


@functools.cache
def shares_weights(name: str, resolution: int, other: int, classes: int) -> bool:
    """Return whether a network has the same number of parameters at two resolutions, whatever its width."""
    width = _widths(name)[0]
    return blueprint(name, width, resolution, classes).params == blueprint(name, width, other, classes).params


def draw(name: str, width: float, resolution: int = 0, classes: int = 0) -> Description:
    """Describe a network as `blueprint` does, but without reading or writing the cache."""
    family = load("architectures", name)
    return describe(name, width, resolution or family.RESOLUTIONS[name][0], classes or family.CLASSES)


def published_widths() -> Iterator[tuple[str, float]]:
    """Yield every built-in network at each of its published widths, without importing torch."""
    for name in names("architectures"):
        for width in _widths(name):
            yield name, width


def _widths(name: str) -> tuple[float, ...]:
    """Return a network's published widths; only a plug-in that computes them is imported."""
    widths: tuple[float, ...] = literal("architectures", name, "WIDTHS") or load("architectures", name).WIDTHS
    return widths


def check(name: str, width: float, resolution: int) -> None:
    """Refuse what `build.check` refuses; torch is not imported for a size that the shipped file says is supported.

    Raises:
        RequestError: the network does not support the width or the resolution.
    """
    least = _every_shipped().get(_sides(name))
    if least is None or resolution < int(least) or (width != 1.0 and _widths(name) == (1.0,)):
        build.check(name, width, resolution)


def _least(name: str) -> int:
    """Return the side from which on a network supports every resolution."""
    return 1 + max((side for side in range(1, MAX_RESOLUTION + 1) if not build.accepts(name, side)), default=0)


def _sides(name: str) -> str:
    """Return the key of `_least` in the shipped file: the network, and a hash of its code."""
    return f"{name} from {provenance.source(module('architectures', name))}"


def ship() -> None:
    """Write the descriptions that the package ships; call this after the code of this folder or torch has changed."""
    from pydantic import TypeAdapter

    format = TypeAdapter(Description)
    shipped = {TORCH: _torch()} | {_sides(name): str(_least(name)) for name in names("architectures")}
    for name, width in published_widths():
        drawn = draw(name, width)
        text = format.dump_json(drawn).decode()
        shipped |= dict.fromkeys((_stem(name, width, 0, 0), _stem(name, width, drawn.resolution, drawn.classes)), text)
    SHIPPED.write_bytes(gzip.compress(json.dumps(shipped).encode(), mtime=0))


def _shipped(stem: str) -> Description | None:
    from pydantic import TypeAdapter

    found = _every_shipped().get(stem)
    return TypeAdapter(Description).validate_json(found) if found else None


@functools.cache
def _every_shipped() -> dict[str, str]:
    found: dict[str, str] = json.loads(gzip.decompress(SHIPPED.read_bytes()))
    return found


def _stem(name: str, width: float, resolution: int, classes: int) -> str:
    """Return a description's file name: the network, its sizes, and a hash of the code and of the torch version."""
    parts = {
        "asked": repr((name, float(width), resolution, classes)),
        "source": provenance.source(module("architectures", name), "networks/build", "networks/describe"),
        "torch": _torch(),
    }
    return f"{name}-{width:g}@{resolution or 'native'}-{provenance.key(parts)}"


def _torch() -> str:
    """Return the installed version of torch; without torch, the version that made the shipped descriptions."""
    try:
        return provenance.version(TORCH).partition("+")[0]  # builds of torch for a CPU or a GPU give the same shapes
    except PackageNotFoundError:
        return _every_shipped()[TORCH]


def lacks_weights(variant: Variant) -> str:
    """Return why a built-in network needs weights; an empty text if it needs none or the variant has weights."""
    if variant.weights != WeightSource.NONE or not (params := cost(variant).params):
        return ""
    return f"{variant.architecture} has {params} parameters; use --weights trained or random"


def cost(variant: Variant) -> Description:
    """Return a built-in network's layers, parameters and multiply-adds, which are the same for all precisions."""
    return blueprint(variant.architecture, variant.width, variant.resolution, variant.classes)
