"""The night in pytest-benchmark's JSON, for `pytest-benchmark compare`: a process's median is one of its rounds."""

from __future__ import annotations

import json
from statistics import fmean, median, quantiles, stdev
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgebench.bulletin import Bulletin
    from edgebench.night import Entry

FILE = "pytest-benchmark.json"


def render(bulletin: Bulletin) -> str:
    """Write every configuration that has times."""
    night = bulletin.night
    facts = next(iter(night.hosts.values()), {})
    machine = {"node": "", "machine": facts.get("machine", ""), "release": facts.get("kernel", ""), "system": "Linux"}
    cpu = {"brand_raw": facts.get("cpu", ""), "hz_actual_friendly": facts.get("max_clock_mhz", "")}
    return (
        json.dumps(
            {
                "machine_info": machine | {"python_version": facts.get("python", ""), "cpu": cpu},
                "commit_info": {"id": "", "time": night.started_at, "dirty": False, "branch": ""},
                "benchmarks": [_benchmark(entry) for entry in night.entries if entry.figures.latencies_s],
                "datetime": night.started_at,
                "version": f"edgebench {night.edgebench}",
            },
            indent=1,
        )
        + "\n"
    )


def _benchmark(entry: Entry) -> dict[str, Any]:
    return {
        "group": entry.target,
        "name": entry.name,
        "fullname": f"nightly::{entry.name}",
        "params": None,
        "param": None,
        "extra_info": {"verdict": entry.verdict, "changed": list(entry.changed)},
        "options": {},
        "stats": _stats(list(entry.figures.latencies_s)),
    }


def _stats(times_s: list[float]) -> dict[str, Any]:
    low, _, high = quantiles(times_s, n=4, method="inclusive") if len(times_s) > 1 else times_s * 3
    mean, deviation = fmean(times_s), stdev(times_s) if len(times_s) > 1 else 0.0
    return {
        "min": min(times_s),
        "max": max(times_s),
        "mean": mean,
        "stddev": deviation,
        "rounds": len(times_s),
        "median": median(times_s),
        "iqr": high - low,
        "q1": low,
        "q3": high,
        "iqr_outliers": 0,
        "stddev_outliers": 0,
        "outliers": "0;0",
        "ld15iqr": min(times_s),
        "hd15iqr": max(times_s),
        "ops": 1 / mean if mean else 0.0,
        "total": sum(times_s),
        "data": times_s,
        "iterations": 1,
    }
