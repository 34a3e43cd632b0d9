"""The scores of a classifier at every position of an image, which no data set has the truth for; it has no metrics."""

from __future__ import annotations

from edgebench.tasks.null import decode, figures, intervals, loss, seen, tally, targets, values

__all__ = ["decode", "figures", "intervals", "loss", "seen", "tally", "targets", "values"]

OUTPUTS = ("scores",)
METRIC = ""
HEADING = ""
COLUMNS: dict[str, bool] = {}
AUGMENTATION: tuple[str, ...] = ()
PART = 0
THRESHOLDS: dict[str, float] = {}
