"""The past of one configuration -> its accepted environment, and its levels as tonight's environment would have them.

Pure. An era is the time since one accepted night. Within it a change of the stack has an offset that pairs measured
against the accepted environment; so levels are carried from stack to stack and from era to era. A host cannot be
paired: nights of another one are no part of the history.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from math import log
from statistics import median
from typing import TYPE_CHECKING

from edgebench.nightly.night import Verdict, logs
from edgebench.nightly.rule import RULE
from edgebench.nightly.steady import at_one_pace, slope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.nightly.night import Entry, History, Night

# What moves no level; the others count only once somebody has accepted them.
QUIET = (Verdict.OK, Verdict.NEW, Verdict.UNDERPOWERED, Verdict.HOST_CHANGE)
UNSEEN = (Verdict.MISSING, Verdict.INVALID)

Seen = tuple["Night", "Entry"]


@dataclass(frozen=True, kw_only=True)
class Past:
    """What was seen of one configuration before tonight, in order of time; without slots, to compute things once.

    Attributes:
        seen: nights that measured it; `baseline` the one whose environment is accepted.
    """

    tonight: Seen
    seen: tuple[Seen, ...]
    baseline: Seen | None

    @property
    def is_timed(self) -> bool:
        """Whether tonight has times that may be judged."""
        return bool(self.tonight[1].figures.latencies_s) and self.tonight[1].verdict not in UNSEEN

    @cached_property
    def here(self) -> tuple[Seen, ...]:
        """The nights on tonight's host that count: nothing had changed, or the change was accepted."""
        facts = _facts(self.tonight)
        accepted = self.baseline[0].id if self.baseline else ""
        return tuple(
            (night, entry)
            for night, entry in self.seen
            if _facts((night, entry)) == facts and (entry.verdict in QUIET or night.id == accepted)
        )

    @cached_property
    def paced(self) -> tuple[Seen, ...]:
        """Those of them whose times are over the same workload as tonight's: others are of another kind."""
        beat = self.tonight[1].figures.beat
        return tuple((night, entry) for night, entry in self.here if entry.figures.beat == beat)

    @cached_property
    def slope(self) -> float:
        """How its times follow the beats, by the last nights before: what tonight shows is no part of it."""
        by_stack = defaultdict[frozenset[tuple[str, str]], tuple[list[float], list[float]]](lambda: ([], []))
        for _, entry in self.paced[-RULE.nights :]:
            ratios, beats = by_stack[frozenset(entry.stack.items())]
            ratios += entry.figures.ratios if entry.figures.beat else ()
            beats += entry.figures.beats
        return slope(by_stack.values())

    def ratios_of(self, entry: Entry) -> list[float]:
        """Return a night's processes: log latency less log reference, at one pace where these are beats."""
        figures = entry.figures
        return at_one_pace(figures.ratios, figures.beats, self.slope) if figures.beat else list(figures.ratios)

    def compared(self, entry: Entry) -> list[float]:
        """Return a night's processes as pairs are compared: by their beats, else by their times."""
        return self.ratios_of(entry) if entry.figures.beat else logs(entry.figures.latencies_s)

    def level_of(self, entry: Entry) -> float | None:
        """Return a night's level: the median of its processes' ratios."""
        return median(ratios) if (ratios := self.ratios_of(entry)) else None

    @property
    def level(self) -> float | None:
        """Tonight's level."""
        return self.level_of(self.tonight[1])

    @cached_property
    def _by_id(self) -> dict[str, Seen]:
        return {night.id: (night, entry) for night, entry in self.seen}

    @property
    def is_new_host(self) -> bool:
        """Whether no night was on this host."""
        return not any(_facts(one) == _facts(self.tonight) for one in self.seen)

    @property
    def offset(self) -> float | None:
        """How much slower tonight's stack is than the first accepted one, a logarithm; None where nothing paired it."""
        since = self.baseline[0].id if self.baseline else self.tonight[0].id
        return self._total(since, self.tonight[1].stack)

    @cached_property
    def levels(self) -> tuple[tuple[str, float], ...]:
        """The nights' ids and levels in tonight's terms."""
        if self.offset is None:
            return ()
        found = ((night, entry, self._total(entry.since or night.id, entry.stack)) for night, entry in self.paced)
        return tuple(
            (night.id, level - total + self.offset)
            for night, entry, total in found
            if total is not None and (level := self.level_of(entry)) is not None
        )

    @property
    def week_levels(self) -> list[float]:
        """The levels since the accepted night."""
        if self.baseline is None:
            return []
        ids = [night.id for night, _ in self.seen]
        later = set(ids[ids.index(self.baseline[0].id) :])
        return [level for id, level in self.levels if id in later]

    def same_stack(self, figure: str) -> list[float]:
        """Return a figure's logarithms on tonight's host and stack: cold figures have no offset to be carried by."""
        values = (getattr(entry.figures, figure) for _, entry in self.here if entry.stack == self.tonight[1].stack)
        return [log(value) for value in values if value]

    def _total(self, since: str, stack: dict[str, str]) -> float | None:
        """Return the offset of a stack in an era against the first era's accepted one."""
        start = self._by_id.get(since)
        if start is None:
            return 0.0 if since == self.tonight[0].id else None
        base = self._total(start[1].since, start[1].stack) if start[1].since else 0.0
        own = 0.0 if stack == start[1].stack else self._paired(since, stack)
        return None if base is None or own is None else base + own

    def _paired(self, since: str, stack: dict[str, str]) -> float | None:
        """Return what pairs measured between the accepted environment of an era and a stack."""
        found = [
            entry.offset
            for _, entry in self.seen
            if entry.since == since and entry.stack == stack and entry.offset is not None
        ]
        return median(found) if found else None


def _facts(one: Seen) -> dict[str, str]:
    night, entry = one
    return night.hosts.get(entry.target, {})


def pasts(history: History, tonight: Night) -> tuple[Past, ...]:
    """Collect what was seen of every configuration that was measured tonight; nights that start later are no past."""
    seen = defaultdict[str, list[Seen]](list)
    for night in history.nights:
        if night.started_at < tonight.started_at:
            for entry in night.entries:
                if entry.verdict not in UNSEEN:
                    seen[entry.name].append((night, entry))
    return tuple(
        Past(
            tonight=(tonight, entry),
            seen=tuple(seen[entry.name]),
            baseline=_baseline(history, seen[entry.name], entry.name),
        )
        for entry in tonight.entries
        if entry.verdict != Verdict.MISSING
    )


def _baseline(history: History, seen: Sequence[Seen], name: str) -> Seen | None:
    """Find the night that was accepted last, else the first one."""
    by_id = {night.id: (night, entry) for night, entry in seen}
    accepted = [by_id[one.night] for one in history.acceptances if one.covers(name) and one.night in by_id]
    return accepted[-1] if accepted else next(iter(seen), None)
