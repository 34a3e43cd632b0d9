"""A history -> the bulletin (report) of its last night: one line per configuration, the worst first.

This module does no I/O.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from math import expm1
from statistics import median
from typing import TYPE_CHECKING

from edgebench.foundation.stats import median_interval
from edgebench.foundation.units import counted
from edgebench.nightly.night import QUIET, Outcome, State
from edgebench.nightly.rule.figures import LATENCY, described, effect, order, size
from edgebench.nightly.rule.past import accepted, pasts
from edgebench.nightly.triage import episodes
from edgebench.schema.environment import unexpected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench.nightly.night import Change, Entry, History, Night
    from edgebench.nightly.rule.past import Past
    from edgebench.nightly.triage import Episode

HASHES = re.compile(r"(\w+): (?:[0-9a-f]{12}|none) -> (?:[0-9a-f]{12}|none)")  # `model: <hash> -> <hash>`
NIGHTS = 60  # nights shown per configuration
WEEK, WEEKS = 7, 8  # nights in a week, and number of weeks for which the noise is shown
CALM = (Outcome.OK, Outcome.UNDERPOWERED)  # verdicts of a configuration without a change
NAMED = 8  # number of removed configurations that are listed by name; the others are only counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One night of one configuration, a point of the line that the page draws.

    Attributes:
        change: relative change of the latency against the median of the shown nights; None if not measured.
        low, high: 95 % interval over processes; None if there are fewer than six processes.
        is_epoch: whether the host or a component differs from the night before.
        note: the reason why this night was accepted; an empty text if it was not accepted.
    """

    started_at: str
    change: float | None
    low: float | None = None
    high: float | None = None
    is_epoch: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryLine:
    """The line of a report on one configuration: tonight's result, the recent nights and the state of the changes."""

    entry: Entry
    points: tuple[Point, ...]
    episodes: tuple[Episode, ...] = ()
    every_night: tuple[Point, ...] = ()

    @property
    def is_calm(self) -> bool:
        """Whether the line needs no attention: its verdict is harmless, and it has no change, not even a mended one."""
        is_quiet = self.entry.verdict in QUIET and self.entry.verdict != Outcome.HOST_CHANGE
        return is_quiet and not self.episodes

    @property
    def is_known(self) -> bool:
        """Whether an earlier night already reported all changes of this configuration."""
        has_other = self.entry.verdict in (Outcome.MISSING, Outcome.INVALID, Outcome.HOST_CHANGE)
        return not has_other and bool(self.episodes) and not any(episode.is_news for episode in self.episodes)

    @property
    def is_waiting(self) -> bool:
        """Whether the configuration has a regression to which no user has reacted."""
        if self.entry.verdict != Outcome.REGRESSION:
            return False
        return not self.episodes or any(episode.is_waiting for episode in self.episodes)

    @property
    def is_warning(self) -> bool:
        """Whether a regression that does not fail the night is still a warning, because no user has reacted to it."""
        return any(episode.is_warning for episode in self.episodes)

    @property
    def findings(self) -> list[Change]:
        """The changes, the most severe first; among equally severe changes, the latency comes first.

        The first change decides the verdict.
        """
        return sorted(
            self.entry.reported,
            key=lambda change: (-change.verdict.severity, change.figure != LATENCY.name, -abs(change.change)),
        )

    @property
    def worst(self) -> Change | None:
        """The most severe change; None if there are no changes."""
        return next(iter(self.findings), None)

    @property
    def state(self) -> State | None:
        """The state of the first change that waits for a user's reaction; None if there are no changes.

        If no change waits, it is the state of the first change.
        """
        waiting = [episode for episode in self.episodes if episode.is_waiting]
        return next((episode.state for episode in (*waiting, *self.episodes)), None)

    @property
    def states(self) -> str:
        """The state of each change in words, with the names of the figures if the states differ."""
        words = list(dict.fromkeys(map(str, self.episodes)))
        if len(words) == 1:
            return words[0]
        return "; ".join(f"{episode.change.figure} {episode}" for episode in self.episodes)

    @property
    def causes(self) -> tuple[str, ...]:
        """The changed components and the changed facts of the host, without hashes."""
        return _causes(self.entry)


def _causes(entry: Entry) -> tuple[str, ...]:
    return tuple(HASHES.sub(r"\1", change) for change in entry.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """The last night, prepared for the reports."""

    night: Night
    lines: tuple[SummaryLine, ...]
    nights: int
    history: History
    notes: tuple[str, ...] = ()
    others: tuple[Bulletin, ...] = ()

    def of(self, *verdicts: Outcome) -> list[SummaryLine]:
        """Return the lines with one of these verdicts, without lines that an earlier night already reported."""
        return [line for line in self.lines if line.entry.verdict in verdicts and not line.is_known]

    @property
    def needs_attention(self) -> list[SummaryLine]:
        """The lines that report something new."""
        return [line for line in self.lines if not line.is_calm and not line.is_known]

    @property
    def known(self) -> list[SummaryLine]:
        """The lines whose changes an earlier night already reported."""
        return [line for line in self.lines if line.is_known]

    @property
    def headline(self) -> str:
        """One sentence that summarizes the night."""
        counts: dict[str, int] = {outcome: len(self.of(outcome)) for outcome in reversed(Outcome)}
        counts["mended"] = sum(any(episode.state == State.MENDED for episode in line.episodes) for line in self.lines)
        known = Counter(line.state for line in self.known)
        counts |= {"still open" if state == State.OPEN else str(state): known[state] for state in State if known[state]}
        changed = [f"{count} {what}" for what, count in counts.items() if count and what != Outcome.OK]
        if not changed:
            return f"nothing changed: {counted(len(self.lines), 'configuration')}"
        return f"{', '.join(changed)} of {counted(len(self.lines), 'configuration')}"

    @property
    def of_its_own(self) -> str:
        """The headline with the sweep and the machines, for the last night of another sweep of a merged history."""
        cpus = ", ".join(dict.fromkeys(facts.get("cpu", "") for facts in self.night.hosts.values()))
        return f"{self.night.sweep}{f' on {cpus}' if cpus else ''}: {self.headline}"

    @property
    def others_in_words(self) -> list[str]:
        """One sentence on the last night of each other sweep or machine of a merged history."""
        return [f"also in this history: {other.of_its_own}, see index.html" for other in self.others]

    @property
    def causes(self) -> list[str]:
        """One sentence per cause of tonight's new changes, such as `runtime: a 1 -> a 2: 3 slower (+4% to +12%)`."""
        by_cause = defaultdict[str, list[SummaryLine]](list)
        for line in self.needs_attention:
            if line.findings:
                by_cause["; ".join(line.causes) or "no component changed"].append(line)
        return [f"{cause}: {_effects(lines)}" for cause, lines in by_cause.items()]

    @property
    def reminders(self) -> list[str]:
        """One sentence per configuration whose changes an earlier night already reported."""
        return [f"{line.entry.name}: {'; '.join(map(_told, line.episodes))}" for line in self.known]


def _effects(lines: Sequence[SummaryLine]) -> str:
    """Return, per figure and direction, the number of changes, the smallest change and the largest.

    Latency comes first.
    """
    by_effect: dict[str, list[Change]] = defaultdict(list)
    for change in sorted((change for line in lines for change in line.findings), key=order):
        by_effect[effect(change)].append(change)
    return ", ".join(f"{len(changes)} {words} ({_range(changes)})" for words, changes in by_effect.items())


def _range(changes: Sequence[Change]) -> str:
    ordered = sorted(changes, key=lambda change: abs(change.change))
    return " to ".join(dict.fromkeys((size(ordered[0]), size(ordered[-1]))))


def _told(episode: Episode) -> str:
    """Describe, in one line, a change that an earlier night already reported."""
    return f"{described(episode.change)}, {episode}"


def bulletin(history: History) -> Bulletin:
    """Return the bulletin of the last night of a history, which must have at least one night.

    If the history was merged from several sweeps or machines, the bulletin contains a bulletin of each of the others.
    """
    *others, nights = sorted(_origins(history.nights), key=lambda nights: nights[-1].place)
    recent = {night.id for night in history.nights[-NIGHTS:]}
    told = [other for other in reversed(others) if other[-1].id in recent]
    last = _bulletin(replace(history, nights=tuple(nights)))
    whole = (_bulletin(replace(history, nights=tuple(other), notes=())) for other in told)
    return replace(last, nights=len(history.nights), others=tuple(whole))


def _origins(nights: Sequence[Night]) -> list[list[Night]]:
    """Group nights by sweep and machine; within a group, each target always has the same processor.

    A night that reached no target belongs to the last group of its sweep.
    """
    groups: list[tuple[dict[str, str], list[Night]]] = []
    for night in nights:
        cpus = {target: facts.get("cpu", "") for target, facts in night.hosts.items()}
        for known, group in reversed(groups):
            if group[0].sweep == night.sweep and all(known.get(target, cpu) == cpu for target, cpu in cpus.items()):
                known.update(cpus)
                group.append(night)
                break
        else:
            groups.append((cpus, [night]))
    return [group for _, group in groups]


def _bulletin(history: History) -> Bulletin:
    night, states = history.nights[-1], episodes(history)
    by_name = {past.tonight.entry.name: past for past in pasts(history, night)}
    lines = [_line(entry, by_name.get(entry.name), states[entry.name], history) for entry in night.entries]
    found = (*_mistaken(night), *_without_effect(history), *_gone(night), *_detectable(history))
    return Bulletin(
        night=replace(night, entries=tuple(line.entry for line in lines)),
        lines=tuple(sorted(lines, key=_order)),
        nights=len(history.nights),
        history=history,
        notes=(*found, *_aa_pairs(night), *_clocks(history), *night.notes, *history.notes),
    )


def _mistaken(night: Night) -> Iterator[str]:
    """Say which machines are not the boards that their targets' files name."""
    for target, facts in night.hosts.items():
        if text := unexpected(facts):
            yield f"target {target}: {text}"


def _without_effect(history: History) -> Iterator[str]:
    """Say what changed since the night before, in configurations in which no change of a figure was found."""
    if len(history.nights) < 2:
        return
    former, night = history.nights[-2:]
    before = {entry.name: entry.changed for entry in former.entries}
    calm = (entry for entry in night.entries if entry.verdict in CALM and not entry.reported)
    counts = Counter("; ".join(_causes(entry)) for entry in calm if entry.changed != before.get(entry.name))
    del counts[""]
    for cause, count in counts.items():
        yield f"no effect on {counted(count, 'configuration')} was found of what changed: {cause}"


def _line(entry: Entry, past: Past | None, found: tuple[Episode, ...], history: History) -> SummaryLine:
    """Return the line of an entry; its verdict is OK if its components were accepted after that night."""
    if reason := _why_accepted(past, history):
        entry = replace(entry, verdict=Outcome.OK, findings=(), why=f"accepted: {reason}")
        found = tuple(episode for episode in found if episode.change in entry.over_budget)
    if entry.over_budget:  # an exceeded budget is reported like a regression, also in a night without a change
        entry = replace(entry, verdict=max(entry.verdict, Outcome.REGRESSION, key=lambda outcome: outcome.severity))
    recent, whole = (_points(past, history, most) for most in (NIGHTS, len(history.nights)))
    return SummaryLine(entry=entry, points=recent, episodes=found, every_night=whole)


def _why_accepted(past: Past | None, history: History) -> str:
    """Return the reason if tonight's components were accepted after they were judged; else an empty text."""
    if past is None or not past.tonight.entry.is_measured:
        return ""
    entry = past.tonight.entry
    last = accepted(history, (*past.nights, past.tonight), entry.name)
    if last is None or last.night.id == entry.since or last.entry.components != entry.components:
        return ""
    return last.reason


def _clocks(history: History) -> Iterator[str]:
    """Yield a note if a clock was wrong, because a night with a higher number has an earlier date."""
    numbered = [night for night in history.nights if night.number]
    wrong = [
        (former, night)
        for former, night in pairwise(numbered)
        if former.hosts == night.hosts and former.number < night.number and night.started_at < former.started_at
    ]
    if wrong:
        former, night = wrong[-1]
        yield (
            f"night {night.number} began at {night.started_at}, before night {former.number} at {former.started_at}: a"
            f" clock was wrong ({len(wrong)} times in this history), so nights are ordered by their number"
        )


def _gone(night: Night) -> Iterator[str]:
    if night.gone:
        more = f" and {len(night.gone) - NAMED} more" if len(night.gone) > NAMED else ""
        yield f"no longer in the sweep: {', '.join(night.gone[:NAMED])}{more}"


def _detectable(history: History) -> Iterator[str]:
    """Yield the smallest change of the latency that the night could find, and how it developed over the weeks."""
    *_, last = nights = [
        sorted(entry.detectable for entry in night.entries if entry.detectable) for night in history.nights
    ]
    if not last:
        return
    of_all = f" in half of the {len(last)} timed configurations, and below {last[-1]:.1%} in the noisiest"
    yield f"tonight could not find changes of the latency below {median(last):.1%}{of_all if len(last) > 1 else ''}"
    weeks = [list(filter(None, nights[end - WEEK : end])) for end in range(len(nights), WEEK - 1, -WEEK)][:WEEKS]
    medians = [f"{median(map(median, week)):.1%}" for week in reversed(weeks) if week]
    if len(medians) > 1:
        yield f"smallest change that the nights could find, median of each week up to tonight: {', '.join(medians)}"


def _aa_pairs(night: Night) -> Iterator[str]:
    if aa := night.arms:
        interval = f"[{aa.low:+.2%}, {aa.high:+.2%}]"
        pairs = counted(aa.pairs, "pair")
        yield f"two copies of one accepted environment differ by {aa.change:+.2%} {interval} in {pairs}"


def _order(line: SummaryLine) -> tuple[int, bool, float, str]:
    """Return a sort key of lines: severe verdicts first, then changed latencies, then large changes, then names."""
    change = abs(line.worst.change) if line.worst else 0.0
    is_other = line.worst is None or line.worst.figure != LATENCY.name
    return -line.entry.verdict.severity, is_other, -change, line.entry.name


def _points(past: Past | None, history: History, most: int) -> tuple[Point, ...]:
    """Return one point for each of the last nights, at most `most`; a night without the configuration is a gap."""
    if past is None:
        return ()
    measured = (*past.nights, past.tonight) if past.tonight.entry.is_measured else past.nights
    beat = (
        measured[-1].entry.figures.beat if measured else ""
    )  # latencies relative to different reference workloads are not comparable
    entries = {night.id: entry for night, entry in measured if entry.figures.beat == beat}
    shown = [(night, entries.get(night.id)) for night in history.nights[-most:]]
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
    """Return whether host or components differ from the night before; False if the night before has no measurement."""
    earlier, former = before or (night, None)
    if former is None:
        return False
    has_moved = earlier.hosts.get(entry.target) != night.hosts.get(entry.target)
    return former.components != entry.components or has_moved
