"""A history and the decisions of its readers -> the state of every change of the last night.

A change is news on the first night that finds it. On later nights it is open until a user acknowledges it, assigns it
to a person, or marks it as invalid, which means that it is not real. A decision holds as long as the change lasts. If
the change disappears and comes back, it is news again.

This module does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.nightly.night import Outcome, Severity, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from edgebench.nightly.night import Change, Decision, Entry, History, Night

    Nights: TypeAlias = Sequence[tuple[Night, Mapping[str, Entry]]]  # the latest night first, with its entries by name

FOUND = (Outcome.REGRESSION, Outcome.IMPROVEMENT)  # verdicts of changes that last until a user accepts them


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A change of one figure of one configuration, from the first night that found it to the last night.

    Attributes:
        change: the change as the last night found it; for a mended change, as the night before found it.
        since: start of the first night that found the change.
        nights: number of nights that found the change.
        decision: the last reaction to the change; None if no user reacted.
    """

    change: Change
    state: State
    since: str
    nights: int
    decision: Decision | None = None

    @property
    def is_news(self) -> bool:
        """Whether the last night is the first to report the change, or the first to report it as mended."""
        return self.state in (State.NEW, State.MENDED)

    @property
    def is_waiting(self) -> bool:
        """Whether the change is a regression that fails the night, and to which no user has reacted."""
        return self.is_unanswered and self.change.severity == Severity.FAIL

    @property
    def is_warning(self) -> bool:
        """Whether the change is a regression that only warns, and to which no user has reacted."""
        return self.is_unanswered and self.change.severity == Severity.WARN

    @property
    def is_unanswered(self) -> bool:
        """Whether the change is a regression to which no user has reacted."""
        return self.change.verdict == Outcome.REGRESSION and self.state in (State.NEW, State.OPEN)

    def __str__(self) -> str:
        """Describe the state in a few words: `assigned to Ana: https://..., since 2026-11-20`."""
        limit = f" ({self.change.note})" if self.change.note else ""
        if self.is_news:
            return f"{self.state}{limit}"
        state = _reaction(self.decision) if self.decision else self.state
        return f"{state}, since {self.since[:10]}{limit}"


def _reaction(decision: Decision) -> str:
    """Describe a decision in words: its state, person, reason and link."""
    to = f" to {decision.person}" if decision.person else ""
    words = " ".join(filter(None, (decision.reason, decision.link)))
    return f"{decision.state}{to}{': ' if words else ''}{words}"


def episodes(history: History) -> Mapping[str, tuple[Episode, ...]]:
    """Return each configuration's changes on the last night, and its regressions that this night no longer finds."""
    *earlier, last = history.nights
    entries = [{entry.name: entry for entry in night.entries} for night in earlier]
    nights = list(zip(reversed(earlier), reversed(entries), strict=True))
    return {entry.name: tuple(_episodes(entry, last, nights, history.decisions)) for entry in last.entries}


def _episodes(entry: Entry, last: Night, nights: Nights, decisions: Sequence[Decision]) -> Iterator[Episode]:
    now = {change.figure: change for change in entry.reported if change.verdict in FOUND}
    for change in now.values():
        yield _lasting(change, entry, [last, *_nights_with(change, entry, nights)], decisions)
    if entry.is_measured:
        for change in _changes_before(entry, nights):
            if change.figure not in now and change.verdict == Outcome.REGRESSION:
                found = list(_nights_with(change, entry, nights))
                yield Episode(change=change, state=State.MENDED, since=found[-1].started_at, nights=len(found))


def _lasting(change: Change, entry: Entry, found: Sequence[Night], decisions: Sequence[Decision]) -> Episode:
    """Return the state of a change of the last night.

    `found` lists the nights that found this change, the latest first.
    """
    ids = {night.id for night in found}
    meant = (decision for decision in decisions if entry.name in decision.configurations and decision.night in ids)
    decision = max(meant, key=lambda decision: decision.place, default=None)
    undecided = State.NEW if len(found) == 1 else State.OPEN
    return Episode(
        change=change,
        state=decision.state if decision else undecided,
        since=found[-1].started_at,
        nights=len(found),
        decision=decision,
    )


def _nights_with(change: Change, entry: Entry, nights: Nights) -> Iterator[Night]:
    """Yield the consecutive earlier nights that found the same change, the latest first.

    Skip nights without a measurement.
    """
    for night, entries in nights:
        earlier = entries.get(entry.name)
        if earlier is None or not earlier.is_measured:
            continue
        same = any(other.figure == change.figure and other.verdict == change.verdict for other in earlier.reported)
        if not same or (earlier.since != entry.since and not change.is_budget):
            return
        yield night


def _changes_before(entry: Entry, nights: Nights) -> Sequence[Change]:
    """Return the changes that the last measured night found; an empty result if a night was accepted since then."""
    measured = (entries[entry.name] for _, entries in nights if entry.name in entries)
    before = next((earlier for earlier in measured if earlier.is_measured), None)
    return before.reported if before and before.since == entry.since else ()
