"""Add facts about user-supplied models to the cells of a sweep that use these models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.export import custom
from edgebench.export.custom import calibration, data
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.shelf import load, names
from edgebench.images.catalogue import calibrating, family
from edgebench.images.preprocessing import of_integers
from edgebench.measure.plan import weights
from edgebench.networks.custom import given as custom_card
from edgebench.schema.cards import CustomModel
from edgebench.schema.names import is_custom
from edgebench.schema.quantization import DATA, NAME, RANDOM, parse
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision, WeightSource

if TYPE_CHECKING:
    from edgebench.schema.case import Case
    from edgebench.schema.feed import Feed
    from edgebench.schema.quantization import Quantization
    from edgebench.schema.sweep import Cell, Sweep
    from edgebench.schema.variant import Preprocessing, Variant

NO_DATA_SET = "null"
UNLABELLED = "unlabelled:"  # in a results folder, the stored sweep puts this before the name of a calibration folder
REBUILT = ("null", "torch")  # formats without a graph, for which the target builds the network with edgebench's code
RAW = "raw"  # default preprocessing of a network that takes integers

Key = tuple[str, str, str]
Models = Mapping[Key, CustomModel]  # a cell's (model, input, decoder) -> the card, which describes the model


def check(sweep: Sweep) -> None:
    """Refuse widths and resolutions for a user-supplied model.

    Raises:
        RequestError: the sweep gives a width or a resolution for a user-supplied model; the message names the model.
    """
    for block in sweep.models:
        if is_custom(block.name) and (block.widths != (1.0,) or block.resolutions is not None):
            raise RequestError(f"{block.name} has its own width and resolution; leave them out")


def adopt(cells: Iterable[Cell]) -> Models:
    """Copy every user-supplied model of the cells to the cache; return the cards that describe them.

    Raises:
        RequestError: two different models have the same name.
    """
    fed = dict[Key, bool]()
    for cell in cells:
        if is_custom(cell.model):
            fed[_key(cell)] = fed.get(_key(cell), False) or _is_calibrated_on_arrays(cell)
    models = {key: _adopted(key, is_fed=is_fed) for key, is_fed in fed.items()}
    contents = dict[str, str]()
    for model in models.values():
        if contents.setdefault(model.name, model.content_sha256) != model.content_sha256:
            raise RequestError(f"wanted models of different names, found two called {model.name}; rename one")
    return models


def _key(cell: Cell) -> Key:
    return cell.model, cell.input, cell.decode


def _adopted(key: Key, *, is_fed: bool) -> CustomModel:
    """Return the card of a model; if the model cannot be measured, the card gives the reason.

    If the model cannot be measured, its cases fail, and the other cases of the sweep are measured.
    """
    name, shape, decode = key
    try:
        return custom.adopt(name, shape, is_fed=is_fed and not decode, decode=decode)
    except RequestError as refusal:
        return custom.refused(name, str(refusal))


def _is_calibrated_on_arrays(cell: Cell) -> bool:
    """Return whether a cell is calibrated on random values or on the user's own arrays.

    An image classifier that is calibrated in this way is also measured on arrays instead of images.
    """
    calibration = cell.calibration or (parse(cell.quantization).calibration if cell.quantization else "")
    return calibration == RANDOM or calibration.startswith(DATA)


def card(cell: Cell, models: Models) -> CustomModel | None:
    """Return the card of a cell's user-supplied model; None if the cell has one of edgebench's own networks."""
    return models.get(_key(cell))


def completed(cells: Iterable[Cell], models: Models) -> Iterator[Cell]:
    """Complete each cell with facts about its model; a cell that the model does not support is kept and fails later.

    Raises:
        RequestError: no cell can be measured, or there are no images to calibrate int8.
    """
    reasons = [
        (cell, model, _why_not(cell, model) if model else "") for cell in cells for model in (card(cell, models),)
    ]
    if reasons and all(why for _, _, why in reasons):
        raise RequestError(reasons[0][2])
    for cell, model, why in reasons:
        yield _completed(cell, model, is_possible=not why) if model else cell


def model_of(variant: Variant) -> CustomModel | None:
    """Return the card of a user-supplied model; None for edgebench's own networks, or if the cache lost the model."""
    with suppress(CaseError):  # if the cache lost the model, the export reports it
        return custom_card(variant) if variant.weights == WeightSource.CUSTOM else None
    return None


def refusal(case: Case) -> str:
    """Return why a case cannot be measured with its user-supplied model or weights; an empty text if it can."""
    if reason := weights.refusal(case.variant):
        return reason
    model = model_of(case.variant)
    return _refusal(model, case.runtime.name, case.batch, case.variant.precision) if model else ""


def _why_not(cell: Cell, model: CustomModel) -> str:
    """Return why a model does not support a cell; an empty text if it does."""
    return _refusal(model, cell.runtime, cell.batch, cell.precision)


def _refusal(model: CustomModel, runtime: str, batch: int, precision: Precision) -> str:
    if model.refused:
        return model.refused
    format = load("runtimes", RuntimeRequest.parse(runtime).name).FORMAT
    if not _can_be(model, format):
        function = f"built by its own function, but {runtime} builds only edgebench's own networks"
        file = f"for runtimes that open {model.format}, but {runtime} opens {format}"
        return f"{model.name} is {function if model.source else file}; use --runtime {_runtimes(model)}"
    if model.batch and batch > model.batch:
        taken = "one image" if model.takes_images else "one batch of its own size"
        return f"{model.name} takes {taken} at a time, but --batch is {batch}; export it with an open batch axis"
    if precision == model.precision:
        return ""
    if model.given:
        return f"{model.name} contains {model.given} as supplied, but --precision is {precision}"
    if model.format != custom.onnx.FORMAT or model.precision != Precision.FP32 or precision != Precision.INT8:
        return (
            f"{model.name} is {model.precision} as supplied, but --precision is {precision}; use --precision"
            f" {model.precision}"
        )
    if not model.takes_images and format != custom.onnx.FORMAT:
        return f"{model.name} is quantized only for runtimes that open onnx, not for {runtime}; use --precision fp32"
    if model.takes_images and model.dtype != "float32":
        return f"{model.name} takes {model.dtype} images and is not quantized here; use --precision fp32"
    return ""


def _can_be(model: CustomModel, format: str) -> bool:
    """Return whether a model is a file of this format or can be exported to it."""
    return format not in REBUILT if model.source else format == model.format


def _runtimes(model: CustomModel) -> str:
    return " or ".join(name for name in names("runtimes") if _can_be(model, load("runtimes", name).FORMAT))


def _completed(cell: Cell, model: CustomModel, *, is_possible: bool) -> Cell:
    if cell.precision != model.precision and is_possible:
        _require_quantizable(cell, model)
    return replace(
        cell,
        width=1.0,
        resolution=model.resolution or cell.resolution,
        classes=model.classes,
        weights=WeightSource.CUSTOM,
        dataset=_dataset(cell, model),
        preprocessing=_preprocessing(cell, model),
        quantization=cell.quantization if cell.precision != model.precision and not model.refused else "",
    )


def _dataset(cell: Cell, model: CustomModel) -> str:
    """Return the data set for a model: the user's data set, or else the data set of the calibration images.

    A bundled data set is used only for a detector, because a user-supplied classifier has other classes than a bundled
    data set.
    """
    if family(cell.dataset).PLACE or model.decoding:
        return cell.dataset
    if not model.takes_images:
        return NO_DATA_SET
    return calibrating(cell.calibration) if cell.calibration else NO_DATA_SET


def _preprocessing(cell: Cell, model: CustomModel) -> str:
    """Return the preprocessing of a cell; the default is the decoder's preprocessing, or `raw` for integer inputs."""
    of_decoder = load("decoders", model.decoding.name).PREPROCESSING if model.decoding else ""
    return cell.preprocessing or of_decoder or ("" if model.dtype in ("", "float32") else RAW)


def feed(model: CustomModel, folder: str) -> Feed | None:
    """Return the feed of a model, which describes its inputs; None for an image classifier.

    The values of the inputs come from the files in `folder`; without a folder, the values are random.

    Raises:
        RequestError: the folder does not match the model's inputs, or the model is a classifier.
    """
    if model.feed is None:
        if folder:
            raise RequestError(f"{model.name} is an image classifier and takes no --input-data; use --dataset")
        return None
    if not folder or model.refused:
        return model.feed
    card = data.adopt(folder, model)
    return replace(model.feed, data=card.name, data_sha256=card.sha256)


def calibrated(scheme: Quantization, cell: Cell, model: CustomModel, recipe: Preprocessing | None) -> Quantization:
    """Return the int8 scheme of a model that is not an image classifier; add the inputs for its calibration.

    These inputs come from the scheme's folder, else from the folder of --calibration, else from the folder of
    --input-data. Without a folder, the inputs are random.

    Raises:
        RequestError: the folder lacks an input of the model.
    """
    folder = scheme.calibration or cell.calibration or cell.input_data
    if not folder or folder == RANDOM:
        return replace(scheme, calibration=RANDOM, calibration_sha256="")
    card = calibration.adopt(
        folder.removeprefix(DATA).removeprefix(UNLABELLED), model, recipe if cell.preprocessing else None
    )
    if not re.fullmatch(NAME, card.name):
        raise RequestError(
            "wanted letters, digits, '.', '_' and '-' in the name of a calibration folder,"
            f" found {card.name!r}; rename it"
        )
    return replace(scheme, calibration=card.name, calibration_sha256=card.sha256)


def recipe(chosen: Preprocessing | None, model: CustomModel) -> Preprocessing | None:
    """Return the preprocessing; if the model takes integers, adapt it so that the model gets unchanged pixels."""
    if chosen is None or model.dtype in ("", "float32"):
        return chosen
    return of_integers(chosen, model.dtype, model.input_scale, model.input_zero)


def _require_quantizable(cell: Cell, model: CustomModel) -> None:
    if parse(cell.quantization).changes_weights:
        raise RequestError(
            f"{model.name}: equalized, bias_corrected and qat are for edgebench's own networks, found"
            f" {cell.quantization}; leave them out"
        )
    if model.takes_images and _dataset(cell, model) == NO_DATA_SET:
        raise RequestError(
            f"int8 of {model.name} needs images for calibration and comparison: add --calibration folder or"
            " --dataset image_folder:path; or use --calibration random to measure only its time, or --precision fp32"
        )
