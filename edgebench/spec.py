"""The questions: which variants, on which runtimes and targets, measured how.

Frozen values without I/O. The unit is the last word of a field's name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import ClassVar, TypeVar

from edgebench.errors import RequestError

MAX_WIDTH = 4.0  # sixteen times the paper's widest pointwise layers; beyond it is a typing error
MAX_RESOLUTION = 2048
MAX_CLASSES = 100_000

T = TypeVar("T")
_STRICT = {"extra": "forbid", "strict": True}  # how the host decodes TOML and JSON into these (pydantic)


class Precision(StrEnum):
    """The number format that weights and activations are computed in."""

    FP32 = "fp32"
    INT8 = "int8"


class Weighting(StrEnum):
    """Where a network's weights come from, unless it is a file."""

    TRAINED = "trained"  # on the data set, on first use, cached
    RANDOM = "random"  # seeded; times and sizes are true, an accuracy would be none
    NONE = "none"  # a network without parameters

    __repr__ = str.__repr__  # a variant that was read back has plain strings: both must give the same cache keys


class Purpose(StrEnum):
    """What a process was started for: allocator settings of memory runs slow others, so they never mix."""

    LATENCY = "latency"
    MEMORY = "memory"


class Workload(StrEnum):
    """The reference workloads of `agent/reference.py`, which use no runtime under test."""

    COMPUTE = "compute"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """How int8 is made: part of a variant's identity."""

    __pydantic_config__: ClassVar = _STRICT

    scheme: str = "per_channel"
    activations: str = "uint8"
    weights: str = "int8"
    range_method: str = "min-max"
    reduce_range: bool = False
    images: int = 100
    seed: int = 0

    def __str__(self) -> str:
        types = f"{self.activations[0]}8{self.weights[0]}8".upper().replace("I8", "S8")
        return f"{types} {self.scheme} {self.range_method}" + (" reduce_range" if self.reduce_range else "")


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
    """A network to deploy: `mobilenet_v2-0.5@160/int8`.

    Attributes:
        width: the multiplier alpha on every layer's channels.
        resolution: the side rho of the square input, pixels.
        classes: outputs of the network.
        weights: a `Weighting`, or the name of the file that they came from; then `weights_sha256` is that file's.
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

    def __post_init__(self) -> None:
        check_size(self.architecture, self.width, self.resolution, self.classes)

    def __str__(self) -> str:
        return f"{self.architecture}-{self.width:g}@{self.resolution}/{self.precision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """An inference engine as installed on a target: `onnxruntime 1.31.1`."""

    __pydantic_config__: ClassVar = _STRICT

    name: str
    version: str
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.name, self.version, *self.options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A machine, as facts only: one TOML under `targets/`, its stem is the name."""

    __pydantic_config__: ClassVar = _STRICT

    name: str
    board: str
    connection: str
    runtimes: tuple[str, ...]
    address: str = ""
    python: str = ""

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


PRESETS = {
    "standard": Settings(
        looks=(6, 9, 12, 16, 20, 30),
        half_width=0.01,
        half_width_noisy=0.02,
        warmup_s=0.5,
        warmup_iterations=10,
        least_iterations=5,
        most_iterations=200,
        memory_runs=2,
    ),
    # A look, not a measurement: three processes give a range and no interval.
    "quick": Settings(
        looks=(3,),
        half_width=0.01,
        half_width_noisy=0.02,
        warmup_s=0.5,
        warmup_iterations=10,
        least_iterations=5,
        most_iterations=200,
        memory_runs=1,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One `[[models]]` block of a sweep: an architecture, its widths, and what it overrides."""

    __pydantic_config__: ClassVar = _STRICT

    name: str
    widths: tuple[float, ...] = (1.0,)
    resolutions: tuple[int, ...] | None = None
    precisions: tuple[Precision, ...] | None = None
    runtimes: tuple[str, ...] | None = None
    threads: tuple[int, ...] | None = None
    batches: tuple[int, ...] | None = None
    weights: str | None = None
    dataset: str | None = None
    classes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A cell of a sweep before the target's facts are known: no runtime version, no quantization.

    Attributes:
        weights: a `Weighting` or the path of a file.
        classes: 0 for those of the data set, or of the file.
    """

    model: str
    width: float
    resolution: int
    precision: Precision
    runtime: str
    weights: str
    dataset: str
    classes: int
    target: str
    threads: int
    batch: int

    def __post_init__(self) -> None:
        check_size(self.model, self.width, self.resolution, self.classes or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Variants x runtimes x targets x threads x batches, and how to measure them."""

    __pydantic_config__: ClassVar = _STRICT

    models: tuple[Model, ...]
    name: str = "sweep"
    targets: tuple[str, ...] = ("cpu",)
    runtimes: tuple[str, ...] = ("onnxruntime",)
    precisions: tuple[Precision, ...] = (Precision.FP32, Precision.INT8)
    resolutions: tuple[int, ...] = (224,)
    threads: tuple[int, ...] = (1,)
    batches: tuple[int, ...] = (1,)
    weights: str = Weighting.TRAINED
    dataset: str = "digits"
    classes: int = 0
    preset: str = "standard"
    time_limit: str = ""

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
            _first(model.precisions, self.precisions),
        )
        for target, runtime, threads, batch, width, resolution, precision in axes:
            yield Wanted(
                model=model.name,
                width=width,
                resolution=resolution,
                precision=precision,
                runtime=runtime,
                weights=model.weights or self.weights,
                dataset=model.dataset or self.dataset,
                classes=model.classes or self.classes,
                target=target,
                threads=threads,
                batch=batch,
            )


def _first(own: tuple[T, ...] | None, common: tuple[T, ...]) -> tuple[T, ...]:
    """Return a block's own list where it has one, be it empty."""
    return common if own is None else own
