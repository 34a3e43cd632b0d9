"""The cache's cards of weights -> a sheet."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.foundation import files
from edgebench.foundation.sheet import IDENTITY, Column, Sheet
from edgebench.foundation.units import number
from edgebench.schema.cards import Weights

COLUMNS: tuple[Column[Weights], ...] = (
    Column.text("network", lambda card: card.network or card.file, IDENTITY),
    Column.text("data set", lambda card: card.dataset or "-"),
    Column.text("preprocessing", lambda card: card.preprocessing or "-"),
    Column.number("top-1 %", lambda card: number(card.top1 * 100 if card.images else None, 1), rank=3),
    Column.number("images", lambda card: str(card.images or "-")),
    Column.number("classes", lambda card: str(card.classes)),
    Column.text("how", lambda card: card.recipe, rank=4),
    Column.text("file", lambda card: card.file, rank=5),
)


def weights(cards: Sequence[Weights]) -> Sheet:
    """Lay out weights in the cache, and how good they were."""
    notes = (
        "Beside each file of trained weights lies its .svg: loss and accuracy over the epochs.",
        "A run uses those of the ordinary recipe, trained without options; others with --weights path/to/file.pt.",
        f"The files lie in {files.home() / 'weights'}.",
    )
    return Sheet.of("weights in the cache", COLUMNS, cards, notes)
