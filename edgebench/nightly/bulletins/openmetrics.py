"""The night as OpenMetrics text, which Prometheus reads, for example from node_exporter's folder of text files."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from edgebench.foundation import escape
from edgebench.nightly.night import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgebench.nightly.night import Entry
    from edgebench.nightly.summary import Bulletin

FILE = "metrics.prom"
# name, unit (which ends the name), meaning, and how to read the value
GAUGES: tuple[tuple[str, str, str, Callable[[Entry], float | None]], ...] = (
    ("latency_seconds", "seconds", "Median latency of an inference.", lambda entry: entry.figures.p50_s),
    ("latency_p90_seconds", "seconds", "90th percentile of the latency.", lambda entry: entry.figures.p90_s),
    ("load_seconds", "seconds", "Time to load the model.", lambda entry: entry.figures.load_s),
    ("peak_memory_bytes", "bytes", "Peak memory of the process.", lambda entry: entry.figures.peak_bytes),
    ("file_bytes", "bytes", "Size of the model file.", lambda entry: entry.figures.file_bytes),
    ("instructions", "", "Instructions of an inference.", lambda entry: entry.figures.instructions),
    ("accuracy_ratio", "ratio", "Top-1 accuracy.", lambda entry: entry.figures.accuracy),
    ("metric_ratio", "ratio", "Main metric of the task, such as mAP.", lambda entry: entry.figures.score),
    ("agreement_ratio", "ratio", "Agreement with the float model.", lambda entry: entry.figures.agreement),
)


def render(bulletin: Bulletin) -> str:
    """Return a gauge for each figure, one for regressions without a reaction, and one for missing configurations."""
    return "".join(f"{line}\n" for line in _lines(bulletin))


def _lines(bulletin: Bulletin) -> Iterator[str]:
    for name, unit, meaning, value in GAUGES:
        yield from _head(name, unit, meaning)
        for entry in bulletin.night.entries:
            if entry.is_measured and (number := value(entry)) is not None:
                yield f"edgebench_{name}{_labels(entry)} {number!r}"
    yield from _head("regression", "", "1 if a regression waits for a reaction of a user, else 0.")
    yield from (f"edgebench_regression{_labels(line.entry)} {int(line.is_waiting)}" for line in bulletin.lines)
    yield from _head("unmeasured", "", "1 if the configuration is MISSING or INVALID, else 0.")
    for entry in bulletin.night.entries:
        is_unmeasured = entry.verdict in (Outcome.MISSING, Outcome.INVALID)
        yield f"edgebench_unmeasured{_labels(entry)} {int(is_unmeasured)}"
    yield from _head("night_start_seconds", "seconds", "When the night began, in seconds since 1970.")
    yield f"edgebench_night_start_seconds {datetime.fromisoformat(bulletin.night.started_at).timestamp()!r}"
    yield "# EOF"


def _head(name: str, unit: str, meaning: str) -> Iterator[str]:
    yield f"# TYPE edgebench_{name} gauge"
    if unit:
        yield f"# UNIT edgebench_{name} {unit}"
    yield f"# HELP edgebench_{name} {meaning}"


def _labels(entry: Entry) -> str:
    return f'{{configuration="{_escaped(entry.name)}",target="{_escaped(entry.target)}"}}'


def _escaped(text: str) -> str:
    return escape.plain(text).replace("\\", r"\\").replace('"', r"\"")
