"""The questions: which variants, on which runtimes and targets, measured how.

Frozen values without I/O. The unit is the last word of a field's name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from typing import ClassVar, Literal, TypeVar

from edgebench.foundation.errors import RequestError
from edgebench.quantization import ORDINARY, Quantization

MAX_WIDTH = 4.0  # sixteen times the paper's widest pointwise layers; beyond it is a typing error
MAX_RESOLUTION = 2048
MAX_CLASSES = 100_000

T = TypeVar("T")
_STRICT = {"extra": "forbid", "strict": True}  # how the host decodes TOML and JSON into these (pydantic)


class Precision(StrEnum):
    """The number format that weights and activations are computed in."""

    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


class Weighting(StrEnum):
    """Where a network's weights come from, unless it is a file."""

    TRAINED = "trained"  # on the data set, on first use, cached
    RANDOM = "random"  # seeded; times and sizes are true, an accuracy would be none
    NONE = "none"  # a network without parameters
    OWN = "own"  # inside a model that somebody gave

    __repr__ = str.__repr__  # a variant that was read back has plain strings: both must give the same cache keys


class Purpose(StrEnum):
    """What a process was started for: allocator settings of memory runs slow others, so they never mix.

    Instructions are counted where the processor is emulated, in place of both. A sustained run, of minutes without a
    pause, heats a board: it comes after all else.
    """

    LATENCY = "latency"
    MEMORY = "memory"
    INSTRUCTIONS = "instructions"
    SUSTAINED = "sustained"


class Workload(StrEnum):
    """The reference workloads of `agent/reference.py`, which use no runtime under test."""

    COMPUTE = "compute"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a picture becomes what a network takes: part of a variant's identity.

    Attributes:
        first: `resize` the shorter side and then cut RxR out of the centre, or `crop` the central share of each side
            and then resize that to RxR.
        crop: that share; where the resizing comes first, R over the shorter side.
        shorter_side: pixels to resize the shorter side to, at least R; 0 where `crop` says it.
        interpolation: `bilinear` over all the pixels that become one (Pillow's, with antialiasing), or `plain bilinear`
            between four neighbours (TensorFlow 1's).
        white: what a white pixel is before `mean` is subtracted and `std` divided by: 1 or 255.
        channels: `RGB` or `BGR`; `mean` and `std` are in that order.
        label_offset: added to every label: 1 where a network's first output is the background.
    """

    __pydantic_config__: ClassVar = _STRICT

    name: str
    first: Literal["resize", "crop"]
    crop: float = 1.0
    shorter_side: int = 0
    interpolation: Literal["bilinear", "plain bilinear"] = "bilinear"
    white: float = 1.0
    channels: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float]
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    label_offset: int = 0

    def __str__(self) -> str:
        return self.name


def check_size(architecture: str, width: float, resolution: int, classes: int) -> None:
    """Refuse sizes that no network can have.

    Raises:
        RequestError: width, resolution or number of classes is zero, negative or absurd.
    """
    if not 0 < width <= MAX_WIDTH:
        raise RequestError(f"width {width:g} of {architecture}: wanted more than 0, at most {MAX_WIDTH:g}")
    if not 0 < resolution <= MAX_RESOLUTION:
        raise RequestError(f"resolution {resolution} of {architecture}: wanted 1 to {MAX_RESOLUTION} pixels")
    if not 0 < classes <= MAX_CLASSES:
        raise RequestError(f"{classes} classes of {architecture}: wanted 1 to {MAX_CLASSES}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A network to deploy: `mobilenet_v2-0.5@160/int8`, or `.../int8-per_tensor` for another scheme.

    Attributes:
        width: the multiplier alpha on every layer's channels.
        resolution: the side rho of the square input, pixels.
        classes: outputs of the network.
        architecture: a network of the shelf, or the name of a model that somebody gave, `net.onnx`; then `weights` are
            its `own`, `weights_sha256` is its content's and the width 1.
        weights: a `Weighting`, or the name of the file that they came from; then `weights_sha256` is that file's.
        dataset: its name, `image_folder:val` for one that somebody gave; then `dataset_sha256` is its content's and
            `dataset_classes` how many classes it has.
        preprocessing: None for the data set's own.
    """

    __pydantic_config__: ClassVar = _STRICT

    architecture: str
    width: float
    resolution: int
    precision: Precision
    classes: int
    weights: str
    dataset: str
    weights_sha256: str = ""
    quantization: Quantization | None = None
    dataset_sha256: str = ""
    dataset_classes: int = 0
    preprocessing: Preprocessing | None = None

    def __post_init__(self) -> None:
        check_size(self.architecture, self.width, self.resolution, self.classes)

    def __str__(self) -> str:
        scheme = f"-{self.quantization}" if self.quantization and str(self.quantization) != ORDINARY else ""
        return f"{self.architecture}-{self.width:g}@{self.resolution}/{self.precision}{scheme}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """An inference engine as it is on a target: `onnxruntime 1.31.1`.

    Attributes:
        packages: `name==version` of everything it runs with, where it was brought there for this sweep at the version
            asked for; empty where it is the target's own.
    """

    __pydantic_config__: ClassVar = _STRICT

    name: str
    version: str
    options: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.name, self.version, *self.options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The most that a machine's processor could do, as facts with their source.

    Attributes:
        gflops: 10^9 fp32 operations a second of one core; a multiply-add is two.
        gops_int8: 10^9 8-bit operations a second of one core; None where nobody says.
        gbytes: 10^9 bytes a second between memory and all cores together.
    """

    __pydantic_config__: ClassVar = _STRICT

    gflops: float
    gbytes: float
    source: str
    gops_int8: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A machine, as facts only: one TOML under `targets/`, its stem is the name.

    Attributes:
        runtimes: names of those that may be used there.
        device: what they compute on, where they have a choice.
        peak: what its processor could do at most, if anybody says.
    """

    __pydantic_config__: ClassVar = _STRICT

    name: str
    board: str
    connection: str
    runtimes: tuple[str, ...]
    device: Literal["cpu", "cuda"] = "cpu"
    address: str = ""
    python: str = ""
    peak: Peak | None = None

    @property
    def machine(self) -> str:
        """What two targets share that must not be measured at once: the address, or this machine."""
        return self.address or "this machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one row of a table is about: the key everything is joined on."""

    __pydantic_config__: ClassVar = _STRICT

    variant: Variant
    runtime: Runtime
    target: str
    threads: int
    batch: int

    def __str__(self) -> str:
        return f"{self.variant} {self.runtime} {self.target} threads={self.threads} batch={self.batch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long and how precisely to measure; a preset's name stands for one of these."""

    __pydantic_config__: ClassVar = _STRICT

    looks: tuple[int, ...]
    half_width: float
    half_width_noisy: float
    warmup_s: float
    warmup_iterations: int
    least_iterations: int
    most_iterations: int
    memory_runs: int
    instruction_runs: int


_STANDARD = Settings(
    looks=(6, 9, 12, 16, 20, 30),
    half_width=0.01,
    half_width_noisy=0.02,
    warmup_s=0.5,
    warmup_iterations=10,
    least_iterations=5,
    most_iterations=200,
    memory_runs=2,
    instruction_runs=2,
)
PRESETS = {
    "standard": _STANDARD,
    # As many processes as an interval needs: the nights say how much they vary, and a suspect gets pairs.
    "nightly": replace(_STANDARD, looks=(6,), memory_runs=1, instruction_runs=1),
    # A look, not a measurement: three processes give a range and no interval.
    "quick": replace(_STANDARD, looks=(3,), memory_runs=1, instruction_runs=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One `[[models]]` block of a sweep: an architecture or a model's file, its widths, and what it overrides."""

    __pydantic_config__: ClassVar = _STRICT

    name: str
    widths: tuple[float, ...] = (1.0,)
    resolutions: tuple[int, ...] | None = None
    precisions: tuple[Precision, ...] | None = None
    quantizations: tuple[str, ...] | None = None
    runtimes: tuple[str, ...] | None = None
    threads: tuple[int, ...] | None = None
    batches: tuple[int, ...] | None = None
    weights: str | None = None
    dataset: str | None = None
    preprocessing: str | None = None
    classes: int | None = None
    input: str | None = None
    calibration: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A cell of a sweep before the target's facts are known: no runtime version.

    Attributes:
        quantization: the words of an int8 cell's scheme; empty for others.
        weights: a `Weighting` or the path of a file.
        dataset: a data set's name, with its path where it needs one: `image_folder:photos/val`.
        preprocessing: a preset's name; empty for the data set's own.
        classes: 0 for those of the data set, or of the file.
        runtime: its name, and the options it is told: `torch+compile`.
        input: the shape of a given model's input, `1x3x224x224` or `name:1x3x224x224`; empty where its file says it.
        calibration: what the images that int8 is made on are of: a folder's path or a data set's name, with its path
            where it needs one; empty for the data set. A scheme's own word comes first.
    """

    model: str
    width: float
    resolution: int
    precision: Precision
    quantization: str
    runtime: str
    weights: str
    dataset: str
    classes: int
    target: str
    threads: int
    batch: int
    preprocessing: str = ""
    input: str = ""
    calibration: str = ""

    def __post_init__(self) -> None:
        check_size(self.model, self.width, self.resolution, self.classes or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Variants x runtimes x targets x threads x batches, and how to measure them.

    Attributes:
        time_limit: of the measuring of every cell; `budget` of everything, which predicts what it has no time for.
    """

    __pydantic_config__: ClassVar = _STRICT

    models: tuple[Model, ...]
    name: str = "sweep"
    targets: tuple[str, ...] = ("cpu",)
    runtimes: tuple[str, ...] = ("onnxruntime",)
    precisions: tuple[Precision, ...] = (Precision.FP32, Precision.INT8)
    quantizations: tuple[str, ...] = (ORDINARY,)
    resolutions: tuple[int, ...] = (224,)
    threads: tuple[int, ...] = (1,)
    batches: tuple[int, ...] = (1,)
    weights: str = Weighting.TRAINED
    dataset: str = "digits"
    preprocessing: str = ""
    classes: int = 0
    input: str = ""
    calibration: str = ""
    preset: str = "standard"
    time_limit: str = ""
    budget: str = ""
    sustained: str = ""

    def wanted(self) -> Iterator[Wanted]:
        """Yield every cell once, in the order the sweep names them."""
        yield from dict.fromkeys(cell for model in self.models for cell in self._cells(model))

    def _cells(self, model: Model) -> Iterator[Wanted]:
        axes = product(
            self.targets,
            _first(model.runtimes, self.runtimes),
            _first(model.threads, self.threads),
            _first(model.batches, self.batches),
            model.widths,
            _first(model.resolutions, self.resolutions),
            _schemes(_first(model.precisions, self.precisions), _first(model.quantizations, self.quantizations)),
        )
        for target, runtime, threads, batch, width, resolution, (precision, quantization) in axes:
            yield Wanted(
                model=model.name,
                width=width,
                resolution=resolution,
                precision=precision,
                quantization=quantization,
                runtime=runtime,
                weights=model.weights or self.weights,
                dataset=model.dataset or self.dataset,
                preprocessing=model.preprocessing or self.preprocessing,
                classes=model.classes or self.classes,
                input=model.input or self.input,
                calibration=model.calibration or self.calibration,
                target=target,
                threads=threads,
                batch=batch,
            )


def _first(own: tuple[T, ...] | None, common: tuple[T, ...]) -> tuple[T, ...]:
    """Return a block's own list where it has one, be it empty."""
    return common if own is None else own


def _schemes(precisions: tuple[Precision, ...], quantizations: tuple[str, ...]) -> tuple[tuple[Precision, str], ...]:
    """Pair each precision with the ways to make it: int8 has as many as there are quantizations, others one."""
    return tuple(
        (precision, words)
        for precision in precisions
        for words in (quantizations if precision == Precision.INT8 else ("",))
    )
