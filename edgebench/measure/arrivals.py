"""The cases of a session -> the job of each case, as soon as the workshop (a thread) has made the case's file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgebench.measure.rounds import Arrive, Job, nothing_arrives
from edgebench.measure.workshop import wait_for_one

if TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Sequence

    from edgebench.measure.plan.state import CaseState
    from edgebench.measure.stage import Stage
    from edgebench.measure.workshop import Workshop
    from edgebench.schema.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Helper:
    """The workshop as one machine uses it.

    Attributes:
        who: the key under which the workshop lists this user of its work, until the user's last file has arrived.
        is_here: whether the target is this machine. Then all files arrive before the first process, and measuring
            starts only when no other machine needs work of this machine.
        is_last: whether no further session of the machine follows.
    """

    workshop: Workshop
    who: Hashable
    is_here: bool = False
    is_last: bool = True

    def staged(
        self, states: Sequence[CaseState], stage: Stage
    ) -> Generator[Record, None, tuple[Sequence[Job], Arrive]]:
        """Request the files of the cases; return the first jobs, and the function that returns further jobs."""
        environment = stage.session.environment
        made = self.workshop.order(states, environment)
        stage = replace(stage, made=made, bench=self.workshop.bench)
        arrivals = _Arrivals(helper=self, stage=stage, pending=list(states))
        if not self.is_here:
            return (), arrivals
        jobs = list[Job]()
        while arrivals.pending:
            jobs += yield from arrivals(wait=True)
        self.workshop.wait_until_quiet(stage.show)
        return jobs, nothing_arrives


@dataclass(slots=True, kw_only=True)
class _Arrivals:
    """The cases of a session whose files are still being made."""

    helper: Helper
    stage: Stage
    pending: list[CaseState]

    def __call__(self, *, wait: bool) -> Generator[Record, None, Sequence[Job]]:
        """Prepare the cases whose files are made; with `wait`, wait until a case is ready, or until none is left."""
        jobs = list[Job]()
        while self.pending:
            ready = [state for state in self.pending if self.stage.made[state.case].done()]
            for state in ready:
                self.pending.remove(state)
                if job := (yield from self.stage.ready(state)):
                    jobs.append(job)
            if jobs or not wait or not self.pending:
                break
            if not ready:
                wait_for_one([self.stage.made[state.case] for state in self.pending], self.stage.show)
        if not self.pending and self.helper.is_last:
            self.helper.workshop.end(self.helper.who)
        return jobs
