"""The records of a journal: what each process, evaluation and export observed.

A journal is the file of JSON lines that a measurement appends to. A journal stores only observations; medians,
intervals and verdicts are computed when it is read.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgebench.schema import STRICT
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import Case, Purpose, Workload
from edgebench.schema.environment import Environment
from edgebench.schema.floats import Floats
from edgebench.schema.metric import Metric, Reliability
from edgebench.schema.throttle import NOTHING

VERSION: Literal[2] = 2  # format of the journal's lines; a reader upgrades older lines and refuses newer lines
_CLOCK_LOWERED = ("_before", "_after", "_since_boot_before", "_since_boot_after")  # suffixes of names in `conditions`


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A line of the journal that says with which artifact the session measures a case from then on."""

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
        edgebench: version of this program.
        time_limit_s: limit of the time spent measuring; 0 for no limit.
        sustained_s: duration of each case's sustained run, which lasts minutes; 0 for no such run.
        stages: whether the steps before and after inference, such as decoding a picture, are timed, too. For detectors,
            post-processing is always timed.
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
    """The end of a session that was not interrupted; an interrupted session lacks this record.

    Attributes:
        lost: why the target could no longer be measured, or could not be reached at all; empty for a regular end.
    """

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["stop"] = "stop"
    session: str
    spent_s: float
    lost: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryMarks:
    """Resident memory of one process, in bytes: before loading, while loading, after loading, and while running.

    The kernel's record of peak memory is reset before loading and again before running, so that each of these two
    phases has a peak of its own.
    """

    __pydantic_config__: ClassVar = STRICT

    baseline_bytes: int
    load_peak_bytes: int
    loaded_bytes: int
    run_peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window of a sustained run: a summary of a few seconds of the run.

    Attributes:
        at_s: time from the start of the run to the end of the window.
        conditions: clocks, temperature and reasons for a lowered clock, read at the window's end.
    """

    __pydantic_config__: ClassVar = STRICT

    at_s: float
    iterations: int
    median_s: float
    conditions: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference workload on a target: a fixed computation, measured in every round as if it were a case."""

    __pydantic_config__: ClassVar = STRICT

    workload: Workload
    target: str

    def __str__(self) -> str:
        return f"reference {self.workload} {self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """Reference beats: times of a small fixed workload that runs between the samples of a process.

    Anything that slows the core slows the beats and the samples alike.

    Attributes:
        workload: name of the workload; times of different workloads cannot be compared.
        every: number of samples between two beats; a beat also precedes the first sample and follows the last one.
        took_s: duration of each beat.
    """

    __pydantic_config__: ClassVar = STRICT

    workload: str
    every: int
    took_s: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The steps of an app before and after inference, timed in one process for one picture after another.

    Attributes:
        images: number of different pictures.
        took_s: times of each stage, in order: `decode`, `resize`, `normalize`, `postprocess`.
        lacks: for each requested stage that could not be timed, the reason.
        settings: settings of the post-processing: the thresholds `score` and `iou` of a detector.
    """

    __pydantic_config__: ClassVar = STRICT

    images: int
    took_s: dict[str, Floats]
    lacks: dict[str, str]
    settings: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was observed in one fresh process.

    Attributes:
        samples_s: wall time of each timed iteration, in order; empty unless the purpose is latency.
        wall_s: wall time of the timed loop, from which the time of the reference beats in it is subtracted.
        cpu_s: CPU time of the process in the timed loop.
        others_cpu: mean number of cores that all other processes kept busy during warm-up and timed loop: their CPU
            time divided by the wall time.
        steal: share of all cores' time that the hypervisor took away during warm-up and timed loop.
        conditions: clocks, governor, temperature, load and swap, before and after the timed loop; and facts that the
            runtime reports. An example of such a fact is `delegate`: the library to which the runtime hands operators.
        instructions: number of instructions of each of a few iterations on one thread; empty unless the purpose is to
            count instructions.
        windows: the windows of a sustained run, in order; empty for other purposes.
        took_s: total time for which the caller waited for the process; None in journals of older versions.
        beats: times of the reference beats; None if there were none.
        opened_sha256: hash of the artifact's file, computed by the measured process itself; empty for reference
            workloads and in journals of older versions. In contrast, `artifact_sha256` is the hash of the file that was
            deployed.
        runtime_files: hash of the list of the runtime's files, computed by the measured process itself; empty in the
            same cases as `opened_sha256`.
        stages: times of the steps before and after inference; None unless the purpose is to time them.
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
    samples_s: Floats
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
    """A comparison of the board's outputs with the host's on a few images, if the host evaluates the board's accuracy.

    Attributes:
        host: machine, instruction set extensions and runtime of the host.
        agreed: number of images for which board and host give the same class.
        difference: largest difference between two outputs, divided by the host's largest output.
    """

    __pydantic_config__: ClassVar = STRICT

    host: str
    images: int
    agreed: int
    difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Accuracy of one artifact on a test split; the artifact is run by the runtime under test.

    Attributes:
        parent_sha256: hash of the float parent, the fp32 artifact with which this artifact is compared; empty if this
            artifact is itself fp32.
        agreement: share of images for which this artifact and its float parent give the same top-1 class.
        sqnr_db: signal-to-quantization-noise ratio of the outputs against the float parent's outputs, dB.
        correct_top5: number of images whose label is among the five largest outputs; None for five classes or fewer.
        parent_correct: number of images that the float parent classifies correctly; None for an fp32 artifact.
        only_parent: number of images that only the float parent classifies correctly; None for an fp32 artifact.
        only_this: number of images that only this artifact classifies correctly; None for an fp32 artifact.
        made_by: hash of the source code that reads, crops and normalizes images; if it changes, accuracy is evaluated
            again.
        damaged: number of images of the split that cannot be read; `images` does not count them.
        not_finite: number of images with an output that is NaN or infinite. If there are such images, the artifact has
            no accuracy, agreement or SQNR.
        spot: comparison with the board, if the host evaluated accuracy in place of the board; else None.
        opened_sha256, pixels_sha256: hashes of the artifact and of the images' pixels, computed by the processes that
            evaluate accuracy; both are empty in journals of older versions. If the images are sent in several parts,
            `pixels_sha256` is a hash of the parts' hashes.
        metrics: metrics of a task such as detection, whose predictions can be partly right. If `metrics` is not empty,
            `correct` is 0. For a detector, `agreement` is the share of the float parent's confident boxes that this
            artifact finds, too.
        change: the artifact's main metric minus the float parent's, with an interval that pairs the two artifacts'
            results image by image.
        reliability: how well a classifier's confidence matches the share of its predictions that are right; None in
            journals of older versions.
        parent_reliability: the `reliability` of the float parent.
        reference_images: number of images on which the outputs are compared with the int8 file's own arithmetic, as its
            format specifies it; 0 if they are not compared. `reference_agreement` and `reference_sqnr_db` are like
            `agreement` and `sqnr_db`, with the file's own arithmetic in place of the float parent.
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
    reference_images: int = 0
    reference_agreement: float | None = None
    reference_sqnr_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A case that could not be measured, with the step that failed and the reason in one line."""

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["failure"] = "failure"
    case: Case | Reference
    session: str
    epoch: str
    stage: str
    reason: str


Record = Session | Deployment | Run | Accuracy | Failure | Stop
