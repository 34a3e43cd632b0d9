"""The cache's cards of weights -> a sheet."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.foundation import files
from edgebench.foundation.sheet import Sheet
from edgebench.foundation.units import number
from edgebench.schema.cards import Weights


def weights(cards: Sequence[Weights]) -> Sheet:
    """Lay out weights in the cache, and how good they were."""
    return Sheet(
        title="weights in the cache",
        headings=("network", "data set", "preprocessing", "top-1 %", "images", "classes", "how", "file"),
        rows=tuple(
            (
                card.network or card.file,
                card.dataset or "-",
                card.preprocessing or "-",
                number(card.top1 * 100 if card.images else None, 1),
                str(card.images or "-"),
                str(card.classes),
                card.recipe,
                card.file,
            )
            for card in cards
        ),
        texts=frozenset({"network", "data set", "preprocessing", "how", "file"}),
        notes=(
            "Beside each file of trained weights lies its .svg: loss and accuracy over the epochs.",
            "A run uses those of the ordinary recipe, trained without options; others with --weights path/to/file.pt.",
            f"The files lie in {files.home() / 'weights'}.",
        ),
    )
