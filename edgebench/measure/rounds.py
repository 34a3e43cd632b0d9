"""Rounds of fresh processes, interleaved in random order, until every case is precise or the time is up."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from random import Random
from time import monotonic, sleep
from typing import Any

from edgebench.agent.throttle import NOTHING, UNDER_VOLTAGE
from edgebench.deploy import Deployed
from edgebench.deploy.connections import Connection
from edgebench.deploy.targets.checkup import COOL_BELOW_C
from edgebench.foundation.errors import AgentError
from edgebench.foundation.progress import Show, Step
from edgebench.results.measurement import needed
from edgebench.results.measurement.verdict import lowered
from edgebench.schema.case import PRESETS, Case, Purpose, Settings, Workload
from edgebench.schema.record import Beats, Failure, MemoryMarks, Reference, Run, Session, Window

REFERENCE_ITERATIONS = 20
HOT_RUNS = 3  # whose figures are dropped before one is kept as it is
COOL_S, PAUSE_S = 300.0, 5.0  # that cooling may take, and between two looks
TIMEOUT_S = 600.0  # of one process: a case that takes longer has hung


@dataclass(kw_only=True)
class Job:
    """One case with its artifact on the target, and the runs it has so far."""

    case: Case
    deployed: Deployed
    runs: list[Run] = field(default_factory=list)

    @property
    def iterations(self) -> int | None:
        """The number its first process chose: frozen for the case."""
        timed = [run for run in self.runs if run.purpose == Purpose.LATENCY]
        return len(timed[0].samples_s) if timed else None


Entry = tuple[Job | Reference, Purpose]


def measure(jobs: Sequence[Job], connection: Connection, session: Session, show: Show) -> Iterator[Run | Failure]:
    """Yield what every process saw, as it happens; a case that fails is left out of later rounds."""
    started, random, spent = monotonic(), Random(session.id), dict[tuple[str, Purpose], float]()
    failed, settings = set[Case](), PRESETS[session.preset]
    for number in range(1, settings.interim_analyses[-1] + 2):  # the last for what comes after all else
        entries, is_idle = _round(jobs, failed, session), True
        random.shuffle(entries)
        for done, (subject, purpose) in enumerate(entries):
            key = (str(_case(subject)), purpose)
            left_s = session.time_limit_s - (monotonic() - started)
            is_bounded = session.time_limit_s and purpose != Purpose.SUSTAINED
            if is_bounded and left_s <= spent.get(key, 0.0):
                continue  # a shorter one may still fit
            is_idle = False
            show(_step(jobs, number, done, len(entries), left_s if session.time_limit_s else None))
            before = monotonic()
            record = observe(subject, purpose, connection, session, number, show)
            spent[key] = monotonic() - before
            if isinstance(record, Failure) and isinstance(record.case, Case):
                failed.add(record.case)
            if isinstance(record, Run) and isinstance(subject, Job):
                subject.runs.append(record)
            yield record
        if is_idle:
            return


def _round(jobs: Sequence[Job], failed: set[Case], session: Session) -> list[Entry]:
    """List this round's processes: every case that still needs some, and beside times the reference workloads."""
    open_jobs = [job for job in jobs if job.case not in failed]
    entries: list[Entry] = [(job, purpose) for job in open_jobs for purpose in needed(job.runs, session)]
    if others := [entry for entry in entries if entry[1] != Purpose.SUSTAINED]:
        entries = others
    if others and not session.environment.emulator:
        entries += [(Reference(workload=one, target=session.environment.target), Purpose.LATENCY) for one in Workload]
    return entries


def _case(subject: Job | Reference) -> Case | Reference:
    return subject.case if isinstance(subject, Job) else subject


def _step(jobs: Sequence[Job], number: int, done: int, total: int, left_s: float | None) -> Step:
    return Step(activity="measure", subject=f"{len(jobs)} cases, round {number}", done=done, total=total, left_s=left_s)


def observe(
    subject: Job | Reference, purpose: Purpose, connection: Connection, session: Session, number: int, show: Show
) -> Run | Failure:
    """Run a process; where the board was too hot for its clock, drop what it saw, let it cool and run it again.

    One that is to heat the board starts on a cool one, and keeps what it saw.
    """
    if purpose == Purpose.SUSTAINED:
        _cool(connection, show)
        show(Step(activity="sustain", subject=str(_case(subject)), left_s=session.sustained_s))
        return _run(subject, purpose, connection, session, number)
    for _ in range(HOT_RUNS):
        record = _run(subject, purpose, connection, session, number)
        if isinstance(record, Failure) or not _was_hot(record):
            return record
        _cool(connection, show)
    return _run(subject, purpose, connection, session, number)  # whatever it saw: its verdict says so


def _was_hot(run: Run) -> bool:
    """Tell whether waiting would help: not against a weak power supply."""
    why = lowered(run)
    return bool(why) and UNDER_VOLTAGE not in why


def _cool(connection: Connection, show: Show) -> None:
    """Wait until the board's firmware gives it its clock back and it is cool, but not for ever."""
    started = monotonic()
    while (left_s := COOL_S - (monotonic() - started)) > 0:
        seen = connection.run({"do": "facts", "runtimes": ("null",)}, timeout_s=TIMEOUT_S)["conditions"]
        celsius, why = float(seen.get("temperature_c", 0.0)), seen.get("clock_lowered", NOTHING)
        if why == NOTHING and celsius < COOL_BELOW_C:
            return
        show(Step(activity="cool", subject=f"the board: {celsius:.0f} °C, {why}", left_s=left_s))
        sleep(PAUSE_S)


def _run(
    subject: Job | Reference, purpose: Purpose, connection: Connection, session: Session, number: int
) -> Run | Failure:
    case = _case(subject)
    started_at, started = datetime.now(UTC).isoformat(timespec="milliseconds"), monotonic()
    try:
        request = _request(subject, purpose, PRESETS[session.preset]) | {"sustained_s": session.sustained_s}
        seen = connection.run(request, timeout_s=TIMEOUT_S + session.sustained_s)
    except AgentError as error:
        return Failure(
            case=case, session=session.id, epoch=session.environment.epoch, stage="measure", reason=str(error)
        )
    took_s, memory, beats = monotonic() - started, seen.pop("memory"), seen.pop("beats", None)
    return Run(
        case=case,
        preset=session.preset,
        session=session.id,
        round=number,
        purpose=purpose,
        epoch=session.environment.epoch,
        artifact_sha256=subject.deployed.sha256 if isinstance(subject, Job) else "",
        started_at=started_at,
        took_s=took_s,
        memory=MemoryMarks(**memory) if memory else None,
        samples_s=tuple(seen.pop("samples_s")),
        beats=Beats(**beats | {"took_s": tuple(beats["took_s"])}) if beats else None,
        instructions=tuple(seen.pop("instructions", ())),
        windows=tuple(Window(**window) for window in seen.pop("windows", ())),
        **seen,
    )


def _request(subject: Job | Reference, purpose: Purpose, settings: Settings) -> dict[str, Any]:
    shared = {"do": "measure", "purpose": purpose, **asdict(settings)}
    if isinstance(subject, Reference):
        return shared | {"reference": subject.workload, "iterations": REFERENCE_ITERATIONS, "warmup_s": 0.1}
    case = subject.case
    threads = 1 if purpose == Purpose.INSTRUCTIONS else case.threads  # more would spin, and be counted
    opened = subject.deployed.request(case.runtime, threads, case.batch)
    return shared | opened | {"iterations": subject.iterations}
