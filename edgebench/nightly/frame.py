"""A history -> a data frame with one row per configuration and night, and CSV files for programs that find changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edgebench.foundation.errors import InvalidFile, RequestError
from edgebench.foundation.files import make, write
from edgebench.foundation.units import MIB
from edgebench.nightly import history
from edgebench.nightly.night import COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas

    from edgebench.nightly.night import Entry, Night

# Columns of numbers -> 1 if a larger number is better, -1 if it is worse.
DIRECTIONS = {
    "p50_ms": -1,
    "p90_ms": -1,
    "load_ms": -1,
    "first_ms": -1,
    "peak_mib": -1,
    "file_mib": -1,
    "instructions_m": -1,
    "top1": 1,
    "score": 1,
    "agreement": 1,
}
CONFIGURATION = "otava.yaml"


def is_history(folder: Path) -> bool:
    """Return whether a folder is a history of nights."""
    return (folder / history.NIGHTS).is_dir()


def load(folder: Path) -> pandas.DataFrame:
    """Return a history as a data frame with one row per configuration and night, the earliest night first.

    Times are in ms, sizes in MiB, accuracies and agreement in per cent. A figure that was not measured is missing.

    Raises:
        InvalidFile: the folder has no readable night.
    """
    import pandas

    nights = history.read(folder).nights
    if not nights:
        raise InvalidFile(f"no night in {folder}: expected a history such as results/nightly")
    table = pandas.DataFrame([row for night in nights for row in _rows(night)])
    table["started_at"] = pandas.to_datetime(table["started_at"], utc=True)
    numbers = [*DIRECTIONS, "p50_low_ms", "p50_high_ms", "detectable"]
    return table.astype(dict.fromkeys(numbers, "float64"))


def _rows(night: Night) -> Iterator[dict[str, Any]]:
    for entry in night.entries:
        yield {
            "number": night.number,
            "started_at": night.started_at,
            "night": night.id,
            "configuration": entry.name,
            "target": entry.target,
            "verdict": str(entry.verdict),
            **_figures(entry),
            "detectable": _scaled(entry.detectable, 100),
            "changed": "; ".join(entry.changed),
            "why": entry.why,
            **{name: entry.components.get(name, "") for name in COMPONENTS},
        }


def _figures(entry: Entry) -> dict[str, Any]:
    figures = entry.figures
    low, high = figures.p50_interval_s
    return {
        "p50_ms": _scaled(figures.p50_s, 1e3),
        "p50_low_ms": _scaled(low, 1e3),
        "p50_high_ms": _scaled(high, 1e3),
        "p90_ms": _scaled(figures.p90_s, 1e3),
        "load_ms": _scaled(figures.load_s, 1e3),
        "first_ms": _scaled(figures.first_s, 1e3),
        "peak_mib": _scaled(figures.peak_bytes, 1 / MIB),
        "file_mib": _scaled(figures.file_bytes, 1 / MIB),
        "instructions_m": _scaled(figures.instructions, 1e-6),
        "top1": _scaled(figures.accuracy, 100),
        "metric": figures.metric,
        "score": _scaled(figures.score, 100),
        "agreement": _scaled(figures.agreement, 100),
    }


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def write_csv(folder: Path, destination: Path) -> int:
    """Write one CSV file per configuration, and the configuration file of Apache Otava; return the number of CSV files.

    Otava refuses empty cells. So a file has only the nights that measured the configuration, and only the figures that
    all of these nights have.

    Raises:
        InvalidFile: the folder has no readable night.
        RequestError: a file cannot be written.
    """
    tests, advice = dict[str, Any](), "choose a folder you may write"
    try:
        make(destination)
    except OSError as error:
        raise RequestError(f"cannot make {destination}: {error.strerror}; {advice}") from error
    measured = load(folder).dropna(subset=["p50_ms"])
    for number, (name, nights) in enumerate(measured.groupby("configuration", sort=False), start=1):
        figures = [column for column in DIRECTIONS if nights[column].notna().all()]
        table = nights[["started_at", "night", *figures]].rename(columns={"started_at": "time"})
        path = destination / f"{number:03}.csv"
        write(path, table.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ").encode(), advice)
        tests[str(name)] = {
            "type": "csv",
            "file": path.name,
            "time_column": "time",
            "attributes": ["night"],
            "metrics": {figure: {"column": figure, "direction": DIRECTIONS[figure]} for figure in figures},
        }
    # JSON is valid YAML
    write(destination / CONFIGURATION, (json.dumps({"tests": tests}, indent=1) + "\n").encode(), advice)
    return len(tests)
