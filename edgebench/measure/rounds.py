"""Measure cases in rounds of fresh processes on the target, until all rows are precise or the time is up."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from random import Random
from statistics import fmean
from time import monotonic
from typing import Any, Protocol

from edgebench.deploy import Deployed
from edgebench.deploy.answers import Measured, OfArtifact, ask, facts, require_possible
from edgebench.deploy.connections import Connection
from edgebench.deploy.survey import require_answer
from edgebench.deploy.targets.checkup import COOL_BELOW_C
from edgebench.foundation import ending
from edgebench.foundation.errors import AgentError
from edgebench.foundation.progress import Show, Step
from edgebench.foundation.units import counted
from edgebench.results.measurement import needed
from edgebench.schema.case import PRESETS, Case, Purpose, Settings, Workload
from edgebench.schema.record import Failure, Record, Reference, Run, Session
from edgebench.schema.throttle import NOTHING, UNDER_VOLTAGE

REFERENCE = {"iterations": 40, "warmup_s": 0.1}  # how long a process of a reference workload measures
HOT_RUNS = 3  # number of runs that are discarded if the board was hot; the run after these is always kept
COOL_S, PAUSE_S = 300.0, 5.0  # most seconds to wait until the board is cool, and seconds between two checks
TIMES_FIRST = 1.6  # a case usually ends after this multiple of the fewest processes
TIMEOUT_S = 600.0  # seconds; a process that takes longer is assumed to hang
# The fields of a run that the process on the target reports.
OBSERVED = tuple({item.name for item in fields(Measured)} - {item.name for item in fields(OfArtifact)})


@dataclass(kw_only=True)
class Job:
    """One case with its artifact on the target, and its runs so far.

    `around` has the fields that make a request time the steps around inference; it is empty if these are not timed.
    """

    case: Case
    deployed: Deployed
    around: dict[str, Any] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    @property
    def iterations(self) -> int | None:
        """The number of iterations, which the first process chose for all later processes.

        The number is None until the first process has run.
        """
        timed = [run for run in self.runs if run.purpose == Purpose.LATENCY]
        return len(timed[0].samples_s) if timed else None


Entry = tuple[Job | Reference, Purpose]


class Arrive(Protocol):
    """A function that returns further jobs; with `wait`, it waits for at least one, if any are to come."""

    def __call__(self, *, wait: bool) -> Generator[Record, None, Sequence[Job]]:
        """Yield the records of the jobs' preparation, and return the jobs."""


def nothing_arrives(*, wait: bool) -> Generator[Record, None, Sequence[Job]]:
    """Return no further jobs."""
    yield from ()
    return ()


def measure(
    jobs: Sequence[Job], connection: Connection, session: Session, show: Show, arrive: Arrive = nothing_arrives
) -> Iterator[Record]:
    """Run rounds of processes; yield the record of each process when it ends. A failed case gets no further process.

    Before each round, `arrive` adds the jobs whose files have been made since the last round. It waits for such a job
    if no case needs a process now. This wait does not count as time spent measuring.

    Raises:
        Unreachable: the target no longer answers.
    """
    started, random, spent = monotonic(), Random(session.id), dict[tuple[str, Purpose], float]()
    failed, jobs, number, celsius = set[Case](), list(jobs), 0, None
    last = most = PRESETS[session.preset].interim_analyses[-1] + 1  # the last round is for the sustained runs
    while number < last:
        before, entries = monotonic(), _round(jobs, failed, session)
        if new := (yield from arrive(wait=all(purpose == Purpose.SUSTAINED for _, purpose in entries))):
            jobs, last = [*jobs, *new], number + most
            entries = _round(jobs, failed, session)
        started, number, is_idle = started + monotonic() - before, number + 1, True
        random.shuffle(entries)
        for done, (subject, purpose) in enumerate(entries):
            if _case(subject) in failed:
                continue  # another process of this case failed earlier in this round
            key = (str(_case(subject)), purpose)
            left_s = session.time_limit_s - (monotonic() - started)
            is_bounded = session.time_limit_s and purpose != Purpose.SUSTAINED
            if is_bounded and left_s <= spent.get(key, 0.0):
                continue  # a shorter process can still fit into the remaining time
            is_idle = False
            estimated_s = _left_s([job for job in jobs if job.case not in failed], session, spent)
            left_s = min(left_s, left_s if estimated_s is None else estimated_s)
            step = _step(jobs, number, done, len(entries), left_s if session.time_limit_s else estimated_s)
            show(replace(step, case=key[0], celsius=celsius))
            before = monotonic()
            record = observe(subject, purpose, connection, session, number, show)
            spent[key] = monotonic() - before
            if isinstance(record, Run):
                celsius = _celsius(record)
                if isinstance(subject, Job):
                    subject.runs.append(record)
            yield record
            if isinstance(record, Failure):
                failed |= {record.case} if isinstance(record.case, Case) else set()
                require_answer(connection, session.environment.target, spent[key])
        if is_idle:
            return


def _celsius(run: Run) -> float | None:
    """Return the board's temperature after a process; None if the board does not report it."""
    reading = run.conditions.get("temperature_c_after")
    return float(reading) if reading else None


def _round(jobs: Sequence[Job], failed: set[Case], session: Session) -> list[Entry]:
    """Return the processes of this round: the processes that cases still need, and the reference workloads.

    An emulator or a compiler runs no reference workloads. Sustained runs are included only if no case needs any other
    process.
    """
    open_jobs = [job for job in jobs if job.case not in failed]
    entries: list[Entry] = [(job, purpose) for job in open_jobs for purpose in _needed(job, session)]
    if others := [entry for entry in entries if entry[1] != Purpose.SUSTAINED]:
        entries = others
    if others and session.environment.has_times:
        target = session.environment.target
        entries += [(Reference(workload=workload, target=target), Purpose.LATENCY) for workload in Workload]
    return entries


def _needed(job: Job, session: Session) -> Iterator[Purpose]:
    return needed(job.runs, session, times_stages=bool(job.around))


def _left_s(jobs: Sequence[Job], session: Session, spent: Mapping[tuple[str, Purpose], float]) -> float | None:
    """Estimate the time that the jobs and the reference workloads still take; None before the first process ended."""
    if not spent:
        return None
    usual_s, left_s, most = fmean(spent.values()), 0.0, 0
    for job in jobs:
        for purpose in _needed(job, session):
            count = _missing(job, purpose, session)
            process_s = session.sustained_s if purpose == Purpose.SUSTAINED else usual_s
            left_s += count * spent.get((str(job.case), purpose), process_s)
            most = max(most, count)
    references = len(Workload) * most if session.environment.has_times else 0
    return left_s + references * usual_s


def _missing(job: Job, purpose: Purpose, session: Session) -> int:
    """Return how many processes a case still needs for a purpose; for latency, the number at which it usually ends."""
    settings, done = PRESETS[session.preset], sum(run.purpose == purpose for run in job.runs)
    if purpose != Purpose.LATENCY:
        counts = {Purpose.MEMORY: settings.memory_runs, Purpose.INSTRUCTIONS: settings.instruction_runs}
        return max(counts.get(purpose, 1) - done, 1)
    usual = min(round(settings.interim_analyses[0] * TIMES_FIRST), settings.interim_analyses[-1])
    return next((number for number in (usual, *settings.interim_analyses) if number > done), done + 1) - done


def _case(subject: Job | Reference) -> Case | Reference:
    return subject.case if isinstance(subject, Job) else subject


def _step(jobs: Sequence[Job], number: int, done: int, total: int, left_s: float | None) -> Step:
    return Step(
        activity="measure",
        subject=f"{counted(len(jobs), 'case')}, round {number}",
        done=done,
        total=total,
        left_s=left_s,
        round=number,
    )


def observe(
    subject: Job | Reference, purpose: Purpose, connection: Connection, session: Session, number: int, show: Show
) -> Run | Failure:
    """Run a process and return its record; if heat made the board lower its clock, let the board cool and run again.

    A sustained run, which heats the board on purpose, starts on a cool board and is never repeated.
    """
    try:
        if purpose == Purpose.SUSTAINED:
            _cool(connection, show)
            show(Step(activity="sustain", subject=str(_case(subject)), left_s=session.sustained_s))
            return _run(subject, purpose, connection, session, number)
        for _ in range(HOT_RUNS):
            run = _run(subject, purpose, connection, session, number)
            if not _was_hot(run):
                return run
            _cool(connection, show)
        return _run(subject, purpose, connection, session, number)  # this run is kept even if the board was hot
    except AgentError as error:
        epoch = session.environment.epoch
        return Failure(case=_case(subject), session=session.id, epoch=epoch, stage="measure", reason=str(error))


def _was_hot(run: Run) -> bool:
    """Return whether the clock was lowered for a temporary reason, such as heat.

    A weak power supply does not count, because it is not temporary.
    """
    return bool(run.clock_lowered) and UNDER_VOLTAGE not in run.clock_lowered


def _cool(connection: Connection, show: Show) -> None:
    """Wait until the board is cool and the clock is not lowered, but at most `COOL_S` seconds."""
    started = monotonic()
    while (left_s := COOL_S - (monotonic() - started)) > 0:
        conditions = facts(connection, {"runtimes": ("null",)}, timeout_s=TIMEOUT_S).conditions
        celsius, why = float(conditions.get("temperature_c", 0.0)), conditions.get("clock_lowered", NOTHING)
        if why == NOTHING and celsius < COOL_BELOW_C:
            return
        show(Step(activity="cool", subject=f"the board: {celsius:.0f} °C, {why}", left_s=left_s))
        ending.pause(PAUSE_S)


def _run(subject: Job | Reference, purpose: Purpose, connection: Connection, session: Session, number: int) -> Run:
    """Run a process and return its measurements.

    Raises:
        AgentError: the process failed, or the agent's answer is malformed, impossible, or about another case.
    """
    request = _request(subject, purpose, PRESETS[session.preset]) | {"sustained_s": session.sustained_s}
    started_at, started = datetime.now(UTC).isoformat(timespec="milliseconds"), monotonic()
    answer = ask(connection, Measured, request, timeout_s=TIMEOUT_S + session.sustained_s)
    took_s = monotonic() - started
    if isinstance(subject, Job):
        subject.deployed.require(answer, subject.case.runtime, connection)
    run = Run(
        case=_case(subject),
        preset=session.preset,
        session=session.id,
        round=number,
        purpose=purpose,
        epoch=session.environment.epoch,
        artifact_sha256=subject.deployed.sha256 if isinstance(subject, Job) else "",
        started_at=started_at,
        took_s=took_s,
        opened_sha256=answer.artifact_sha256,
        runtime_files=answer.runtime_files,
        **{name: getattr(answer, name) for name in OBSERVED},
    )
    require_possible(run, request, session.environment.facts)
    return run


def _request(subject: Job | Reference, purpose: Purpose, settings: Settings) -> dict[str, Any]:
    shared = {"do": "measure", "purpose": purpose, **asdict(settings)}
    if isinstance(subject, Reference):
        return shared | {"reference": subject.workload} | REFERENCE
    case = subject.case
    # Idle threads wait in a loop, and the instructions of this loop would be counted, too.
    threads = 1 if purpose == Purpose.INSTRUCTIONS else case.threads
    opened = subject.deployed.request(case.runtime, threads, case.batch)
    around = subject.around if purpose == Purpose.STAGES else {}
    return shared | opened | around | {"iterations": subject.iterations}
