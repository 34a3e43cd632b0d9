"""A user-supplied model -> the model's card, a record in the cache of what the model's file contains."""

from __future__ import annotations

from glob import escape
from typing import TYPE_CHECKING

from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError
from edgebench.networks.build import channels as channels_of_shelf
from edgebench.schema.cards import CustomModel
from edgebench.schema.names import file_title
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from edgebench.schema.variant import Variant


def stem(name: str, content_sha256: str, key: str) -> str:
    """Return the name of a model's file in the cache; `given` finds it by its beginning, the model's name and hash."""
    return f"{file_title(name)}-{content_sha256[:16]}-{key}"


def given(variant: Variant) -> CustomModel:
    """Return the card of a user-supplied model, without reading cards of models with another name or content.

    Raises:
        CaseError: the model is no longer in the cache.
    """
    feed = variant.feed.without_data if variant.feed else None
    wanted = (variant.architecture, variant.weights_sha256, variant.resolution, feed, variant.decoding)
    beginning = escape(stem(variant.architecture, variant.weights_sha256, ""))
    for card in reversed(cache.cards(CustomModel, f"{beginning}*")):
        if (card.name, card.content_sha256, card.resolution, card.feed, card.decoding) == wanted:
            return card
    raise CaseError(f"{variant.architecture} is no longer in the cache; run again and give its file")


def channels(variant: Variant) -> int:
    """Return the number of channels of the network's input: 3, or 1 for grey."""
    return given(variant).channels if variant.weights == WeightSource.CUSTOM else channels_of_shelf(variant)
