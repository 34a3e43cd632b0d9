"""The machines of a sweep -> their records, measured at the same time, each machine in a thread of its own.

A machine measures one process at a time under its own lock. A board that is lost, in use or unreachable does not
hold up the others: its session ends with a record that says why. This module writes no file: its caller keeps the
journal.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from edgebench.deploy import Access, Held
from edgebench.deploy.survey import expected, survey
from edgebench.foundation import durations, ending
from edgebench.foundation.errors import AgentError, Busy, RequestError, Unreachable
from edgebench.foundation.progress import Notice, shown_by
from edgebench.foundation.together import together
from edgebench.measure import MOMENT_S, answer, budget, open_session, prepare, unprepared
from edgebench.measure.arrivals import Helper
from edgebench.measure.plan import cases, engines
from edgebench.measure.plan import forecast as forecasting
from edgebench.measure.plan.remaining import with_time_left
from edgebench.measure.plan.shard import ALL, Shard
from edgebench.measure.plan.state import case_states
from edgebench.measure.pool import Pool
from edgebench.measure.workshop import Workshop
from edgebench.results.measurement.evidence import answered
from edgebench.schema.case import Case, name
from edgebench.schema.environment import SERIAL
from edgebench.schema.record import Record, Session, Stop
from edgebench.schema.target import THIS_MACHINE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from edgebench.foundation.progress import Show, Step
    from edgebench.measure.plan.forecast import Forecast
    from edgebench.results.journal import Journal
    from edgebench.schema.environment import Environment
    from edgebench.schema.sweep import Sweep
    from edgebench.schema.target import Target

LOSSES = (Unreachable, Busy, AgentError)  # the errors of one machine, after which the others go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A connected machine and the sessions of its targets, which are measured one after another.

    Attributes:
        label: the name of the machine in messages: its target's name, and its serial number if it is one of several.
        release: disconnects the machine and releases its lock; it is called even while other machines still measure.
        lock: locks the machine for measuring, unless it is locked already.
        is_here: whether the machine is the one on which edgebench runs, which is called "this machine".
        pool: the cases that the machine shares with others of its kind; None if it has its own.
    """

    label: str
    sessions: tuple[tuple[Session, Held], ...]
    release: Callable[[], None]
    lock: Callable[[], object]
    is_here: bool = False
    pool: Pool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A board that could not be reached, and why."""

    target: Target
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """The machines of a shard of a sweep, and the boards that could not be reached."""

    machines: tuple[Machine, ...]
    lost: tuple[Lost, ...] = ()
    shard: Shard = ALL

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions of all machines."""
        return tuple(session for machine in self.machines for session, _ in machine.sessions)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reached:
    """The targets on a machine that answered, with their environments."""

    targets: tuple[tuple[Held, Environment], ...]
    release: Callable[[], None]
    lock: Callable[[], object]

    @property
    def is_here(self) -> bool:
        """Whether the machine is this machine, possibly reached over a connection."""
        held = self.targets[0][0]
        return held.target.machine == THIS_MACHINE or bool(getattr(held.connection, "is_this_machine", False))


@contextmanager
def opened(
    sweep: Sweep, targets: Sequence[Target], show: Show, shard: Shard = ALL, *, is_measured: bool = True
) -> Iterator[Lab]:
    """Connect to the machines of these targets, to all boards at the same time; release all machines at the end.

    Targets on one machine are measured one after another. A board is locked as long as it is connected. If this machine
    is the only one, it is locked only to measure. If there are boards, too, this machine is locked first, so that a
    connection that leads back to this machine finds that this process has the lock. If nothing is measured, this
    machine is not locked.

    Raises:
        RequestError: a request is impossible, or no machine can be reached; nothing was measured.
    """
    groups: dict[str, list[Target]] = {}
    for target in sorted(targets, key=lambda target: target.machine != THIS_MACHINE):
        groups.setdefault(target.machine, []).append(target)
    if sweep.budget and any(target.number for target in targets):
        raise RequestError("several boards of a kind cannot share a budget; use --time-limit, or name one --address")
    here, boards = groups.pop(THIS_MACHINE, []), list(groups.values())
    with ExitStack() as stack:
        is_alone = len(boards) + bool(here) == 1
        attempts = [_attempt(sweep, group, stack, is_alone=is_alone, locks=True) for group in boards]
        locks = is_measured and bool(boards)
        found = list(_attempt(sweep, here, stack, is_alone=is_alone, locks=locks)) if here else []
        with closing(together(attempts)) as arriving:
            found += arriving
        lost = tuple(each for each in found if isinstance(each, Lost))
        reached = [each for each in found if isinstance(each, _Reached)]
        if not reached:
            raise Unreachable("; ".join(dict.fromkeys(each.reason for each in lost)))
        for each in lost:
            show(Notice(text=each.reason, board=each.target.label))
        for environment in (environment for each in reached for _, environment in each.targets):
            if environment.unexpected:
                show(Notice(text=f"target {environment.target}: {environment.unexpected}"))
        yield Lab(machines=tuple(_machines(sweep, reached, targets, shard)), lost=lost, shard=shard)


def _attempt(
    sweep: Sweep, group: Sequence[Target], stack: ExitStack, *, is_alone: bool, locks: bool
) -> Generator[_Reached | Lost, None, None]:
    """Yield a machine with the environments of its targets; if it cannot be reached, yield why, for each target."""
    with ExitStack() as own:
        try:
            access = own.enter_context(Access(*group))
            held = access.lock() if locks else access.connect()
            found = tuple((each, _surveyed(sweep, each)) for each in held)
        except LOSSES as error:
            if is_alone or (isinstance(error, AgentError) and group[0].machine == THIS_MACHINE):
                raise
            lost = [Lost(target=target, reason=str(error)) for target in group]
        else:
            lost, kept = [], own.pop_all()
            stack.push(kept)
            yield _Reached(targets=found, release=kept.close, lock=_nothing if locks else access.lock)
    yield from lost


def _surveyed(sweep: Sweep, held: Held) -> Environment:
    return survey(held.connection, held.target, held.agent_sha256, engines.requests(sweep, held.target))


def _machines(sweep: Sweep, reached: Sequence[_Reached], targets: Sequence[Target], shard: Shard) -> Iterator[Machine]:
    """Plan the sessions of each machine, in the order of the targets; all targets on this machine are one machine."""
    order, here, labels = list(targets), list[tuple[Session, Held]](), list[str]()
    for each in sorted(reached, key=lambda each: order.index(each.targets[0][0].target)):
        sessions = tuple((open_session(sweep, environment, shard), held) for held, environment in each.targets)
        label = " and ".join(_label(held, environment) for held, environment in each.targets)
        if each.is_here:
            here += sessions
            labels.append(label)
        else:
            yield Machine(label=label, sessions=sessions, release=each.release, lock=each.lock)
    if here:
        locks = [each.lock for each in reached if each.is_here]
        yield Machine(label=" and ".join(labels), sessions=tuple(here), release=_nothing, lock=locks[0], is_here=True)


def _nothing() -> None:
    """Do nothing: a machine that is locked already needs no lock, and this machine stays locked to the end."""


def _label(held: Held, environment: Environment) -> str:
    target = held.target
    return f"{target.name} {environment.facts[SERIAL]}" if target.number else target.name


def forecasts(
    sweep: Sweep, sessions: Iterable[Session], records: Sequence[Record], jobs: int = 1
) -> tuple[Forecast, ...]:
    """Estimate the time of each session; `jobs` processes make the files."""
    return tuple(forecasting.forecast(sweep, session, case_states(session, records), jobs) for session in sessions)


def measured(sweep: Sweep, lab: Lab, journal: Journal, show: Show) -> Generator[Record, None, None]:
    """Measure the unfinished cases of all machines at the same time; yield each record at once.

    The caller writes a record before it takes the next one. If the only machine is lost, its error is raised.
    """
    records = journal.current()
    machines = _pooled(lab.machines, records)
    yield from _of_lost(sweep, lab, records)
    is_alone, show = len(machines) == 1 and not lab.lost, _one_at_a_time(show)
    if len(machines) == 1 and machines[0].is_here:
        run = _Run(sweep=sweep, journal=journal, show=show, is_alone=is_alone)
        yield from run.machine(machines[0], records)
        return
    with Workshop(show) as workshop:
        run = _Run(sweep=sweep, journal=journal, show=show, is_alone=is_alone, workshop=workshop)
        for machine in machines:
            if not machine.is_here:
                workshop.begin(machine.label)
        with closing(together([run.machine(machine, records) for machine in machines])) as merged:
            yield from merged


def _one_at_a_time(show: Show) -> Show:
    """Return a function that several threads may call; it raises KeyboardInterrupt in a thread that is to end."""
    lock = Lock()

    def guarded(event: Step | Notice) -> None:
        ending.require_going()
        with lock:
            show(event)

    return guarded


def _pooled(machines: Sequence[Machine], records: Sequence[Record]) -> list[Machine]:
    """Let the boards of a kind share their cases if all have the same cases, with the same versions of runtimes."""
    kinds = defaultdict[object, list[Session]](list)
    for machine in machines:
        for session, held in machine.sessions:
            if held.target.number:
                kinds[held.target.name, session.cases].append(session)
    pools = {key: Pool(sessions, records) for key, sessions in kinds.items()}
    return [
        replace(machine, pool=pools.get((machine.sessions[0][1].target.name, machine.sessions[0][0].cases)))
        for machine in machines
    ]


def _of_lost(sweep: Sweep, lab: Lab, records: Sequence[Record]) -> Iterator[Record]:
    """Yield a session without results for each target that could not be reached, so that its rows say why.

    Cases with a result in an earlier session are left out. A target is left out if another of its boards was reached.
    """
    there = {held.target.name for machine in lab.machines for _, held in machine.sessions}
    for lost in {each.target.name: each for each in lab.lost if each.target.name not in there}.values():
        environment = expected(lost.target, engines.requests(sweep, lost.target))
        try:
            session = open_session(sweep, environment, lab.shard)
        except RequestError:  # the target's runtimes are not known, so there is only the notice
            continue
        known = {name(case) for case in answered(records)}
        missing = tuple(case for case in session.cases if name(case) not in known)
        yield cases.following(replace(session, cases=missing), records)
        yield Stop(session=session.id, spent_s=0.0, lost=lost.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run of a sweep: what the machines share.

    Attributes:
        is_alone: whether there is only one machine, whose loss is an error of the command.
        workshop: makes the files while boards measure; None if this machine is the only one.
    """

    sweep: Sweep
    journal: Journal
    show: Show
    is_alone: bool
    workshop: Workshop | None = None

    def machine(self, machine: Machine, records: Sequence[Record]) -> Generator[Record, None, None]:
        """Measure the sessions of a machine one after another, then release the machine."""
        planned = () if machine.pool else [session for session, _ in machine.sessions]
        label = "" if self.is_alone else machine.label
        planned_work = forecasts(self.sweep, planned, records)
        try:
            with with_time_left(_labelled(self.show, label), planned_work) as remaining, shown_by(remaining):
                failures = {} if self.workshop or self.sweep.budget else _prepared(machine, records, remaining)
                machine.lock()
                for session, held in machine.sessions:
                    is_last = session is machine.sessions[-1][0]
                    yield from self._session(machine, session, held, records, remaining, failures, is_last=is_last)
        finally:
            if self.workshop:
                self.workshop.end(machine.label)
            machine.release()

    def _session(
        self,
        machine: Machine,
        session: Session,
        held: Held,
        earlier: Sequence[Record],
        show: Show,
        failures: Mapping[Case, Exception],
        *,
        is_last: bool,
    ) -> Iterator[Record]:
        """Measure a session in parts, until its cases are measured or its machine is lost."""
        records, parts = list[Record](), self._parts(machine, session, show)
        has_parts, started = bool(machine.pool or self.sweep.budget), monotonic()
        helper = self._helper(machine, is_last=is_last and not has_parts)
        part = session
        try:
            for part, deadline in parts:
                known = self.journal.current() if records else earlier
                for record in answer(part, held, known, show, deadline=deadline, helper=helper, failures=failures):
                    yield record
                    records.append(record)
        except LOSSES as error:
            yield from self._loss(machine, part, records, error, monotonic() - started)
            if self.is_alone:
                raise
            show(Notice(text=str(error)))
        finally:
            if machine.pool:
                machine.pool.leave(session)
            durations.keep(forecasting.learned(session, records))

    def _helper(self, machine: Machine, *, is_last: bool) -> Helper | None:
        if not self.workshop:
            return None
        return Helper(workshop=self.workshop, who=machine.label, is_here=machine.is_here, is_last=is_last)

    def _parts(self, machine: Machine, session: Session, show: Show) -> Iterator[tuple[Session, float]]:
        """Yield pairs: a session with some of the machine's cases, and its deadline; 0 for none."""
        if not machine.pool:
            yield from budget.rounds(self.sweep, session, self.journal, show)
            return
        started, limit_s = monotonic(), session.time_limit_s
        if machine.pool.is_empty:
            show(Notice(text=f"nothing to measure on {machine.label}: no case is left for it"))
        while chosen := machine.pool.take(session):
            part = cases.session(self.sweep, session.environment, chosen)
            left_s = max(limit_s - (monotonic() - started), MOMENT_S) if limit_s else 0.0
            yield replace(part, time_limit_s=left_s), 0.0

    def _loss(
        self, machine: Machine, part: Session, records: Sequence[Record], error: Exception, spent_s: float
    ) -> Iterator[Record]:
        """Yield the end of the lost machine's session, and a further session with the cases that no board can take."""
        if any(isinstance(record, Session) and record.id == part.id for record in records):
            yield Stop(session=part.id, spent_s=spent_s, lost=str(error))
        if machine.pool and (left := machine.pool.lose(part, self.journal.current())):
            last = cases.session(self.sweep, part.environment, left)
            yield cases.following(last, self.journal.current())
            yield Stop(session=last.id, spent_s=0.0, lost=str(error))


def _prepared(machine: Machine, records: Sequence[Record], show: Show) -> dict[Case, Exception]:
    """Train and export what the sessions need, before this machine is locked; return the errors of the cases."""
    failures = dict[Case, Exception]()
    for session, _ in machine.sessions:
        failures |= prepare(session, unprepared(case_states(session, records)), show)
    return failures


def _labelled(show: Show, label: str) -> Show:
    """Return a function that shows events as those of a board; without a label, return `show` itself."""
    return (lambda event: show(replace(event, board=label))) if label else show
