"""A history -> the bulletin of its last night: one line per configuration with its recent nights, the worst first.

Pure: no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1
from typing import TYPE_CHECKING

from edgebench.foundation.stats import median_interval
from edgebench.nightly.night import QUIET, Outcome
from edgebench.nightly.rule.past import pasts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.nightly.night import Change, Entry, History, Night
    from edgebench.nightly.rule.past import Past

NIGHTS = 60  # nights shown per configuration
NAMED = 8  # removed configurations listed by name; further ones are only counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One night of one configuration.

    Attributes:
        change: relative change of the level against the median of the shown nights; None if not measured.
        low, high: 95 % interval over processes; None below six processes.
        is_epoch: whether host or components differ from the night before.
        note: the reason why this night was accepted; empty if it was not.
    """

    started_at: str
    change: float | None
    low: float | None = None
    high: float | None = None
    is_epoch: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryLine:
    """A configuration tonight, with its recent nights."""

    entry: Entry
    points: tuple[Point, ...]

    @property
    def is_calm(self) -> bool:
        """Whether the verdict needs no attention."""
        return self.entry.verdict in QUIET and self.entry.verdict != Outcome.HOST_CHANGE

    @property
    def findings(self) -> list[Change]:
        """The changes, in order of severity; the first one decides the verdict."""
        return sorted(self.entry.findings, key=lambda change: (-change.verdict.severity, -abs(change.change)))

    @property
    def worst(self) -> Change | None:
        """The most severe change; None without changes."""
        return next(iter(self.findings), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """The last night, ready for the reports."""

    night: Night
    lines: tuple[SummaryLine, ...]
    nights: int
    notes: tuple[str, ...] = ()

    def of(self, *verdicts: Outcome) -> list[SummaryLine]:
        """Return the lines with one of these verdicts."""
        return [line for line in self.lines if line.entry.verdict in verdicts]

    @property
    def needs_attention(self) -> list[SummaryLine]:
        """Return the lines that need attention."""
        return [line for line in self.lines if not line.is_calm]

    @property
    def headline(self) -> str:
        """Summarize the night in one sentence."""
        counts = {outcome: len(self.of(outcome)) for outcome in reversed(Outcome)}
        changed = [f"{count} {outcome}" for outcome, count in counts.items() if count and outcome != Outcome.OK]
        if not changed:
            return f"nothing changed: {len(self.lines)} configurations"
        return f"{', '.join(changed)} of {len(self.lines)} configurations"


def bulletin(history: History) -> Bulletin:
    """Describe the last night of a history with at least one night."""
    night = history.nights[-1]
    by_name = {past.tonight.entry.name: past for past in pasts(history, night)}
    lines = [SummaryLine(entry=entry, points=_points(by_name.get(entry.name), history)) for entry in night.entries]
    notes = (*_gone(night), *_aa_pairs(night), *history.notes)
    return Bulletin(night=night, lines=tuple(sorted(lines, key=_order)), nights=len(history.nights), notes=notes)


def _gone(night: Night) -> Iterator[str]:
    if night.gone:
        more = f" and {len(night.gone) - NAMED} more" if len(night.gone) > NAMED else ""
        yield f"no longer in the sweep: {', '.join(night.gone[:NAMED])}{more}"


def _aa_pairs(night: Night) -> Iterator[str]:
    if aa := night.arms:
        interval = f"[{aa.low:+.2%}, {aa.high:+.2%}]"
        yield f"two copies of one accepted environment differ by {aa.change:+.2%} {interval} in {aa.pairs} pairs"


def _order(line: SummaryLine) -> tuple[int, float, str]:
    change = abs(line.worst.change) if line.worst else 0.0
    return -line.entry.verdict.severity, -change, line.entry.name


def _points(past: Past | None, history: History) -> tuple[Point, ...]:
    """Return one point per recent night; a night without the configuration is a gap."""
    if past is None:
        return ()
    measured = (*past.nights, past.tonight) if past.tonight.entry.is_measured else past.nights
    beat = (
        measured[-1].entry.figures.beat if measured else ""
    )  # levels relative to different references are not comparable
    entries = {night.id: entry for night, entry in measured if entry.figures.beat == beat}
    shown = [(night, entries.get(night.id)) for night in history.nights[-NIGHTS:]]
    levels = [level for _, entry in shown if entry and (level := past.level_of(entry)) is not None]
    middle = sorted(levels)[len(levels) // 2] if levels else 0.0
    name = past.tonight.entry.name
    reasons = {acceptance.night: acceptance.reason for acceptance in history.acceptances if acceptance.covers(name)}
    return tuple(
        _point(night, entry, shown[place - 1] if place else None, past, middle, reasons.get(night.id, ""))
        for place, (night, entry) in enumerate(shown)
    )


Shown = tuple["Night", "Entry | None"]


def _point(night: Night, entry: Entry | None, before: Shown | None, past: Past, middle: float, note: str) -> Point:
    level = past.level_of(entry) if entry else None
    if entry is None or level is None:
        return Point(started_at=night.started_at, change=None)
    interval = median_interval(past.ratios_of(entry))
    return Point(
        started_at=night.started_at,
        change=expm1(level - middle),
        low=expm1(interval[0] - middle) if interval else None,
        high=expm1(interval[1] - middle) if interval else None,
        is_epoch=_is_epoch(night, entry, before),
        note=note,
    )


def _is_epoch(night: Night, entry: Entry, before: Shown | None) -> bool:
    """Return whether host or components differ from the night before; False after a gap."""
    earlier, former = before or (night, None)
    if former is None:
        return False
    has_moved = earlier.hosts.get(entry.target) != night.hosts.get(entry.target)
    return former.components != entry.components or has_moved
