"""Runs of one case -> median, interval, percentiles, memory, and a verdict with its reasons.

Pure: nothing is read, measured or printed here.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from statistics import median

from edgebench import stats
from edgebench.record import Accuracy, Artifact, Failure, Record, Run, Session
from edgebench.spec import PRESETS, Case, Purpose, Settings

# This project's own proposals, each a share unless its name says otherwise.
WAITED_SUSPECT, WAITED_INVALID = 0.9, 0.5  # CPU time over wall time and thread
OTHERS_CORES = 0.25  # CPU time that other processes took, in cores
STEAL = 0.05  # of all cores' time
DRIFT = 0.01  # of the median, from the first process to the last
CHANGING_GOVERNORS = ("powersave", "ondemand", "conservative", "schedutil")


Asked = tuple[Case, str]  # a case and the preset it is measured with


class Verdict(IntEnum):
    """What a number is worth; the worst of its reasons decides."""

    VALID = 0
    IMPRECISE = 1
    SUSPECT = 2
    INVALID = 3
    FAILED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a number is worth less than VALID."""

    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What the runs of one case mean.

    Attributes:
        p50_s: the median over processes of each process's median.
        low_s, high_s: its 95 % interval where `has_interval`, else the least and the largest process.
        p90_s: MLPerf's early-stopping estimate over all samples; None below 64 samples.
        model_bytes: resident memory after loading less before; `peak_bytes` the most resident while loading or running.
    """

    processes: int
    samples: int
    has_interval: bool = False
    p50_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None
    p90_s: float | None = None
    load_s: float | None = None
    first_s: float | None = None
    model_bytes: float | None = None
    peak_bytes: float | None = None
    reasons: tuple[Reason, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of the reasons."""
        return max((reason.verdict for reason in self.reasons), default=Verdict.VALID)


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


def process_medians(runs: Sequence[Run]) -> list[float]:
    """Return each latency process's median sample, in order, seconds."""
    return [median(run.samples_s) for run in runs if run.purpose == Purpose.LATENCY]


def half_width(medians: Sequence[float]) -> float | None:
    """Return half the 95 % interval's width as a share of the median; None without an interval."""
    interval = stats.median_interval(medians)
    return None if interval is None else stats.relative_half_width(interval[0], median(medians), interval[1])


def is_settled(medians: Sequence[float], settings: Settings, allowed: float) -> bool:
    """Tell whether to stop: at a look with a narrow enough interval, or at the last look."""
    if len(medians) >= settings.looks[-1]:
        return True
    width = half_width(medians)
    return len(medians) in settings.looks and width is not None and width <= allowed


def measure(evidence: Evidence) -> Measurement:
    """Compute what the evidence means."""
    timed = evidence.timed
    marks = [run.memory for run in evidence.runs if run.memory]
    reasons = tuple(reason for check in CHECKS for reason in check(evidence))
    samples = [sample for run in timed for sample in run.samples_s]
    model_bytes = median(mark.loaded_bytes - mark.baseline_bytes for mark in marks) if marks else None
    peak_bytes = median(max(mark.load_peak_bytes, mark.run_peak_bytes) for mark in marks) if marks else None
    if not timed:
        return Measurement(processes=0, samples=0, model_bytes=model_bytes, peak_bytes=peak_bytes, reasons=reasons)
    medians = process_medians(timed)
    interval = stats.median_interval(medians)
    low_s, high_s = interval or (min(medians), max(medians))
    return Measurement(
        processes=len(timed),
        samples=len(samples),
        has_interval=interval is not None,
        p50_s=median(medians),
        low_s=low_s,
        high_s=high_s,
        p90_s=stats.early_stopping_percentile(samples, 0.9),
        load_s=median(run.load_s for run in timed),
        first_s=median(run.first_s for run in timed),
        model_bytes=model_bytes,
        peak_bytes=peak_bytes,
        reasons=reasons,
    )


def _failed(evidence: Evidence) -> Iterator[Reason]:
    for failure in evidence.failures:
        yield Reason(verdict=Verdict.FAILED, text=f"{failure.stage}: {failure.reason}")


def _few(evidence: Evidence) -> Iterator[Reason]:
    count = len(evidence.timed)
    if not count and not evidence.failures:
        yield Reason(verdict=Verdict.FAILED, text="not measured: no time was left")
    elif count and count < stats.LEAST_FOR_INTERVAL:
        text = f"too few processes: {count}, an interval needs {stats.LEAST_FOR_INTERVAL}; min-max shown"
        yield Reason(verdict=Verdict.IMPRECISE, text=text)


def _wide(evidence: Evidence) -> Iterator[Reason]:
    width, allowed = half_width(process_medians(evidence.timed)), evidence.allowed_half_width
    if width is not None and width > allowed:
        text = f"interval ±{width:.1%} after {len(evidence.timed)} processes, wanted ±{allowed:.0%}"
        yield Reason(verdict=Verdict.IMPRECISE, text=text)


def _waited(evidence: Evidence) -> Iterator[Reason]:
    shares = [run.cpu_s / run.wall_s / _threads(run) for run in evidence.timed if run.wall_s]
    share = median(shares) if shares else 1.0
    if share < WAITED_SUSPECT:
        verdict = Verdict.INVALID if share < WAITED_INVALID else Verdict.SUSPECT
        yield Reason(verdict=verdict, text=f"waited for a core: CPU time is {share:.0%} of wall time a thread")


def _threads(run: Run) -> int:
    return getattr(run.case, "threads", 1)


def _load(evidence: Evidence) -> Iterator[Reason]:
    if evidence.timed and (others := median(run.others_cpu for run in evidence.timed)) > OTHERS_CORES:
        yield Reason(verdict=Verdict.SUSPECT, text=f"other processes took {others:.1f} cores meanwhile")
    if evidence.timed and (steal := median(run.steal for run in evidence.timed)) > STEAL:
        yield Reason(verdict=Verdict.SUSPECT, text=f"the hypervisor took {steal:.0%} of the machine meanwhile")


def _drift(evidence: Evidence) -> Iterator[Reason]:
    medians = process_medians(evidence.timed)
    if stats.trend_is_significant(medians):
        drift = stats.theil_sen(medians) * (len(medians) - 1) / median(medians)
        if abs(drift) > DRIFT:
            yield Reason(verdict=Verdict.SUSPECT, text=f"drifted {drift:+.1%} over {len(medians)} processes")


def _clock(evidence: Evidence) -> Iterator[Reason]:
    governor = evidence.session.environment.facts.get("governor", "")
    if evidence.timed and governor in CHANGING_GOVERNORS:
        yield Reason(verdict=Verdict.SUSPECT, text=f"governor {governor}: the clock may change; set performance")


def _swap(evidence: Evidence) -> Iterator[Reason]:
    used = [
        int(run.conditions.get("swap_used_bytes_after", 0)) - int(run.conditions.get("swap_used_bytes_before", 0))
        for run in evidence.runs
    ]
    if any(growth > 0 for growth in used):
        yield Reason(verdict=Verdict.SUSPECT, text="memory was swapped out meanwhile")


def _float_fallback(evidence: Evidence) -> Iterator[Reason]:
    if evidence.artifact and (nodes := evidence.artifact.float_nodes):
        text = f"{len(nodes)} operators of the int8 graph run in float: {', '.join(nodes[:3])}"
        yield Reason(verdict=Verdict.SUSPECT, text=text)


def _saturation(evidence: Evidence) -> Iterator[Reason]:
    quantization = evidence.artifact.quantization if evidence.artifact else None
    if quantization is None or quantization.reduce_range or quantization.activations != "uint8":
        return
    if saturates(evidence.session.environment.facts):
        text = "U8S8 without reduce_range saturates on an x86 CPU without VNNI: its answers are wrong"
        yield Reason(verdict=Verdict.INVALID, text=text)


def saturates(facts: dict[str, str]) -> bool:
    """Tell whether this CPU's 8-bit products of uint8 and int8 overflow 16 bits: x86 without VNNI."""
    x86 = facts.get("machine") in ("x86_64", "AMD64", "i686")
    return x86 and not {"avx512_vnni", "avx_vnni"} & set(facts.get("isa", "").split())


CHECKS: tuple[Callable[[Evidence], Iterator[Reason]], ...] = (
    _failed,
    _few,
    _wide,
    _waited,
    _load,
    _drift,
    _clock,
    _swap,
    _float_fallback,
    _saturation,
)
