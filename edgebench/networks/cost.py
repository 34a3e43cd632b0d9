"""A network's description, computed once and cached: importing torch takes ten times as long as the description itself.

Those of the shelf as published come with the package, each under the hash of what drew it: one that today's code or
torch might draw otherwise is not found.
"""

from __future__ import annotations

import functools
import gzip
import json
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.foundation import cache, provenance
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import literal, load, module, names
from edgebench.networks.describe import Description, describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.schema.variant import Variant


TORCH = "torch"
SHIPPED = Path(__file__).with_name("blueprints.json.gz")


@functools.cache
def blueprint(name: str, width: float, resolution: int = 0, classes: int = 0) -> Description:
    """Describe a network of the shelf. For a resolution or a number of classes of 0, use the published value.

    Raises:
        UnknownName, RequestError: there is no such network, or it takes no such input.
    """
    stem = _stem(name, width, resolution, classes)
    if known := cache.find(stem, Description) or _shipped(stem):
        return known
    drawn = draw(name, width, resolution, classes)
    with suppress(RequestError):  # nowhere to keep it: it is drawn again the next time
        cache.put(stem, drawn)
    return drawn


def draw(name: str, width: float, resolution: int = 0, classes: int = 0) -> Description:
    """Describe likewise, whatever is kept."""
    family = load("architectures", name)
    return describe(name, width, resolution or family.RESOLUTIONS[name][0], classes or family.CLASSES)


def published_widths() -> Iterator[tuple[str, float]]:
    """Yield the networks of the shelf, each at its published widths; torch is not imported."""
    for name in names("architectures"):
        for width in literal("architectures", name, "WIDTHS"):
            yield name, width


def ship() -> None:
    """Write the descriptions that come with the package: to be called after changes of this wing or of torch."""
    from pydantic import TypeAdapter

    format = TypeAdapter(Description)
    shipped = {TORCH: _torch()}
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
    """Name a description by what is described and what draws it."""
    parts = {
        "asked": repr((name, float(width), resolution, classes)),
        "source": provenance.source(module("architectures", name), "networks/build", "networks/describe"),
        "torch": _torch(),
    }
    return f"{name}-{width:g}@{resolution or 'native'}-{provenance.key(parts)}"


def _torch() -> str:
    """Return the version of torch that draws here; without one, that which drew what comes with the package."""
    try:
        return version(TORCH).partition("+")[0]  # a build for a GPU has the same shapes
    except PackageNotFoundError:
        return _every_shipped()[TORCH]


def cost(variant: Variant) -> Description:
    """Say what a network of this package costs on paper, which does not depend on its precision or weights."""
    return blueprint(variant.architecture, variant.width, variant.resolution, variant.classes)
