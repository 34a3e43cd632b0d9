"""The past of one configuration -> its accepted environment, and its levels as tonight's environment would have them.

Pure. An era is the time since one accepted night. Within it a change of the stack has an offset that pairs measured
against the accepted environment; so levels are carried from stack to stack and from era to era. Another model alone,
which may come every night, is screened as if it took as long, and so is what a noisy host's pairs could say too little
of. A host cannot be paired: nights of another one are no part of the history.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from math import log
from statistics import median
from typing import TYPE_CHECKING

from edgebench.nightly.night import MODEL, Verdict, logs
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
        accepted = self.baseline[1].stack if self.baseline else {}
        return tuple(one for one in self._on_host if one[1].verdict in QUIET or one[1].stack == accepted)

    @cached_property
    def _on_host(self) -> tuple[Seen, ...]:
        facts = _facts(self.tonight)
        return tuple(one for one in self.seen if _facts(one) == facts)

    @property
    def is_accepted(self) -> bool:
        """Whether all that pairs could hold fixed is the accepted environment's, byte by byte."""
        return self.baseline is not None and self.baseline[1].stack == self.tonight[1].stack

    @cached_property
    def precedent(self) -> Seen | None:
        """The night that took all pairs of these components and the accepted ones on this host."""
        stack = self.tonight[1].stack
        same = ((night, entry) for night, entry in reversed(self._on_host) if entry.stack == stack)
        return next((one for one in same if self._is_of_era(one[1]) and one[1].offset is not None), None)

    @property
    def is_decided(self) -> bool:
        """Whether pairs could compare nothing that they have not compared."""
        return self.is_accepted or self.precedent is not None

    @property
    def was_slower(self) -> bool:
        """Whether the last night's times, or what its processes began with, were a regression that nobody accepted."""
        last = self._on_host[-1][1] if self._on_host else None
        return bool(last and self._is_of_era(last) and any(one.verdict == Verdict.REGRESSION for one in last.confirmed))

    def _is_of_era(self, entry: Entry) -> bool:
        return self.baseline is not None and entry.since == self.baseline[0].id

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
        return not self._on_host

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

    def cold_levels(self, figure: str) -> list[float]:
        """Return a figure's logarithms with tonight's stack, whichever the model: nothing carries them to another."""
        stack = _but_model(self.tonight[1].stack)
        values = (getattr(entry.figures, figure) for _, entry in self.here if _but_model(entry.stack) == stack)
        return [log(value) for value in values if value]

    def _total(self, since: str, stack: dict[str, str]) -> float | None:
        """Return the offset of a stack in an era against the first era's accepted one."""
        start = self._by_id.get(since)
        if start is None:
            return 0.0 if since == self.tonight[0].id else None
        base = self._total(start[1].since, start[1].stack) if start[1].since else 0.0
        own = 0.0 if stack == start[1].stack else self._paired(since, stack, start[1].stack)
        return None if base is None or own is None else base + own

    def _paired(self, since: str, stack: dict[str, str], accepted: dict[str, str]) -> float | None:
        """Return what pairs measured between an era's accepted environment and a stack, if need be but its model."""
        era = [(one.stack, one.offset) for _, one in self.seen if one.since == since and one.offset is not None]
        if found := [offset for other, offset in era if other == stack]:
            return median(found)
        if _but_model(accepted) == _but_model(stack) or self._was_quiet(since, stack):
            return 0.0
        found = [offset for other, offset in era if _but_model(other) == _but_model(stack)]
        return median(found) if found else None

    def _was_quiet(self, since: str, stack: dict[str, str]) -> bool:
        """Tell whether a stack was judged before in an era, on tonight's host, and nothing was found."""
        era = (one for _, one in self._on_host if one.since == since)
        return any(one.stack == stack and one.verdict in QUIET for one in era)


def _but_model(stack: dict[str, str]) -> dict[str, str]:
    return {name: component for name, component in stack.items() if name != MODEL}


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
