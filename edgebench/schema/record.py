"""The answers: what each process, evaluation and export saw, as appended to a journal.

A journal holds what was seen; what it means (medians, intervals, verdicts) is computed on reading.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgebench.schema import STRICT
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import Case, Purpose, Workload
from edgebench.schema.environment import Environment

VERSION: Literal[2] = 2  # of the journal's lines; a reader upgrades older ones and refuses newer ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The artifact that a session answers a case with, from here on."""

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["deployment"] = "deployment"
    case: Case
    session: str
    epoch: str
    artifact: Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command on one target: what it was asked, where, and the cases it set out to answer.

    Attributes:
        time_limit_s: what bounds its measuring; 0 for nothing.
        sustained_s: how long each case runs without a pause at the end; 0 for not at all.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A session came to its own end; one without it was interrupted."""

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["stop"] = "stop"
    session: str
    spent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryMarks:
    """Resident memory of one process, bytes; each peak is reset before the stage it belongs to."""

    __pydantic_config__: ClassVar = STRICT

    baseline_bytes: int
    load_peak_bytes: int
    loaded_bytes: int
    run_peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Some seconds of a run without a pause.

    Attributes:
        at_s: since the first call, at its end.
        conditions: clocks, temperature and what lowers the clock, as read at its end.
    """

    __pydantic_config__: ClassVar = STRICT

    at_s: float
    iterations: int
    median_s: float
    conditions: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference workload on a target: a case of its own in every round."""

    __pydantic_config__: ClassVar = STRICT

    workload: Workload
    target: str

    def __str__(self) -> str:
        return f"reference {self.workload} {self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """What a small workload took between the samples of a process: what slows the core slows both.

    Attributes:
        workload: its name; times of different ones say nothing of each other.
        every: samples between two beats; one is before the first sample, and one after the last.
    """

    __pydantic_config__: ClassVar = STRICT

    workload: str
    every: int
    took_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one fresh process saw.

    Attributes:
        samples_s: wall time of every timed iteration, in order; empty for a run of another purpose.
        wall_s: wall time of the timed loop without its beats; `cpu_s` the process's CPU time in it.
        others_cpu: CPU time of everybody else during warm-up and loop over their wall time, in cores.
        steal: share of all cores' time that the hypervisor took away in them.
        conditions: clocks, governor, temperature, load, swap before and after, as read; and the facts of its own
            that a runtime's session knows: the `delegate` that took over.
        instructions: that each of a few iterations took on one thread; empty for a run of another purpose.
        windows: of a sustained run, in order; empty for others.
        took_s: what its caller waited for it, all in all; None in journals from before that was kept.
        beats: between the samples; None where none were taken.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCheck:
    """How a board answered some images that the host had answered in its place.

    Attributes:
        host: machine, ISA flags and runtime of the host.
        agreed: images that both give the same class.
        difference: the largest between two outputs, over the largest output of the host.
    """

    __pydantic_config__: ClassVar = STRICT

    host: str
    images: int
    agreed: int
    difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """What one artifact answered on a test split, by its own runtime.

    Attributes:
        parent_sha256: the float artifact that `agreement` (share of equal top-1 answers) and `sqnr_db` (signal to
            quantization noise of the outputs, dB) compare with; empty for a float artifact.
        correct_top5: images whose label is among the five largest outputs; None with five classes or fewer.
        parent_correct: images that the parent gets right; `only_parent` of them this artifact gets wrong, and
            `only_this` are right here and wrong there; None for a float artifact.
        made_by: a hash of what reads, cuts and normalises images here; an answer of other sources is asked for again.
        damaged: images of the split that cannot be read: left out, and no part of `images`.
        not_finite: images with an output that is NaN or infinite: with one there is no accuracy, no agreement, no SQNR.
        spot: where the host answered in a board's place, what the board said to some of the images.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A case that could not be answered, at which stage, and why, in one line."""

    __pydantic_config__: ClassVar = STRICT

    kind: Literal["failure"] = "failure"
    case: Case | Reference
    session: str
    epoch: str
    stage: str
    reason: str


Record = Session | Deployment | Run | Accuracy | Failure | Stop
