"""The cells of a sweep that ask for models somebody gave -> the same, completed by what each model is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.export import custom
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.shelf import load, names
from edgebench.images.catalogue import calibrating, family
from edgebench.images.preprocessing import of_integers
from edgebench.networks.custom import given as custom_card
from edgebench.schema.cards import CustomModel
from edgebench.schema.quantization import parse
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision, WeightSource

if TYPE_CHECKING:
    from edgebench.schema.case import Case
    from edgebench.schema.sweep import Cell, Sweep
    from edgebench.schema.variant import Preprocessing

NO_DATA_SET = "null"
REBUILT = ("null", "torch")  # files without a graph: a target builds their networks again, from its own shelf
RAW = "raw"  # how pictures are cut for a network that takes integers, unless somebody says otherwise

Given = Mapping[tuple[str, str], CustomModel]  # by what a cell calls a model and its input


def check(sweep: Sweep) -> None:
    """Refuse sizes for a model that has its own.

    Raises:
        RequestError: the first block that has them.
    """
    for block in sweep.models:
        if custom.is_custom(block.name) and (block.widths != (1.0,) or block.resolutions is not None):
            raise RequestError(f"{block.name} has its own width and resolution; leave them out")


def adopt(cells: Iterable[Cell]) -> Given:
    """Keep every given model that the cells name in the cache.

    Raises:
        RequestError: one of them cannot be measured.
    """
    keys = dict.fromkeys((cell.model, cell.input) for cell in cells if custom.is_custom(cell.model))
    given = {(name, asked): custom.adopt(name, asked) for name, asked in keys}
    contents = dict[str, str]()
    for model in given.values():
        if contents.setdefault(model.name, model.content_sha256) != model.content_sha256:
            raise RequestError(f"wanted models of different names, found two called {model.name}; rename one")
    return given


def card(cell: Cell, given: Given) -> CustomModel | None:
    """Return a cell's model; None for a network of the shelf."""
    return given.get((cell.model, cell.input))


def completed(cells: Iterable[Cell], given: Given) -> Iterator[Cell]:
    """Give each cell its model's sizes; what a model cannot be stays, to be refused as its case.

    Raises:
        RequestError: nothing of a model can be measured, or int8 has no images to calibrate with.
    """
    named = [(cell, model, _why_not(cell, model) if model else "") for cell in cells for model in (card(cell, given),)]
    answered = {cell.model for cell, _, why in named if not why}
    for cell, model, why in named:
        if cell.model not in answered:
            raise RequestError(why)
        yield _completed(cell, model, is_possible=not why) if model else cell


def refusal(case: Case) -> str:
    """Say why a case of a user's own model cannot be measured; empty where it can, and for networks of the shelf."""
    if case.variant.weights != WeightSource.CUSTOM:
        return ""
    with suppress(CaseError):  # no longer there: its export says so
        return _refusal(custom_card(case.variant), case.runtime.name, case.batch, case.variant.precision)
    return ""


def _why_not(cell: Cell, model: CustomModel) -> str:
    return _refusal(model, cell.runtime, cell.batch, cell.precision)


def _refusal(model: CustomModel, runtime: str, batch: int, precision: Precision) -> str:
    """Say why a model cannot be measured so, where it may be otherwise; empty where it can."""
    format = load("runtimes", RuntimeRequest.parse(runtime).name).FORMAT
    if not _can_be(model, format):
        what = f"built by its own function, found {runtime}, which builds networks of the shelf"
        file = f"for runtimes that open {model.format}, found {runtime}, which opens {format}"
        return f"{model.name} is {what if model.source else file}; use --runtime {_runtimes(model)}"
    if model.batch and batch > model.batch:
        return f"{model.name} takes one image at a time, found --batch {batch}; export it with an open batch axis"
    if precision == model.precision:
        return ""
    if model.given:
        return f"{model.name} holds {model.given} as it is, found --precision {precision}"
    if model.format != custom.onnx.FORMAT or model.precision != Precision.FP32 or precision != Precision.INT8:
        return f"{model.name} is {model.precision} as it is, found --precision {precision}"
    if model.dtype != "float32":
        return f"{model.name} takes {model.dtype} images and is not quantized here; use --precision fp32"
    return ""


def _can_be(model: CustomModel, format: str) -> bool:
    """Tell whether a model is a file of this format, or can be written as one."""
    return format not in REBUILT if model.source else format == model.format


def _runtimes(model: CustomModel) -> str:
    return " or ".join(name for name in names("runtimes") if _can_be(model, load("runtimes", name).FORMAT))


def _completed(cell: Cell, model: CustomModel, *, is_possible: bool) -> Cell:
    if cell.precision != model.precision and is_possible:
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
    """Name the images that concern the model: a bundled data set is not its own, whatever its classes are."""
    if family(cell.dataset).PLACE:
        return cell.dataset
    return calibrating(cell.calibration) if cell.calibration else NO_DATA_SET


def _preprocessing(cell: Cell, model: CustomModel) -> str:
    """Name how pictures are cut; a network of integer inputs takes the pixels as they are."""
    return cell.preprocessing or ("" if model.dtype == "float32" else RAW)


def recipe(chosen: Preprocessing | None, model: CustomModel) -> Preprocessing | None:
    """Return the recipe with the values that the model takes: of integers those of pixels."""
    if chosen is None or model.dtype == "float32":
        return chosen
    return of_integers(chosen, model.dtype, model.input_scale, model.input_zero)


def _require_quantizable(cell: Cell, model: CustomModel) -> None:
    asked = parse(cell.quantization)
    if asked.changes_weights:
        raise RequestError(
            f"{model.name}: equalized, bias_corrected and qat are for networks of the shelf, found {cell.quantization};"
            " leave them out"
        )
    if _dataset(cell) == NO_DATA_SET:
        raise RequestError(
            f"int8 of {model.name} wants images to calibrate with and to be compared on: add --calibration folder or"
            " --dataset image_folder:path; or use --precision fp32"
        )
