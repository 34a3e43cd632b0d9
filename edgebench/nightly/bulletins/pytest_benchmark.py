"""The night as JSON for `pytest-benchmark compare`: each process is a round, whose value is the process's median."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edgebench.results.reports.pytest_benchmark import summary

if TYPE_CHECKING:
    from edgebench.nightly.night import Entry
    from edgebench.nightly.summary import Bulletin

FILE = "pytest-benchmark.json"


def render(bulletin: Bulletin) -> str:
    """Return all configurations that have latencies."""
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
        "fullname": f"{entry.target}::{entry.name}",
        "params": None,
        "param": None,
        "extra_info": {"verdict": entry.verdict, "changed": list(entry.changed)},
        "options": {},
        "stats": summary(entry.figures.latencies_s),
    }
