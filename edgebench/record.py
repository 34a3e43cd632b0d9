"""The answers: what each process, evaluation and export saw, as appended to a journal.

A journal holds what was seen; what it means (medians, intervals, verdicts) is computed on reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from edgebench.quantization import Quantization
from edgebench.spec import Case, Precision, Purpose, Runtime, Variant, Workload

VERSION: Literal[2] = 2  # of the journal's lines; a reader upgrades older ones and refuses newer ones

STEPS = BUILD, EXPORT, QUANTIZE = ("build", "export", "quantize")  # of making an artifact

_STRICT = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights in the cache: trained ones with how good they were where they were made, or a given file's.

    Attributes:
        images: that `top1`, a share, was counted on; 0 for a given file.
        network: `mobilenet_v1-0.25@96`.
    """

    __pydantic_config__: ClassVar = _STRICT
    FOLDER: ClassVar = "weights"  # of the cache

    file: str
    sha256: str
    dataset: str
    recipe: str
    classes: int
    top1: float
    images: int
    network: str = ""
    preprocessing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A data set where somebody last named it; kept in the cache, for no result may hold a machine's path.

    Attributes:
        name: `image_folder:val`; a bundled one, `digits`, has no path and no hash.
        sha256: of what is in it: names, contents and labels of files, or an archive.
        damaged: names of files that cannot be decoded; None until they were looked at.
    """

    __pydantic_config__: ClassVar = _STRICT
    FOLDER: ClassVar = "datasets"  # of the cache

    name: str
    sha256: str
    classes: int
    path: str
    damaged: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnModel:
    """A model that somebody gave, as its file describes itself; kept in the cache with a copy of it.

    Attributes:
        file, sha256: of the copy, in which every axis but the batch has its size, and which holds all of its weights.
        name: `net.onnx`, or `nets.py:build` for what a function returned.
        format: what its copy is: `onnx` or `tflite`.
        content_sha256: of what was given, files of external data included: the model's identity.
        source: path of the Python file that its function is in; empty for other models.
        layout: order of the input's axes, `NCHW` or `NHWC`; `resolution` is the side of its square.
        dtype: of the input: `float32`, `uint8` or `int8`.
        batch: 1 where the file takes one image at a time, 0 where it takes any number.
        precision: what the file computes in as it is: `fp32` or `int8`.
        macs: multiply-adds of convolutions and matrix products, for one image.
    """

    __pydantic_config__: ClassVar = _STRICT
    FOLDER: ClassVar = "models"  # of the cache

    file: str
    sha256: str
    name: str
    format: str
    content_sha256: str
    source: str
    layout: str
    channels: int
    resolution: int
    dtype: str
    batch: int
    classes: int
    precision: Precision
    params: int
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNoise:
    """What one operator of an int8 graph does to the signal, against the float graph on a few calibration images.

    Attributes:
        name: of the network's layer, as `edgebench describe` has it.
        sqnr_db: signal to quantization noise at its output, dB; None where nothing differs.
        lost_db: how much less that is than at its inputs; negative where noise averages out.
    """

    __pydantic_config__: ClassVar = _STRICT

    name: str
    operator: str
    sqnr_db: float | None
    lost_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """A zip of the packages that a runtime needs on a target, each as `name==version`."""

    __pydantic_config__: ClassVar = _STRICT
    FOLDER: ClassVar = "packages"  # of the cache

    file: str
    sha256: str
    size_bytes: int
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A deployable file and the facts that were true when it was made.

    Attributes:
        file: its name in the cache.
        float_nodes: operators with weights that an int8 graph still computes in float, by name.
        made_by: everything that shaped the file: source hashes, weights, tool versions.
        of: the variant itself; None on cards made before it was kept.
        integer_share: of an int8 file's multiply-adds, those that its runtime computes in integers.
        layers: of an int8 file, what each does to the signal, in the graph's order.
        parent: file of the float artifact that an int8 one was quantized from; empty where it has weights of its own.
        took_s: seconds by which of `STEPS`, the parent's among them, when and where each was made; none on cards made
            before they were kept. What it took makes no artifact another one.
    """

    __pydantic_config__: ClassVar = _STRICT
    FOLDER: ClassVar = "artifacts"  # of the cache

    variant: str
    format: str
    file: str
    sha256: str
    size_bytes: int
    params: int
    macs: int
    weights: str
    weights_sha256: str
    quantization: Quantization | None
    float_nodes: tuple[str, ...]
    made_by: dict[str, str]
    of: Variant | None = None
    integer_share: float | None = None
    layers: tuple[LayerNoise, ...] = ()
    parent: str = ""
    took_s: dict[str, float] = field(default_factory=dict, compare=False)

    @property
    def noisiest(self) -> LayerNoise | None:
        """The layer in which most of the signal drowns."""
        return max(self.layers, key=lambda layer: layer.lost_db, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The artifact that a session answers a case with, from here on."""

    __pydantic_config__: ClassVar = _STRICT

    kind: Literal["deployment"] = "deployment"
    case: Case
    session: str
    epoch: str
    artifact: Artifact


_NOT_LASTING = ("memory_bytes",)  # it varies by some pages from boot to boot and changes no number


def lasting(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the facts of a machine that make an epoch."""
    return {name: fact for name, fact in facts.items() if name not in _NOT_LASTING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A target as its own agent found it.

    Attributes:
        epoch: a hash of what may change a number: CPU, kernel, governor, Python, the agent; runs of different epochs
            are never pooled. A runtime's version is part of the case instead.
        agent_sha256: of the bundle that measured.
        runtimes: version of every runtime, empty where it is not installed; and the options it has there by itself.
    """

    __pydantic_config__: ClassVar = _STRICT

    target: str
    epoch: str
    agent_sha256: str
    facts: dict[str, str]
    packages: dict[str, str]
    runtimes: dict[str, Runtime]

    @property
    def emulator(self) -> str:
        """What runs there in place of a processor, `qemu-aarch64`; empty on a real one."""
        return self.facts.get("emulator", "")

    @property
    def counts_instructions(self) -> bool:
        """Whether the emulator counts the instructions of a process."""
        return bool(self.emulator and self.facts.get("counter"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One command on one target: what it was asked, where, and the cases it set out to answer.

    Attributes:
        time_limit_s: what bounds its measuring; 0 for nothing.
        sustained_s: how long each case runs without a pause at the end; 0 for not at all.
    """

    __pydantic_config__: ClassVar = _STRICT

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

    __pydantic_config__: ClassVar = _STRICT

    kind: Literal["stop"] = "stop"
    session: str
    spent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryMarks:
    """Resident memory of one process, bytes; each peak is reset before the stage it belongs to."""

    __pydantic_config__: ClassVar = _STRICT

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

    __pydantic_config__: ClassVar = _STRICT

    at_s: float
    iterations: int
    median_s: float
    conditions: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference workload on a target: a case of its own in every round."""

    __pydantic_config__: ClassVar = _STRICT

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

    __pydantic_config__: ClassVar = _STRICT

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

    __pydantic_config__: ClassVar = _STRICT

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

    __pydantic_config__: ClassVar = _STRICT

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
        spot: where the host answered in a board's place, what the board said to some of the images.
    """

    __pydantic_config__: ClassVar = _STRICT

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A case that could not be answered, at which stage, and why, in one line."""

    __pydantic_config__: ClassVar = _STRICT

    kind: Literal["failure"] = "failure"
    case: Case | Reference
    session: str
    epoch: str
    stage: str
    reason: str


Record = Session | Deployment | Run | Accuracy | Failure | Stop
