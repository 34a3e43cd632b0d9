"""The cache's cards of weights -> a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from edgebench.foundation import files
from edgebench.foundation.sheet import IDENTITY, Column, Sheet
from edgebench.foundation.units import number
from edgebench.schema.cards import Weights

COLUMNS: tuple[Column[Weights], ...] = (
    Column.text("network", lambda card: card.network or card.file, IDENTITY),
    Column.text("data set", lambda card: card.dataset or None, dataset=lambda card: card.dataset or None),
    Column.text("preprocessing", lambda card: card.preprocessing or None),
    Column.figure("top-1 %", lambda card: card.top1 * 100 if card.images else None, partial(number, digits=1), rank=3),
    Column.figure("images", lambda card: card.images or None),
    Column.figure("classes", lambda card: card.classes),
    Column.text("how", lambda card: card.recipe, rank=4, recipe=lambda card: card.recipe),
    Column.text("file", lambda card: card.file, rank=5, file=lambda card: card.file, sha256=lambda card: card.sha256),
)


def weights(cards: Sequence[Weights]) -> Sheet:
    """Lay out weights in the cache, and how good they were."""
    notes = (
        "Beside each file of trained weights lies its .svg: loss and accuracy over the epochs.",
        "A run uses those of the ordinary recipe, trained without options; others with --weights path/to/file.pt.",
        f"The files lie in {files.home() / 'weights'}.",
    )
    return Sheet.of("weights in the cache", COLUMNS, cards, notes)
