"""A task of a classifier's scores at each position of an image; no data set has labels for it, so it has no metrics."""

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
