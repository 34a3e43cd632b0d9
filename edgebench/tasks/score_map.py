"""The task of scoring classes at each position of an image; without metrics, because no data set has such labels."""

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
