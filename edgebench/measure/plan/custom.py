"""The cells of a sweep that ask for models somebody gave -> the same, completed by what each model is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.export import custom
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load, names
from edgebench.images.catalogue import calibrating, family
from edgebench.images.preprocessing import of_integers
from edgebench.schema.cards import CustomModel
from edgebench.schema.quantization import parse
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision, WeightSource

if TYPE_CHECKING:
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
    """Give each cell its model's sizes; leave out what a model cannot be, as long as something is left of it.

    Raises:
        RequestError: nothing is left of one, or int8 has no images to calibrate with.
    """
    left_out, answered = dict[str, str](), set[str]()
    for cell in cells:
        model = card(cell, given)
        if model and (why := _why_not(cell, model)):
            left_out.setdefault(cell.model, why)
            continue
        answered.add(cell.model)
        yield _completed(cell, model) if model else cell
    for name, why in left_out.items():
        if name not in answered:
            raise RequestError(why)


def _why_not(cell: Cell, model: CustomModel) -> str:
    """Say why a cell cannot be answered with its model, where another one may; empty where it can."""
    format = load("runtimes", RuntimeRequest.parse(cell.runtime).name).FORMAT
    if not _can_be(model, format):
        what = f"built by its own function, found {cell.runtime}, which builds networks of the shelf"
        file = f"for runtimes that open {model.format}, found {cell.runtime}, which opens {format}"
        return f"{model.name} is {what if model.source else file}; use --runtime {_runtimes(model)}"
    if model.batch and cell.batch > model.batch:
        return f"{model.name} takes one image at a time, found --batch {cell.batch}; export it with an open batch axis"
    if cell.precision == model.precision:
        return ""
    if model.given:
        return f"{model.name} holds {model.given} as it is, found --precision {cell.precision}"
    if model.format != custom.onnx.FORMAT or model.precision != Precision.FP32 or cell.precision != Precision.INT8:
        return f"{model.name} is {model.precision} as it is, found --precision {cell.precision}"
    if model.dtype != "float32":
        return f"{model.name} takes {model.dtype} images and is not quantized here; use --precision fp32"
    return ""


def _can_be(model: CustomModel, format: str) -> bool:
    """Tell whether a model is a file of this format, or can be written as one."""
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
