"""Copy test pictures of a case to its target, and make the request that times the steps around inference."""

from __future__ import annotations

from dataclasses import asdict
from io import BytesIO
from typing import TYPE_CHECKING, Any

from edgebench.agent.stages import PICTURE
from edgebench.foundation import cache, provenance
from edgebench.images import splits
from edgebench.images.preprocessing import WHITE, normalization
from edgebench.schema.cards import FedData
from edgebench.schema.variant import task
from edgebench.tasks import values

if TYPE_CHECKING:
    from pathlib import Path

    from numpy import uint8
    from numpy.typing import NDArray
    from PIL.Image import Image

    from edgebench.deploy.connections import Connection
    from edgebench.images.loader import Images
    from edgebench.schema.variant import Variant

PICTURES = 8  # number of pictures, spread evenly over the test split
QUALITY = 90  # quality of the JPEG files, which represent a camera's files


def request(variant: Variant, channels: int, connection: Connection, *, is_whole: bool) -> dict[str, Any]:
    """Copy some test pictures to the target; return the fields of a request that times the steps around inference.

    With `is_whole`, the steps before inference are timed, too; without it, only post-processing is timed.

    Raises:
        CaseError: the data set has no pictures, or its files were moved.
    """
    images, kind = splits.split(variant, "test", channels), task(variant)
    card = _pictures(variant, images, is_whole=is_whole)
    recipe = splits.recipe(variant)
    return {
        "pictures": connection.push(cache.path_of(card), card.sha256),
        "task": kind,
        "decoding": asdict(variant.decoding) if variant.decoding else None,
        "values": values(variant),
        "classes": variant.classes,
        "resolution": variant.resolution,
        "recipe": asdict(recipe),
        "normalization": asdict(images.normalization),
        "of_pictures": asdict(normalization(recipe, WHITE, grey=channels == 1)),
    }


def _pictures(variant: Variant, images: Images, *, is_whole: bool) -> FedData:
    """Store the pictures in the cache as the network's input pixels; with `is_whole`, also store them as JPEG files."""
    parts = {
        "dataset": f"{variant.dataset} {variant.dataset_sha256} {len(images)}",
        "recipe": repr(splits.recipe(variant)),
        "resolution": str(variant.resolution),
        "whole": str(is_whole),
        "source": provenance.source("measure/around", *splits.sources(variant.dataset)),
    }
    return cache.once(
        f"pictures-{provenance.key(parts)}",
        ".npz",
        FedData,
        lambda path: _write(path, variant.dataset, images, is_whole=is_whole),
    )


def _write(path: Path, name: str, images: Images, *, is_whole: bool) -> FedData:
    import numpy

    places = numpy.unique(numpy.linspace(0, len(images) - 1, PICTURES).round().astype(int))
    arrays = {"pixels": images.pixels(places)}
    if is_whole:
        pictures = (images.pictures.picture(int(number)) for number in images.kept[places])
        arrays |= {f"{PICTURE}{at}": _as_jpeg(one, images.pictures.white) for at, one in enumerate(pictures)}
    with path.open("wb") as stream:
        numpy.savez(stream, **arrays)
    return FedData(file="", sha256="", name=name)


def _as_jpeg(picture: Image, white: float) -> NDArray[uint8]:
    """Return the bytes of a JPEG file of the picture, in the picture's own size."""
    import numpy
    from PIL.Image import fromarray

    levels = (numpy.asarray(picture, numpy.float32) * (WHITE / white)).round().clip(0, WHITE).astype(numpy.uint8)
    file = BytesIO()
    fromarray(levels).save(file, "JPEG", quality=QUALITY)
    return numpy.frombuffer(file.getvalue(), numpy.uint8)
