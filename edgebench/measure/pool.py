"""Several boards of one kind -> which cases each of them measures: the board that is free takes the next ones.

A network's precisions stay together, because an int8 row is compared with its float twin on the same board. A case that
a board has measured completely is not measured again on another one; a case that a board has begun stays with that
board, if the board is connected.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from math import ceil
from threading import Lock
from typing import TYPE_CHECKING

from edgebench.measure.plan.state import Progress, case_states
from edgebench.schema.case import Case
from edgebench.schema.environment import SERIAL
from edgebench.schema.record import Session
from edgebench.schema.variant import as_float

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.schema.environment import Environment
    from edgebench.schema.record import Record

SHARE = 2  # a board takes its fair share of what is left, divided by this, so that all boards end together


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Cases that stay together, and the epoch (environment's hash) of the board that began one; "" if none did."""

    cases: tuple[Case, ...]
    begun: str


class Pool:
    """The cases that no board of a kind has measured yet."""

    def __init__(self, sessions: Sequence[Session], records: Sequence[Record]) -> None:
        self._lock, self._boards = Lock(), {session.environment.epoch for session in sessions}
        self._left = _open(sessions[0], _environments(sessions, records), records)

    @property
    def is_empty(self) -> bool:
        """Whether no case is left."""
        return not self._left

    def take(self, session: Session) -> tuple[Case, ...]:
        """Return the next cases for the board of a session, and remove them; an empty tuple if none is left for it."""
        epoch = session.environment.epoch
        with self._lock:
            own = [group for group in self._left if group.begun == epoch]
            free = [group for group in self._left if group.begun != epoch and group.begun not in self._boards]
            count = ceil(len(own) + len(free) / (SHARE * max(len(self._boards), 1)))
            taken = [*own, *free][:count]
            self._left = [group for group in self._left if group not in taken]
        return tuple(case for group in taken for case in group.cases)

    def lose(self, session: Session, records: Sequence[Record]) -> tuple[Case, ...]:
        """Leave what a lost board did not complete to the others; return the cases for which no board is left."""
        unfinished = _open(session, {"": session.environment}, records)
        with self._lock:
            self._boards.discard(session.environment.epoch)
            self._left += [replace(group, begun="") for group in unfinished]
            return () if self._boards else tuple(case for group in self._left for case in group.cases)

    def leave(self, session: Session) -> None:
        """Note that a board takes no more cases."""
        with self._lock:
            self._boards.discard(session.environment.epoch)


def _environments(sessions: Sequence[Session], records: Sequence[Record]) -> dict[str, Environment]:
    """Return the environment of every board of the kind, by its serial number: the current or last known one."""
    target, agent = sessions[0].environment.target, sessions[0].environment.agent_sha256
    before = [record.environment for record in records if isinstance(record, Session)]
    known = [each for each in before if each.target == target and each.agent_sha256 == agent and SERIAL in each.facts]
    return {each.facts[SERIAL]: each for each in (*known, *(session.environment for session in sessions))}


def _open(session: Session, environments: dict[str, Environment], records: Sequence[Record]) -> list[_Group]:
    """Return the groups of a session's cases; leave out a group if each of its cases is complete on some board."""
    closed, begun = set[Case](), dict[Case, str]()
    for environment in environments.values():
        for state in case_states(replace(session, environment=environment), records):
            if state.progress != Progress.OPEN:
                closed.add(state.case)
            elif state.runs:
                begun[state.case] = environment.epoch
    groups = defaultdict[object, list[Case]](list)
    for case in session.cases:
        groups[as_float(case.variant), case.runtime, case.threads, case.batch].append(case)
    return [
        _Group(cases=tuple(group), begun=next((begun[case] for case in group if case in begun), ""))
        for group in groups.values()
        if not closed.issuperset(group)
    ]
