"""A sweep and its cells, which are the requested combinations of network, runtime, target, threads and batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import ClassVar, TypeVar

from edgebench.schema import STRICT
from edgebench.schema.names import bundled_dataset, is_custom, native_side
from edgebench.schema.quantization import ORDINARY
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision, WeightSource, check_size

T = TypeVar("T")
USUAL_RUNTIMES = ("onnxruntime",)  # the runtimes of a sweep that requests none


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One `[[models]]` block of a sweep: an architecture or a model file, with the fields that differ from the sweep.

    If a field is None, the value of the whole sweep applies.
    """

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
    weights_dir: str | None = None
    dataset: str | None = None
    preprocessing: str | None = None
    classes: int | None = None
    input: str | None = None
    calibration: str | None = None
    input_data: str | None = None
    task: str | None = None
    decode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One combination of a sweep.

    A cell becomes a case as soon as the target has reported which version of the runtime it has.

    Attributes:
        quantization: the quantization scheme as text, if the precision is int8; empty for other precisions.
        weights: a `WeightSource`, the path of a file, or a name in a hub.
        weights_dir: a folder with one file of Keras' weights for each network, used in place of `weights`; empty if
            there is no such folder.
        dataset: a data set's name, with a path if it needs one: `image_folder:photos/val`.
        preprocessing: name of a preset of preprocessing; empty for the data set's own preprocessing.
        classes: number of classes; 0 to use the number of classes of the data set or of the model's file.
        runtime: the runtime as the user requested it, with options: `torch+compile`.
        input: shape of the only input of a user-supplied model, `1x3x224x224`, or shapes of several inputs,
            `ids:1x128,mask:1x128`; empty if the model's file states the shapes.
        input_data: a folder of arrays or of images that is fed to a user-supplied model; empty for random values.
        calibration: where the calibration images for int8 come from: a folder's path, or a data set's name with its
            path if it needs one; empty to use the data set in the field `dataset`. If the quantization scheme has an
            option `calibration=`, the option is used in place of this field.
        task: the task that the user expects of the model, or empty; edgebench refuses a model of another task.
        decode: the decoder of a user-supplied detector, `yolov8` or `yolov8+score=0.001`; empty for other models.
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
    input_data: str = ""
    weights_dir: str = ""
    task: str = ""
    decode: str = ""

    def __post_init__(self) -> None:
        check_size(self.model, self.width, self.resolution, self.classes or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A request to measure all combinations of variants, runtimes, targets, threads and batches, with the settings.

    Attributes:
        dataset: data set of every network that states no other; empty for the bundled one with labels for the task.
        resolutions: sides of the input, pixels; None for each network's native side.
        time_limit: limit of the time spent measuring all cells; empty for no limit.
        budget: limit of the total time; cells that cannot be measured in this time are predicted.
        sustained: duration of each case's sustained run; empty for no such run.
        stages: whether the steps before and after inference, such as decoding a picture, are timed, too.
    """

    __pydantic_config__: ClassVar = STRICT

    models: tuple[Model, ...]
    name: str = "sweep"
    targets: tuple[str, ...] = ("cpu",)
    runtimes: tuple[str, ...] = USUAL_RUNTIMES
    precisions: tuple[Precision, ...] = (Precision.FP32, Precision.INT8)
    quantizations: tuple[str, ...] = (ORDINARY,)
    resolutions: tuple[int, ...] | None = None
    threads: tuple[int, ...] = (1,)
    batches: tuple[int, ...] = (1,)
    weights: str = WeightSource.TRAINED
    dataset: str = ""
    preprocessing: str = ""
    classes: int = 0
    input: str = ""
    calibration: str = ""
    input_data: str = ""
    weights_dir: str = ""
    task: str = ""
    decode: str = ""
    preset: str = "standard"
    time_limit: str = ""
    budget: str = ""
    sustained: str = ""
    stages: bool = False

    def cells(self) -> Iterator[Cell]:
        """Yield every cell (combination to measure) in the sweep's order, without repetitions."""
        yield from dict.fromkeys(cell for model in self.models for cell in self._cells(model))

    def runtimes_on(self, target: str) -> tuple[RuntimeRequest, ...]:
        """Return the runtimes requested on a target, without options and without repetitions."""
        requests = (RuntimeRequest.parse(cell.runtime) for cell in self.cells() if cell.target == target)
        return tuple(dict.fromkeys(replace(request, options=()) for request in requests))

    def _cells(self, model: Model) -> Iterator[Cell]:
        axes = product(
            self.targets,
            _first(model.runtimes, self.runtimes),
            _first(model.threads, self.threads),
            _first(model.batches, self.batches),
            model.widths,
            self._resolutions(model),
            _schemes(_first(model.precisions, self.precisions), _first(model.quantizations, self.quantizations)),
        )
        dataset = model.dataset or self.dataset or bundled_dataset(model.name)
        decode = (model.decode or self.decode) if is_custom(model.name) else ""
        for target, runtime, threads, batch, width, resolution, (precision, quantization) in axes:
            yield Cell(
                model=model.name,
                width=width,
                resolution=resolution,
                precision=precision,
                quantization=quantization,
                runtime=runtime,
                weights=model.weights or self.weights,
                weights_dir=("" if model.weights else model.weights_dir or self.weights_dir),
                dataset=dataset,
                preprocessing=model.preprocessing or self.preprocessing,
                classes=model.classes or self.classes,
                input=model.input or self.input,
                calibration=model.calibration or self.calibration,
                input_data=model.input_data or self.input_data,
                task=model.task or self.task,
                decode=decode,
                target=target,
                threads=threads,
                batch=batch,
            )

    def _resolutions(self, model: Model) -> tuple[int, ...]:
        stated = self.resolutions if model.resolutions is None else model.resolutions
        return (native_side(model.name),) if stated is None else stated


def _first(override: tuple[T, ...] | None, common: tuple[T, ...]) -> tuple[T, ...]:
    """Return the value of a `[[models]]` block; if this is None, return the value of the sweep."""
    return common if override is None else override


def _schemes(precisions: tuple[Precision, ...], quantizations: tuple[str, ...]) -> tuple[tuple[Precision, str], ...]:
    """Return pairs of precision and scheme: int8 with every scheme, and every other precision with an empty scheme."""
    return tuple(
        (precision, quantization)
        for precision in precisions
        for quantization in (quantizations if precision == Precision.INT8 else ("",))
    )
