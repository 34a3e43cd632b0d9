"""Published accuracies as data, each with its source."""

import csv
from functools import cache
from pathlib import Path

IMAGENET = "imagenet"


@cache
def _imagenet() -> dict[tuple[str, float, int, str], float]:
    with (Path(__file__).parent / "imagenet_top1.csv").open(newline="") as stream:
        return {
            (row["architecture"], float(row["width"]), int(row["resolution"]), row["precision"]): float(row["top1"])
            for row in csv.DictReader(stream)
        }


def top1(architecture: str, width: float, resolution: int, precision: str, dataset: str) -> float | None:
    """Return the published top-1, per cent; None on any data set but ImageNet."""
    return _imagenet().get((architecture, width, resolution, precision)) if dataset == IMAGENET else None
