"""The cells of a sweep with user-supplied models -> the same cells, completed with facts about each model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.export import custom
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load, names
from edgebench.images.catalogue import calibrating, family
from edgebench.schema.cards import CustomModel
from edgebench.schema.quantization import parse
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision, WeightSource

if TYPE_CHECKING:
    from edgebench.schema.sweep import Cell, Sweep

NO_DATA_SET = "null"
REBUILT = ("null", "torch")  # formats without a graph: the target rebuilds the network from this package
RAW = "raw"  # the preprocessing of a network that takes 8-bit pixels

Models = Mapping[tuple[str, str], CustomModel]  # by the model and the input that a cell names


def check(sweep: Sweep) -> None:
    """Refuse widths and resolutions for a user-supplied model.

    Raises:
        RequestError: with the first block that has them.
    """
    for block in sweep.models:
        if custom.is_custom(block.name) and (block.widths != (1.0,) or block.resolutions is not None):
            raise RequestError(f"{block.name} has its own width and resolution; leave them out")


def adopt(cells: Iterable[Cell]) -> Models:
    """Copy every user-supplied model of the cells to the cache; return their cards.

    Raises:
        RequestError: a model cannot be measured, or two different models have the same name.
    """
    keys = dict.fromkeys((cell.model, cell.input) for cell in cells if custom.is_custom(cell.model))
    models = {(name, shape): custom.adopt(name, shape) for name, shape in keys}
    contents = dict[str, str]()
    for model in models.values():
        if contents.setdefault(model.name, model.content_sha256) != model.content_sha256:
            raise RequestError(f"wanted models of different names, found two called {model.name}; rename one")
    return models


def card(cell: Cell, models: Models) -> CustomModel | None:
    """Return the card of a cell's user-supplied model; None for a network of this package."""
    return models.get((cell.model, cell.input))


def completed(cells: Iterable[Cell], models: Models) -> Iterator[Cell]:
    """Complete each cell with its model's sizes; leave out cells that the model does not support.

    Raises:
        RequestError: a model supports none of its cells, or there are no images to calibrate int8.
    """
    left_out, supported = dict[str, str](), set[str]()
    for cell in cells:
        model = card(cell, models)
        if model and (why := _why_not(cell, model)):
            left_out.setdefault(cell.model, why)
            continue
        supported.add(cell.model)
        yield _completed(cell, model) if model else cell
    for name, why in left_out.items():
        if name not in supported:
            raise RequestError(why)


def _why_not(cell: Cell, model: CustomModel) -> str:
    """Return why a model does not support a cell; empty if it does."""
    format = load("runtimes", RuntimeRequest.parse(cell.runtime).name).FORMAT
    if not _can_be(model, format):
        function = f"built by its own function, found {cell.runtime}, which builds only edgebench's own networks"
        file = f"for runtimes that open {model.format}, found {cell.runtime}, which opens {format}"
        return f"{model.name} is {function if model.source else file}; use --runtime {_runtimes(model)}"
    if model.batch and cell.batch > model.batch:
        return f"{model.name} takes one image at a time, found --batch {cell.batch}; export it with an open batch axis"
    if cell.precision == model.precision:
        return ""
    if model.format != custom.onnx.FORMAT or model.precision != Precision.FP32 or cell.precision != Precision.INT8:
        return f"{model.name} is {model.precision} as supplied, found --precision {cell.precision}"
    if model.dtype != "float32":
        return f"{model.name} takes {model.dtype} images and is not quantized here; use --precision fp32"
    return ""


def _can_be(model: CustomModel, format: str) -> bool:
    """Return whether a model is a file of this format or can be exported to it."""
    return format not in REBUILT if model.source else format == model.format


def _runtimes(model: CustomModel) -> str:
    return " or ".join(name for name in names("runtimes") if _can_be(model, load("runtimes", name).FORMAT))


def _completed(cell: Cell, model: CustomModel) -> Cell:
    if cell.precision != model.precision:
        _require_quantizable(cell, model)
    return replace(
        cell,
        width=1.0,
        resolution=model.resolution,
        classes=model.classes,
        weights=WeightSource.CUSTOM,
        dataset=_dataset(cell),
        preprocessing=_preprocessing(cell, model),
        quantization=cell.quantization if cell.precision != model.precision else "",
    )


def _dataset(cell: Cell) -> str:
    """Return the data set for a model: the user-supplied one, else the calibration images.

    A bundled data set is not used: its classes are not the model's.
    """
    if family(cell.dataset).PLACE:
        return cell.dataset
    return calibrating(cell.calibration) if cell.calibration else NO_DATA_SET


def _preprocessing(cell: Cell, model: CustomModel) -> str:
    """Return the preprocessing of a cell: `raw` for an ONNX model that takes integer pixels.

    A TFLite file needs no exception, because it contains the scale of its integers.
    """
    if model.dtype == "float32" or model.format != custom.onnx.FORMAT:
        return cell.preprocessing
    if cell.preprocessing not in ("", RAW):
        raise RequestError(f"{model.name} takes pixels of {model.dtype}: wanted --preprocessing {RAW}, or none")
    return RAW


def _require_quantizable(cell: Cell, model: CustomModel) -> None:
    if parse(cell.quantization).changes_weights:
        raise RequestError(
            f"{model.name}: equalized, bias_corrected and qat are for edgebench's own networks, found"
            f" {cell.quantization}; leave them out"
        )
    if _dataset(cell) == NO_DATA_SET:
        raise RequestError(
            f"int8 of {model.name} needs images for calibration and comparison: add --calibration folder or"
            " --dataset image_folder:path; or use --precision fp32"
        )
