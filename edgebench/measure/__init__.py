"""Measure a sweep's unfinished cases on a target; this is called a session, and its results are records.

The steps of a session, after the target's environment is known, are:

    plan (list the cases, and what each case still needs) -> stage (export, copy and evaluate each artifact)
        -> rounds (run fresh processes in random order).

A case is one row of the sweep. `budget` chooses which rows are measured within a time limit; the other rows are
predicted. `fleet` measures the sessions of several machines at the same time: `workshop` makes their files, `arrivals`
prepares each case as soon as its file is made, and in `pool`, boards of one kind share the cases.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.foundation.progress import Notice, Show
from edgebench.foundation.units import counted
from edgebench.images import splits
from edgebench.measure.plan import cases
from edgebench.measure.plan.shard import ALL
from edgebench.measure.plan.state import CaseState, Progress, case_states
from edgebench.measure.rounds import measure, nothing_arrives
from edgebench.measure.stage import NO_FAILURES, Stage, exported
from edgebench.schema.record import Session, Stop
from edgebench.schema.variant import WeightSource, parent
from edgebench.train import cohort

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from edgebench.deploy import Held
    from edgebench.measure.arrivals import Helper
    from edgebench.measure.plan.shard import Shard
    from edgebench.measure.rounds import Job
    from edgebench.schema.case import Case
    from edgebench.schema.environment import Environment
    from edgebench.schema.record import Record
    from edgebench.schema.sweep import Sweep
    from edgebench.schema.variant import Variant

MOMENT_S = 1e-3  # time limit of a session whose budget is used up; 0 would mean that there is no limit


def open_session(sweep: Sweep, environment: Environment, shard: Shard = ALL) -> Session:
    """Return a session with a shard's cases on a target, each completed with facts of the target's environment.

    Raises:
        RequestError: a case is impossible on this target.
    """
    if sweep.budget and environment.compiles_for:
        raise RequestError(
            f"a budget shares time out, and target {environment.target} measures none: leave --budget out"
        )
    cells = [cell for cell in sweep.cells() if cell.target == environment.target]
    return cases.session(sweep, environment, shard.of(cases.cases(cells, environment)))


def unprepared(states: Sequence[CaseState]) -> tuple[CaseState, ...]:
    """Return the unfinished cases whose artifact is not in the cache."""
    return tuple(state for state in states if state.progress == Progress.OPEN and not state.artifact)


def prepare(session: Session, states: Sequence[CaseState], show: Show) -> dict[Case, Exception]:
    """Train and export what cases need, without using the target; return the error of each case that failed.

    `answer` then finds the artifacts in the cache, and records a failure for each of these errors.
    """
    failures: dict[Case, Exception] = {}
    _train([state.case.variant for state in states], show)
    for state in states:
        case = state.case
        try:
            exported(case, case.variant, session.environment, show)
        except Exception as error:  # a bug in edgebench makes only this case fail, and the row says so
            failures[case] = error
            continue
        if (float_variant := parent(case.variant)) and state.needs_evaluation:
            with suppress(Exception):  # the evaluation, which compares int8 with float, fails with the same error
                exported(case, float_variant, session.environment, show)
    return failures


def answer(
    session: Session,
    held: Held,
    records: Sequence[Record],
    show: Show,
    *,
    deadline: float = 0.0,
    helper: Helper | None = None,
    failures: Mapping[Case, Exception] = NO_FAILURES,
) -> Iterator[Record]:
    """Measure the target's cases that are unfinished in the earlier `records`; yield each new record at once.

    With a deadline, in seconds of `monotonic()`, measuring ends at the deadline, and cases that ran out of time in an
    earlier session are measured, too. With a `helper`, another thread makes the files meanwhile. `failures` has the
    errors of cases whose preparation failed.

    Raises:
        AgentError, Unreachable: the target stopped answering.
    """
    session = cases.following(session, records)
    states = case_states(session, records)
    closed = (Progress.SETTLED,) if deadline else (Progress.SETTLED, Progress.OUT_OF_TIME)
    open_states = [state for state in states if state.progress not in closed]
    if not open_states:
        show(_nothing_to_measure(session, states, records))
        return
    if differs := cases.differs(session.environment, records, is_one_of_several=bool(held.target.number)):
        show(Notice(text=differs))
    started = monotonic()
    if deadline:  # later sessions read this time limit in the journal, to see whether this session ran out of time
        session = replace(session, time_limit_s=max(deadline - started, MOMENT_S))
    yield session
    stage = Stage(session=session, connection=held.connection, show=show, failures=failures)
    arrive = nothing_arrives
    if helper:
        jobs, arrive = yield from helper.staged(open_states, stage)
    else:
        jobs = yield from _staged(open_states, stage)
    limited = replace(session, time_limit_s=max(deadline - monotonic(), MOMENT_S)) if deadline else session
    yield from measure(jobs, held.connection, limited, show, arrive)
    yield Stop(session=session.id, spent_s=monotonic() - started)


def _staged(states: Sequence[CaseState], stage: Stage) -> Generator[Record, None, list[Job]]:
    """Train missing weights and prepare every case on the target; return a job for each case that did not fail."""
    _train([state.case.variant for state in states if state.case not in stage.failures], stage.show)
    jobs: list[Job | None] = []
    for state in states:
        jobs.append((yield from stage.ready(state)))  # noqa: PERF401  # a comprehension cannot yield
    return [job for job in jobs if job]


def _train(variants: Sequence[Variant], show: Show) -> None:
    """Check the data sets of the variants, and train missing weights in parallel."""
    splits.inspect(variants, show)
    if trained := [parent(variant) or variant for variant in variants if variant.weights == WeightSource.TRAINED]:
        cohort.train(trained, show)


def _nothing_to_measure(session: Session, states: Sequence[CaseState], records: Sequence[Record]) -> Notice:
    spent = sum(state.progress == Progress.OUT_OF_TIME for state in states)
    more = f"; {spent} of them ran out of time: continue them with a longer --time-limit" if spent else ""
    here = session.environment
    if not states:
        return Notice(text=f"nothing to measure on {here.target}: the shard has none of the sweep's cases")
    environments = (record.environment for record in records if isinstance(record, Session))
    others = {each.epoch for each in environments if each.target == here.target} - {here.epoch}
    which = f" (epoch {here.epoch})" if others else ""
    return Notice(
        text=f"nothing to measure on {here.target}{which}: {counted(len(states), 'case', 'is')} complete{more}"
    )
