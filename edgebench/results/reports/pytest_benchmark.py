"""The table as pytest-benchmark JSON, for `pytest-benchmark compare` and other tools."""

from __future__ import annotations

from collections import Counter
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

from edgebench import __version__
from edgebench.foundation.escape import json_text
from edgebench.results.table.notes import machine
from edgebench.results.table.row import NOTHING, Background, Line, Table
from edgebench.schema.case import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.case import Case

FILE = "pytest-benchmark.json"
READ_AS = "5.1.0"  # the version of pytest-benchmark that writes this format


def render(table: Table, background: Background = NOTHING) -> str:
    """Write one benchmark per case with usable latencies; each round is one process's median latency.

    Cases without usable latencies are listed with their verdict under `edgebench.left_out`. If a case was measured in
    several environments, only the latest is written, because the file describes one machine and a case's name does not
    contain the epoch. As in nightly runs, names omit the runtime's version, so that a case has the same name in exports
    that were measured with different versions.
    """
    latest = (line for line in background.lines if line.evidence.is_latest)
    lines = sorted(latest, key=lambda line: line.position)
    named = _names(line.evidence for line in lines)
    left_out = {named[line.evidence.case, _preset(line)]: line.row.verdict for line in lines if not _is_usable(line)}
    last = lines[-1].evidence.session if lines else None
    content = {
        "machine_info": _machine(last.environment.facts) if last else {},
        "commit_info": {"id": "unversioned", "time": None, "author_time": None, "dirty": False, "branch": "(unknown)"},
        "benchmarks": [
            _benchmark(line, named[line.evidence.case, _preset(line)]) for line in lines if _is_usable(line)
        ],
        "datetime": last.started_at if last else "",
        "version": READ_AS,
        "edgebench": {"version": __version__, "folder": table.title, "left_out": left_out},
    }
    return json_text(content, indent=2) + "\n"


def _is_usable(line: Line) -> bool:
    return bool(line.evidence.timed) and not line.row.is_worthless


def _preset(line: Line) -> str:
    return line.evidence.session.preset


def _names(evidence: Iterable[Evidence]) -> dict[tuple[Case, str], str]:
    """Name each case under each preset; a name has the preset only if the case was measured under several presets."""
    every = [(row.case, row.session.preset) for row in evidence]
    plain, counts = names({case for case, _ in every}), Counter(case for case, _ in every)
    return {(case, preset): f"{plain[case]} {preset}" if counts[case] > 1 else plain[case] for case, preset in every}


def _machine(facts: dict[str, str]) -> dict[str, Any]:
    """Return all facts of a machine, under the keys that `compare` reads."""
    return facts | {"node": machine(facts), "cpu": {"brand_raw": facts.get("cpu", "")}}


def _benchmark(line: Line, name: str) -> dict[str, Any]:
    case, measurement = line.evidence.case, line.measurement
    return {
        "group": case.target,
        "name": name,
        "fullname": f"{case.target}::{name}",
        "params": None,
        "param": None,
        "extra_info": {
            "runtime": str(case.runtime),
            "preset": _preset(line),
            "verdict": measurement.verdict.name,
            "reasons": [reason.text for reason in measurement.reasons],
            "low_s": measurement.low_s,
            "high_s": measurement.high_s,
            "has_interval": measurement.has_interval,
        },
        "options": {"disable_gc": True, "timer": "perf_counter_ns", "warmup": True},
        "stats": summary(line.evidence.medians),
    }


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Summarize one value per process, in seconds, as pytest-benchmark summarizes rounds."""
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
    """Return the lower and the upper quartile, each the median of a half of the values.

    With an odd number of values, a half has two medians, with and without the middle value; their mean is used.
    """
    half, odd = divmod(len(ordered), 2)
    lower, upper = ordered[:half] or ordered, ordered[half + odd :] or ordered
    return (median(lower) + median(ordered[: half + odd])) / 2, (median(upper) + median(ordered[half:])) / 2
