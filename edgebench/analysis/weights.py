"""Cards (descriptions) of the trained weights in the cache -> a table with one row per file of weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from edgebench.foundation import files
from edgebench.foundation.sheet import IDENTITY, Column, Sheet
from edgebench.foundation.units import number
from edgebench.schema.cards import Weights


def _top1(card: Weights) -> float | None:
    return card.top1 * 100 if card.images and not card.metrics else None


def _of_task(card: Weights, metric: str) -> float | None:
    return card.metrics[metric] * 100 if metric in card.metrics else None


COLUMNS: tuple[Column[Weights], ...] = (
    Column.text("network", lambda card: card.network or card.file, IDENTITY),
    Column.text("data set", lambda card: card.dataset or None, dataset=lambda card: card.dataset or None),
    Column.text("preprocessing", lambda card: card.preprocessing or None),
    Column.figure("top-1 %", _top1, partial(number, digits=1), rank=3),
    *(
        Column.figure(f"{heading} %", partial(_of_task, metric=metric), partial(number, digits=1), rank=3)
        for metric, heading in (("map", "mAP"), ("miou", "mIoU"), ("iou", "IoU"))
    ),
    Column.figure("images", lambda card: card.images or None),
    Column.figure("classes", lambda card: card.classes),
    Column.text("how", lambda card: card.recipe, rank=4, recipe=lambda card: card.recipe),
    Column.text("file", lambda card: card.file, rank=5, file=lambda card: card.file, sha256=lambda card: card.sha256),
)


def weights(cards: Sequence[Weights]) -> Sheet:
    """Return a table of the trained weights in the cache with their accuracies."""
    notes = (
        "Each file of trained weights has an .svg of the same name, which shows loss and accuracy over the epochs.",
        "By default, a run uses weights that were trained without options. Use others with --weights path/to/file.pt.",
        f"The files are in {files.home() / 'weights'}.",
    )
    return Sheet.of("weights in the cache", COLUMNS, cards, notes)
