"""Convert a network variant to a file format; the resulting file, called an artifact, is kept in the cache.

The artifact's card, a description stored beside it, says what it was made from. The steps are:

    order (look up everything that the export needs) -> train or custom (provide the weights)
        -> prepare (change the weights for int8) -> formats (write the file, quantize it) -> the cache.

The module `lookup` finds an artifact by its name as a user types it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench import train
from edgebench.export import write
from edgebench.export.order import made_by, resolve, stem
from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Show, Step
from edgebench.foundation.shelf import load
from edgebench.schema.artifact import Artifact
from edgebench.schema.variant import WeightSource
from edgebench.train import checkpoint

if TYPE_CHECKING:
    from edgebench.export.order import Order
    from edgebench.schema.cards import Weights
    from edgebench.schema.variant import Variant

_WITHOUT_FILE = (WeightSource.RANDOM, WeightSource.NONE, WeightSource.CUSTOM)


def find(variant: Variant, format: str) -> Artifact | None:
    """Return the artifact that was made from the current source code and settings; None if the cache lacks it.

    The artifact's file is not read.
    """
    weights = known_weights(variant)
    if weights is None and variant.weights not in _WITHOUT_FILE:
        return None
    return cache.find(stem(variant, made_by(variant, format, load("formats", format), weights)), Artifact)


def export(variant: Variant, format: str, show: Show) -> Artifact:
    """Return the variant's artifact, from the cache if it has an intact copy.

    If the cache has no such copy, build the network, train it if necessary, and write it to a file.

    Raises:
        CaseError: this variant cannot be written in this format.
    """
    return _made(resolve(variant, format, partial(_weights, variant, show)), show)


def _made(order: Order, show: Show) -> Artifact:
    """Return the artifact for an order (all inputs of one export); make it if the cache has no intact copy.

    If an int8 artifact is quantized from a float artifact, the float artifact is made first.
    """
    if known := cache.find_intact(order.stem, Artifact):
        return known
    parent = _made(order.parent, show) if order.parent else None
    show(Step(activity="export", subject=str(order.variant)))
    return cache.keep(
        order.stem,
        _suffix(order),
        Artifact,
        lambda path: write.write(path, order, parent, show),
    )


def _suffix(order: Order) -> str:
    """Return the suffix of the artifact's file: the format's suffix, or `.zip` for a model of several files."""
    has_parts = order.variant.feed is not None and bool(order.variant.feed.parts)
    suffix: str = Path(order.model.file).suffix if order.model and has_parts else order.plugin.SUFFIX
    return suffix


def known_weights(variant: Variant) -> Weights | None:
    """Return the card of the variant's weights; None if the cache lacks them.

    Weights in the cache were trained earlier, or copied from a user's file.
    """
    if variant.weights in _WITHOUT_FILE:
        return None
    return checkpoint.find(variant) if variant.weights_sha256 else train.find(variant)


def _weights(variant: Variant, show: Show) -> Weights | None:
    """Return the card of the variant's weights; train missing weights; return None if no weights file is needed."""
    if variant.weights in _WITHOUT_FILE:
        return None
    known = known_weights(variant)
    if known is None and variant.weights != WeightSource.TRAINED:
        raise CaseError(f"the cached weights of {variant.weights} are damaged; run again with the weights file")
    return known or train.train(variant, show)
