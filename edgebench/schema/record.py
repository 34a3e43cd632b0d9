"""The records of a journal: what each process, evaluation and export observed.

A journal stores observations; medians, intervals and verdicts are computed on reading.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgebench.schema import STRICT
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import Case, Purpose, Workload
from edgebench.schema.environment import Environment
from edgebench.schema.metric import Metric, Reliability
from edgebench.schema.throttle import NOTHING

VERSION: Literal[2] = 2  # of the journal's lines; a reader upgrades older ones and refuses newer ones
_CLOCK_LOWERED = ("_before", "_after", "_since_boot_before", "_since_boot_after")  # endings of a run's conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """From this line of the journal on, the session measures the case with this artifact."""

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["deployment"] = "deployment"
    case: Case
    session: str
    epoch: str
    artifact: Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command on one target: its settings, the target's environment, and the cases to measure.

    Attributes:
        edgebench: this program's version.
        time_limit_s: limit of the time spent measuring; 0 for none.
        sustained_s: length of each case's sustained run; 0 for none.
        stages: whether what an app does around inference is timed, too; the post-processing of detectors always is.
    """

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["session"] = "session"
    id: str
    started_at: str
    edgebench: str
    preset: str
    time_limit_s: float
    environment: Environment
    cases: tuple[Case, ...]
    sustained_s: float = 0.0
    stages: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The regular end of a session; a session without it was interrupted."""

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["stop"] = "stop"
    session: str
    spent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryMarks:
    """Resident memory of one process, bytes; each peak is reset before its own stage."""

    __pydantic_config__: ClassVar = STRICT

    baseline_bytes: int
    load_peak_bytes: int
    loaded_bytes: int
    run_peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Some seconds of a sustained run.

    Attributes:
        at_s: time of the window's end since the run's start.
        conditions: clocks, temperature and reasons for a lowered clock, read at the window's end.
    """

    __pydantic_config__: ClassVar = STRICT

    at_s: float
    iterations: int
    median_s: float
    conditions: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference workload on a target, measured like a case in every round."""

    __pydantic_config__: ClassVar = STRICT

    workload: Workload
    target: str

    def __str__(self) -> str:
        return f"reference {self.workload} {self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """Interleaved reference beats: times of a small fixed workload that runs between a process's samples.

    Whatever slows the core slows both.

    Attributes:
        workload: its name; times of different workloads cannot be compared.
        every: number of samples between two beats; there is a beat before the first sample and after the last.
    """

    __pydantic_config__: ClassVar = STRICT

    workload: str
    every: int
    took_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What an app does around inference, timed in one process for one picture after another.

    Attributes:
        images: number of different pictures.
        took_s: samples by stage, in order: `decode`, `resize`, `normalize`, `postprocess`.
        lacks: why a requested stage could not be timed, by stage.
        settings: of the post-processing: a detector's thresholds of `score` and `iou`.
    """

    __pydantic_config__: ClassVar = STRICT

    images: int
    took_s: dict[str, tuple[float, ...]]
    lacks: dict[str, str]
    settings: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one fresh process observed.

    Attributes:
        samples_s: wall time of each timed iteration, in order; empty unless the purpose is latency.
        wall_s: wall time of the timed loop without beats; `cpu_s` is the process's CPU time in it.
        others_cpu: CPU time of all other processes during warm-up and timed loop, divided by the wall time: cores.
        steal: share of all cores' time that the hypervisor took away during warm-up and timed loop.
        conditions: clocks, governor, temperature, load and swap, before and after; and facts that the runtime's
            session reports, such as the `delegate` that took over operators.
        instructions: count per iteration, for a few iterations on one thread; empty unless that is the purpose.
        windows: of a sustained run, in order; empty for other purposes.
        took_s: total time that the caller waited for the process; None in older journals.
        beats: None if none were taken.
        opened_sha256: hash of the artifact that the process took itself; `artifact_sha256` is the deployed one. Empty
            for reference workloads and in older journals.
        runtime_files: hash of the lists of the runtime's files, which the process computed itself; empty in the same
            cases.
        stages: None unless the purpose is stages.
    """

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["run"] = "run"
    case: Case | Reference
    preset: str
    session: str
    round: int
    purpose: Purpose
    epoch: str
    artifact_sha256: str
    started_at: str
    start_s: float
    load_s: float
    first_s: float
    samples_s: tuple[float, ...]
    wall_s: float
    cpu_s: float
    others_cpu: float
    steal: float
    memory: MemoryMarks | None
    conditions: dict[str, str]
    instructions: tuple[int, ...] = ()
    windows: tuple[Window, ...] = ()
    took_s: float | None = None
    beats: Beats | None = None
    opened_sha256: str = ""
    runtime_files: str = ""
    stages: Stages | None = None

    @property
    def clock_lowered(self) -> tuple[str, ...]:
        """The reasons why the firmware lowered the clock before, during or after the process; empty if it did not."""
        before, after, once_before, once_after = (
            set(self.conditions.get(f"clock_lowered{key}", NOTHING).split(", ")) for key in _CLOCK_LOWERED
        )
        return tuple(sorted((before | after | (once_after - once_before)) - {NOTHING}))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCheck:
    """Comparison of board and host on some images, where the host evaluated accuracy for the board.

    Attributes:
        host: machine, ISA flags and runtime of the host.
        agreed: number of images for which both give the same class.
        difference: largest difference between two outputs, divided by the host's largest output.
    """

    __pydantic_config__: ClassVar = STRICT

    host: str
    images: int
    agreed: int
    difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Accuracy of one artifact on a test split, run by its own runtime.

    Attributes:
        parent_sha256: the float artifact that `agreement` (share of equal top-1 classes) and `sqnr_db` (signal to
            quantization noise ratio of the outputs, dB) compare with; empty for a float artifact.
        correct_top5: images whose label is among the five largest outputs; None for five classes or fewer.
        parent_correct: images that the parent classifies correctly; `only_parent` of these this artifact gets wrong;
            `only_this` are correct here and wrong in the parent; all None for a float artifact.
        made_by: hash of the source code that reads, crops and normalizes images; after a change accuracy is
            evaluated again.
        damaged: images of the split that cannot be read; they are left out and not counted in `images`.
        not_finite: images with an output that is NaN or infinite; if any, there is no accuracy, agreement or SQNR.
        spot: comparison with the board, if the host evaluated for it; else None.
        opened_sha256: hash of the artifact, and `pixels_sha256` of the pixels, that the evaluating processes took
            themselves; of several parts, a hash of their hashes. Empty in older journals.
        metrics: of a task whose images are not just right or wrong, such as detection; then `correct` is 0,
            `agreement` is the share of the float parent's sure boxes that are found again, and `change` is the
            difference of its chief metric from the parent's, paired image by image.
        reliability: of a classifier, how far its confidence is from the share that it has right, and
            `parent_reliability` that of its float parent; None in older journals.
    """

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["accuracy"] = "accuracy"
    case: Case
    session: str
    epoch: str
    artifact_sha256: str
    dataset: str
    images: int
    correct: int
    parent_sha256: str = ""
    agreement: float | None = None
    sqnr_db: float | None = None
    correct_top5: int | None = None
    parent_correct: int | None = None
    only_parent: int | None = None
    only_this: int | None = None
    damaged: int = 0
    made_by: str = ""
    spot: SpotCheck | None = None
    not_finite: int = 0
    opened_sha256: str = ""
    pixels_sha256: str = ""
    metrics: tuple[Metric, ...] = ()
    change: Metric | None = None
    reliability: Reliability | None = None
    parent_reliability: Reliability | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A case that could not be measured: the stage that failed and the reason, one line."""

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["failure"] = "failure"
    case: Case | Reference
    session: str
    epoch: str
    stage: str
    reason: str


Record = Session | Deployment | Run | Accuracy | Failure | Stop
