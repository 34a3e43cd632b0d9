"""Made-up nights: what a history holds, without measuring anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import exp, log
from random import Random
from typing import TYPE_CHECKING

from edgebench.nightly.night import Change, Entry, Figures, History, Night, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = {"kernel": "Linux 6.1", "governor": "performance", "cpu": "Example", "max_clock_mhz": "1800"}
STACK = {"model": "m1", "runtime": "engine 1.0", "packages": "", "harness": "h1"}
NAME = "net-1@32/fp32 engine cpu threads=1 batch=1"
START = datetime(2026, 1, 1, 2, tzinfo=UTC)
PROCESS, BETWEEN = 0.004, 0.003  # deviations of a quiet machine


def figures(level: float = 0.0, seed: int = 0, processes: int = 6, process: float = PROCESS, beat: str = "") -> Figures:
    """Six processes about a level, the log of milliseconds, or of beats of a millisecond that wander by 10 %."""
    draw = Random(seed)
    ratios = tuple(level + draw.gauss(0, process) for _ in range(processes))
    beats = [draw.gauss(0, 0.1) if beat else 0.0 for _ in ratios]
    return Figures(
        latencies_s=tuple(exp(ratio + pace) * 1e-3 for ratio, pace in zip(ratios, beats, strict=True)),
        ratios=ratios,
        beat=beat,
        load_s=0.02,
        first_s=0.004,
        peak_bytes=60e6,
        file_bytes=1_000_000,
        correct=590,
        images=600,
    )


def entry(level: float = 0.0, seed: int = 0, name: str = NAME, **changes: object) -> Entry:
    """A configuration, as a night saw it."""
    return replace(
        Entry(name=name, target="cpu", pin="p1", components=STACK, figures=figures(level, seed)),
        **changes,  # type: ignore[arg-type]
    )


def night(number: int, *entries: Entry, facts: dict[str, str] | None = None) -> Night:
    """The night of a day, with an id of its own."""
    return Night(
        id=f"{number:012x}",
        started_at=(START + timedelta(days=number)).isoformat(timespec="seconds"),
        edgebench="0.1.0",
        sweep="nightly",
        hosts={"cpu": HOST if facts is None else facts},
        entries=entries,
    )


def quiet_history(count: int, names: Sequence[str] = (NAME,), between: float = BETWEEN, first: int = 0) -> History:
    """Nights in which nothing changed; the first is the accepted one."""
    draw = Random(7)
    nights = [
        night(number, *(_quiet(name, number, first, draw.gauss(0, between)) for name in names))
        for number in range(first, first + count)
    ]
    return History(nights=tuple(nights))


def history_with_a_regression(count: int, name: str) -> History:
    """Quiet nights, of which the last has a confirmed regression of the latency."""
    history = quiet_history(count, [name])
    *calm, last = history.nights
    slower = Change(figure="latency", verdict=Outcome.REGRESSION, before=1e-3, after=1.1e-3, change=0.1, p=1e-7)
    changed = replace(last.entries[0], verdict=Outcome.REGRESSION, findings=(slower,))
    return replace(history, nights=(*calm, replace(last, entries=(changed,))))


def _quiet(name: str, number: int, first: int, level: float) -> Entry:
    is_first = number == first
    verdict, since = (Outcome.NEW, "") if is_first else (Outcome.OK, f"{first:012x}")
    return entry(level, seed=hash((number, len(name))) % 1000, name=name, verdict=verdict, since=since)


def slower(share: float) -> float:
    """The log of a slowdown."""
    return log(1 + share)
