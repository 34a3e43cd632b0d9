"""A journal's records -> what is known about each case: its runs, artifact, accuracy, failures."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from edgebench.foundation import stats
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import PRESETS, Case, Purpose
from edgebench.schema.record import (
    Accuracy,
    Beats,
    Deployment,
    Failure,
    MemoryMarks,
    Record,
    Reference,
    Run,
    Session,
    Stop,
)

INSPECTED_ON = "x86_64"  # hosts are
Asked = tuple[Case, str]  # a case and the preset it is measured with


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything known about one case under one preset.

    Attributes:
        session: the last one that set out to answer it.
        runs: of that session's epoch and of the artifact deployed last; `set_aside` counts the others.
        sustained: runs without a pause, of the same.
        failures: of that session; `has_stopped` tells whether it came to its own end.
        halved: the latency runs of the same case at half the batch, in the same environment.
    """

    case: Case
    session: Session
    runs: tuple[Run, ...] = ()
    sustained: tuple[Run, ...] = ()
    artifact: Artifact | None = None
    accuracy: Accuracy | None = None
    failures: tuple[Failure, ...] = ()
    set_aside: int = 0
    has_stopped: bool = True
    halved: tuple[Run, ...] = ()

    @property
    def timed(self) -> tuple[Run, ...]:
        """The latency runs, in order; none of an emulator's, for its times are not the board's."""
        return () if self.emulator else tuple(run for run in self.runs if run.purpose == Purpose.LATENCY)

    @property
    def weighed(self) -> tuple[Run, ...]:
        """The memory runs, in order; none of an emulator's."""
        return () if self.emulator else tuple(run for run in self.runs if run.memory)

    @property
    def marks(self) -> tuple[MemoryMarks, ...]:
        """The memory runs' marks, in order."""
        return tuple(run.memory for run in self.weighed if run.memory)

    @property
    def counts(self) -> tuple[int, ...]:
        """The least instructions of an inference in each process that counted them, in order."""
        return tuple(min(run.instructions) for run in self.runs if run.instructions)

    @property
    def emulator(self) -> str:
        """What ran it in place of a processor; empty for a real one."""
        return self.session.environment.emulator

    @property
    def is_on_gpu(self) -> bool:
        """Whether the target computes on a GPU."""
        return self.session.environment.facts.get("device") == "cuda"

    @property
    def was_inspected(self) -> bool:
        """Whether what its int8 graph became was looked at on a processor such as the target's: kernels differ."""
        return self.session.environment.facts.get("machine", INSPECTED_ON) == INSPECTED_ON

    @property
    def allowed_half_width(self) -> float:
        """What counts as precise on this machine: wider on a virtual one, which is known to be noisy."""
        return allowed_half_width(self.session)


def allowed_half_width(session: Session) -> float:
    """Return what counts as precise in a session: wider on a virtual machine, which is known to be noisy."""
    settings = PRESETS[session.preset]
    return settings.half_width_noisy if session.environment.facts.get("hypervisor") else settings.half_width


def process_medians(runs: Sequence[Run]) -> list[float]:
    """Return each latency process's median sample, in order, seconds."""
    return [median(run.samples_s) for run in runs if run.purpose == Purpose.LATENCY]


def reference_medians(records: Iterable[Record]) -> dict[str, list[float]]:
    """Return what processes took for reference workloads, and for the beats between their samples, by name, seconds."""
    found = defaultdict[str, list[float]](list)
    for record in records:
        match record:
            case Run(case=Reference(workload=workload), samples_s=samples_s) if samples_s:
                found[workload].append(median(samples_s))
            case Run(beats=Beats() as beats):
                found[f"beat {beats.workload}"].append(median(beats.took_s))
    return found


def median_condition(runs: Sequence[Run], name: str) -> float | None:
    """Return the median of a condition that is a number; None where no process has it."""
    values = [float(run.conditions[name]) for run in runs if name in run.conditions]
    return median(values) if values else None


def half_width(medians: Sequence[float]) -> float | None:
    """Return half the 95 % interval's width as a share of the median; None without an interval."""
    interval = stats.median_interval(medians)
    return None if interval is None else stats.relative_half_width(interval[0], median(medians), interval[1])


def gather(records: Iterable[Record]) -> tuple[Evidence, ...]:
    """Sort a journal's records into what is known about each case and preset, in the order they were first asked."""
    asked, by_case, stopped = dict[Asked, Session](), defaultdict[Case, list[Record]](list), set[str]()
    for record in records:
        match record:
            case Session():
                asked |= {(case, record.preset): record for case in record.cases}
            case Stop():
                stopped.add(record.session)
            case Run(case=Case() as case) | Failure(case=Case() as case) | Deployment(case=case) | Accuracy(case=case):
                by_case[case].append(record)
    found = {
        key: _evidence(key[0], session, by_case[key[0]], has_stopped=session.id in stopped)
        for key, session in asked.items()
    }
    return tuple(replace(one, halved=_halved(one, found)) for one in found.values())


def _halved(whole: Evidence, found: Mapping[Asked, Evidence]) -> tuple[Run, ...]:
    """Find the runs at half of a case's batch: of a large network they took about half the time."""
    batch, odd = divmod(whole.case.batch, 2)
    half = None if odd else found.get((replace(whole.case, batch=batch), whole.session.preset))
    if half is None or half.session.environment.epoch != whole.session.environment.epoch:
        return ()
    return half.timed


def _evidence(case: Case, session: Session, mine: Sequence[Record], *, has_stopped: bool) -> Evidence:
    """Keep what was seen in the session's environment of the artifact deployed last there."""
    epoch = session.environment.epoch
    deployed = [one.artifact for one in mine if isinstance(one, Deployment) and one.epoch == epoch]
    artifact = deployed[-1] if deployed else None
    runs = [one for one in mine if isinstance(one, Run) and one.preset == session.preset]
    pooled = tuple(one for one in runs if artifact and (one.epoch, one.artifact_sha256) == (epoch, artifact.sha256))
    accuracies = [
        one
        for one in mine
        if isinstance(one, Accuracy) and artifact and (one.epoch, one.artifact_sha256) == (epoch, artifact.sha256)
    ]
    return Evidence(
        case=case,
        session=session,
        runs=tuple(run for run in pooled if not run.windows),
        sustained=tuple(run for run in pooled if run.windows),
        artifact=artifact,
        accuracy=accuracies[-1] if accuracies else None,
        failures=tuple(one for one in mine if isinstance(one, Failure) and one.session == session.id),
        set_aside=len(runs) - len(pooled),
        has_stopped=has_stopped,
    )
