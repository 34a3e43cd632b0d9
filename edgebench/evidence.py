"""A journal's records -> what is known about each case: its runs, artifact, accuracy, failures."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from edgebench import stats
from edgebench.record import Accuracy, Artifact, Failure, Record, Run, Session
from edgebench.spec import PRESETS, Case, Purpose

Asked = tuple[Case, str]  # a case and the preset it is measured with


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything known about one case under one preset.

    Attributes:
        session: the last one that set out to answer it.
        runs: of that session's epoch and of the artifact used last; `set_aside` counts the others.
        failures: of that session.
    """

    case: Case
    session: Session
    runs: tuple[Run, ...] = ()
    artifact: Artifact | None = None
    accuracy: Accuracy | None = None
    failures: tuple[Failure, ...] = ()
    set_aside: int = 0

    @property
    def timed(self) -> tuple[Run, ...]:
        """The latency runs, in order."""
        return tuple(run for run in self.runs if run.purpose == Purpose.LATENCY)

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


def half_width(medians: Sequence[float]) -> float | None:
    """Return half the 95 % interval's width as a share of the median; None without an interval."""
    interval = stats.median_interval(medians)
    return None if interval is None else stats.relative_half_width(interval[0], median(medians), interval[1])


def gather(records: Iterable[Record]) -> tuple[Evidence, ...]:
    """Sort a journal's records into what is known about each case and preset, in the order they were first asked."""
    asked, runs, failures = dict[Asked, Session](), defaultdict[Asked, list[Run]](list), list[Failure]()
    artifacts, accuracies = dict[str, Artifact](), dict[tuple[Case, str], Accuracy]()
    for record in records:
        match record:
            case Session():
                asked |= {(case, record.preset): record for case in record.cases}
            case Run(case=Case() as case):
                runs[case, record.preset].append(record)
            case Failure():
                failures.append(record)
            case Artifact():
                artifacts[record.sha256] = record
            case Accuracy():
                accuracies[record.case, record.epoch] = record
    return tuple(
        _evidence(
            case, session, runs[case, preset], failures, artifacts, accuracies.get((case, session.environment.epoch))
        )
        for (case, preset), session in asked.items()
    )


def _evidence(
    case: Case,
    session: Session,
    runs: list[Run],
    failures: list[Failure],
    artifacts: dict[str, Artifact],
    accuracy: Accuracy | None,
) -> Evidence:
    here = [run for run in runs if run.epoch == session.environment.epoch]
    used = here[-1].artifact_sha256 if here else accuracy.artifact_sha256 if accuracy else ""
    pooled = tuple(run for run in here if run.artifact_sha256 == used)
    return Evidence(
        case=case,
        session=session,
        runs=pooled,
        artifact=artifacts.get(used),
        accuracy=accuracy if accuracy and accuracy.artifact_sha256 == used else None,
        failures=tuple(one for one in failures if one.case == case and one.session == session.id),
        set_aside=len(runs) - len(pooled),
    )
