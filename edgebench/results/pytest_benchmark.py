"""A results folder -> the JSON of pytest-benchmark, for `pytest-benchmark compare` and whatever else reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

from edgebench import __version__
from edgebench.foundation.errors import RequestError
from edgebench.results.journal import existing
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import gather, process_medians
from edgebench.results.table.notes import machine
from edgebench.results.table.row import WORTHLESS

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.results.measurement.evidence import Evidence

FORM = "pytest-benchmark"
READ_AS = "5.1.0"  # of pytest-benchmark, whose layout this is


def benchmark(folder: Path) -> str:
    """Write a benchmark for every case with a number; a round is a process, and its value that process's median.

    What is worth nothing is left out and named in `edgebench`, with its verdict.

    Raises:
        InvalidFile: the folder has no journal, or one that cannot be read.
        RequestError: nothing was ever asked for in it.
    """
    evidence = gather(existing(folder))
    if not evidence:
        raise RequestError(f"wanted a measured case in {folder}, found none; run a sweep of that name first")
    worth = [one for one in evidence if one.timed and summarize(one).verdict.name not in WORTHLESS]
    left_out = {_name(one): summarize(one).verdict.name for one in evidence if one not in worth}
    last = evidence[-1].session
    content = {
        "machine_info": _machine(last.environment.facts),
        "commit_info": {"id": "unversioned", "time": None, "author_time": None, "dirty": False, "branch": "(unknown)"},
        "benchmarks": [_benchmark(one) for one in worth],
        "datetime": last.started_at,
        "version": READ_AS,
        "edgebench": {"version": __version__, "folder": folder.resolve().name, "left_out": left_out},
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _name(one: Evidence) -> str:
    return f"{one.case} {one.session.preset}"


def _machine(facts: dict[str, str]) -> dict[str, Any]:
    """Lay out what `compare` reads of a machine, and all that is known of it."""
    return facts | {"node": machine(facts), "cpu": {"brand_raw": facts.get("cpu", "")}}


def _benchmark(one: Evidence) -> dict[str, Any]:
    found = summarize(one)
    return {
        "group": f"{one.case.target} {one.case.runtime}",
        "name": _name(one),
        "fullname": f"{one.case.target}::{_name(one)}",
        "params": None,
        "param": None,
        "extra_info": {
            "verdict": found.verdict.name,
            "reasons": [reason.text for reason in found.reasons],
            "low_s": found.low_s,
            "high_s": found.high_s,
            "has_interval": found.has_interval,
        },
        "options": {"disable_gc": True, "timer": "perf_counter_ns", "warmup": True},
        "stats": summary(process_medians(one.timed)),
    }


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Summarise one value a process, seconds, as pytest-benchmark does its rounds."""
    ordered = sorted(values)
    q1, q3 = _quartiles(ordered)
    spread = stdev(ordered) if len(ordered) > 1 else 0.0
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    within = [value for value in ordered if low <= value <= high]
    outside, middle = len(ordered) - len(within), mean(ordered)
    far = sum(not middle - spread <= value <= middle + spread for value in ordered)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": middle,
        "stddev": spread,
        "rounds": len(ordered),
        "median": median(ordered),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": outside,
        "stddev_outliers": far,
        "outliers": f"{far};{outside}",
        "ld15iqr": within[0],
        "hd15iqr": within[-1],
        "ops": 1 / middle if middle else 0.0,
        "total": sum(ordered),
        "data": list(values),
        "iterations": 1,
    }


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the lower and the upper half, each averaged over having the middle value and not."""
    half, odd = divmod(len(ordered), 2)
    lower, upper = ordered[:half] or ordered, ordered[half + odd :] or ordered
    return (median(lower) + median(ordered[: half + odd])) / 2, (median(upper) + median(ordered[half:])) / 2
