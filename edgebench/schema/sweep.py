"""Variants x runtimes x targets x threads x batches, as a person asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, TypeVar

from edgebench.schema import STRICT
from edgebench.schema.quantization import ORDINARY
from edgebench.schema.variant import Precision, WeightSource, check_size

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One `[[models]]` block of a sweep: an architecture or a model's file, its widths, and what it overrides."""

    __pydantic_config__: ClassVar = STRICT

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
class Cell:
    """A cell of a sweep before the target's facts are known: no runtime version.

    Attributes:
        quantization: the words of an int8 cell's scheme; empty for others.
        weights: a `WeightSource` or the path of a file.
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

    __pydantic_config__: ClassVar = STRICT

    models: tuple[Model, ...]
    name: str = "sweep"
    targets: tuple[str, ...] = ("cpu",)
    runtimes: tuple[str, ...] = ("onnxruntime",)
    precisions: tuple[Precision, ...] = (Precision.FP32, Precision.INT8)
    quantizations: tuple[str, ...] = (ORDINARY,)
    resolutions: tuple[int, ...] = (224,)
    threads: tuple[int, ...] = (1,)
    batches: tuple[int, ...] = (1,)
    weights: str = WeightSource.TRAINED
    dataset: str = "digits"
    preprocessing: str = ""
    classes: int = 0
    input: str = ""
    calibration: str = ""
    preset: str = "standard"
    time_limit: str = ""
    budget: str = ""
    sustained: str = ""

    def cells(self) -> Iterator[Cell]:
        """Yield every cell once, in the order the sweep names them."""
        yield from dict.fromkeys(cell for model in self.models for cell in self._cells(model))

    def _cells(self, model: Model) -> Iterator[Cell]:
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
            yield Cell(
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
