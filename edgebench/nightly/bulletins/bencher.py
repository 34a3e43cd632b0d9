"""The night in Bencher Metric Format, for `bencher run --adapter json --file bencher.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgebench.nightly.night import Entry
    from edgebench.nightly.summary import Bulletin

FILE = "bencher.json"
LONGEST = 1024  # Bencher's limit on the length of a name


def render(bulletin: Bulletin) -> str:
    """Return one benchmark per measured configuration; latencies are in nanoseconds, Bencher's unit for them."""
    measured = (entry for entry in bulletin.night.entries if entry.is_measured)
    benchmarks = {entry.name[:LONGEST]: _measures(entry) for entry in measured}
    return json.dumps({name: measures for name, measures in benchmarks.items() if measures}, indent=1) + "\n"


def _measures(entry: Entry) -> dict[str, dict[str, float]]:
    figures = entry.figures
    low, high = figures.p50_interval_s
    ends = {} if low is None or high is None else {"lower_value": low * 1e9, "upper_value": high * 1e9}
    values = {
        "load-time": None if figures.load_s is None else figures.load_s * 1e9,
        "peak-memory": figures.peak_bytes,
        "file-size": figures.file_bytes,
        "instructions": figures.instructions,
        "accuracy": figures.accuracy,
        figures.metric or "metric": figures.score,
        "agreement": figures.agreement,
    }
    latency = {} if figures.p50_s is None else {"latency": {"value": figures.p50_s * 1e9, **ends}}
    return latency | {name: {"value": float(value)} for name, value in values.items() if value is not None}
