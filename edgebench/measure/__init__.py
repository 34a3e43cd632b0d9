"""One session on one target: the cases that it still has to answer are staged, measured in rounds, and kept.

    plan (which cases, how far each has come) -> stage (on the target, evaluated) -> rounds (of fresh processes)

`budget` chooses which cells of a sweep to measure within a time, and predicts the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from edgebench.deploy import connect
from edgebench.deploy.survey import survey
from edgebench.foundation.lock import lock
from edgebench.foundation.progress import Notice, Show
from edgebench.images import splits
from edgebench.measure import stage
from edgebench.measure.plan import cases as plan
from edgebench.measure.plan.state import CaseState, State, known
from edgebench.measure.rounds import measure
from edgebench.results.journal import Journal
from edgebench.schema.record import Session, Stop
from edgebench.schema.sweep import Sweep
from edgebench.schema.target import Target
from edgebench.schema.variant import parent
from edgebench.train import cohort

MOMENT_S = 1e-3  # what a session has left whose budget is spent: 0 would mean no limit


def survey_cases(sweep: Sweep, target: Target) -> Session:
    """Ask a target what it is, and complete the sweep's cases with that.

    Raises:
        RequestError: a case cannot be on this target.
        AgentError, Unreachable, Busy: it does not answer.
    """
    wanted = [cell for cell in sweep.cells() if cell.target == target.name]
    with connect(target) as (connection, agent):
        environment = survey(connection, target, agent, plan.engines(wanted))
    return plan.session(sweep, environment, plan.cases(wanted, environment))


def answer(session: Session, target: Target, journal: Journal, show: Show, *, deadline: float = 0.0) -> None:
    """Measure the cases that are still open on one target, into the journal.

    With a deadline those too that ran out of time before, and all of them only until then.

    Raises:
        AgentError, Unreachable, Busy: the target, at any time; what was measured is in the journal.
    """
    with lock(target.machine, f"target {target.name}"), connect(target) as (connection, _):
        records = tuple(journal)
        every = known(session, records)
        over = (State.SETTLED,) if deadline else (State.SETTLED, State.OUT_OF_TIME)
        cases = [one.case for one in every if one.state not in over]
        if not cases:
            show(_nothing_to_measure(target, every))
            return
        if differs := plan.differs(session.environment, records):
            show(Notice(text=differs))
        journal.append(session)
        started = monotonic()
        splits.inspect((case.variant for case in cases), show)
        cohort.train((parent(case.variant) or case.variant for case in cases), show)
        jobs = [stage.stage(case, session, records, journal, connection, show) for case in cases]
        limited = replace(session, time_limit_s=max(deadline - monotonic(), MOMENT_S)) if deadline else session
        for record in measure([job for job in jobs if job], connection, limited, show):
            journal.append(record)
        journal.append(Stop(session=session.id, spent_s=monotonic() - started))


def _nothing_to_measure(target: Target, every: Sequence[CaseState]) -> Notice:
    spent = sum(one.state == State.OUT_OF_TIME for one in every)
    more = f"; {spent} of them ran out of time: a longer --time-limit goes on" if spent else ""
    return Notice(text=f"nothing to measure on {target.name}: all {len(every)} cases are answered{more}")
