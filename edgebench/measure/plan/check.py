"""A sweep -> an error for the first invalid entry, before anything runs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError, UnknownName, require
from edgebench.foundation.shelf import literal, load, names
from edgebench.images.catalogue import family
from edgebench.images.preprocessing import preset
from edgebench.images.splits import wrong_task
from edgebench.measure.plan import custom as own_cells
from edgebench.measure.plan import engines
from edgebench.schema import names as names_of
from edgebench.schema.case import PRESETS
from edgebench.schema.decoding import Decoding
from edgebench.schema.decoding import parse as parse_decoder
from edgebench.schema.names import is_custom, is_in_hub, is_model_file, is_weights_file
from edgebench.schema.quantization import parse
from edgebench.schema.runtime import ALL, RuntimeRequest
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from edgebench.schema.sweep import Cell, Sweep


_TF_SLIM = re.compile(r"\.(ckpt|index|meta|data-\d+-of-\d+|pb)(-\d+)?(\.\w+)?$")
_NCNN_FILE, _PTE_FILE = re.compile(r"\.(param|bin|ncnn)$"), re.compile(r"\.pte$")
_EXTRAS = ("ncnn", "tflite")  # formats whose tools are installed by an extra of the same name: edgebench[tflite]
# the sources of weights that a sweep can name
_SOURCES = tuple(source for source in WeightSource if source != WeightSource.CUSTOM)


def check(sweep: Sweep) -> None:
    """Refuse a sweep with unknown names or invalid values.

    Raises:
        RequestError: an entry is invalid; the message names the first one.
    """
    require("preset", sweep.preset, PRESETS)
    if sweep.budget and sweep.time_limit:
        raise RequestError(f"wanted a budget or a time limit, found both: {sweep.budget} and {sweep.time_limit}")
    if sweep.budget and sweep.sustained:
        raise RequestError("a budget does not include sustained runs of every case; leave --budget or --sustained out")
    if sweep.weights_dir and sweep.weights != WeightSource.TRAINED:
        raise RequestError(f"wanted --weights or --weights-dir, found both: {sweep.weights} and {sweep.weights_dir}")
    own_cells.check(sweep)
    if not (cells := list(sweep.cells())):
        raise RequestError("the sweep is empty: every list needs at least one entry")
    # Widths and resolutions are not checked here, so cells (rows of a sweep) that differ only in them are checked once.
    for cell in dict.fromkeys(replace(cell, width=1.0, resolution=1) for cell in cells):
        _check_cell(cell)


def _check_cell(cell: Cell) -> None:
    request = RuntimeRequest.parse(cell.runtime)
    if _NCNN_FILE.search(cell.model):
        raise RequestError(
            f"{cell.model}: ncnn's own files are not read; give an .onnx or .tflite file, or nets.py:build"
        )
    if _PTE_FILE.search(cell.model):
        raise RequestError(f"{cell.model}: ExecuTorch's own files are not read; give the torch network, nets.py:build")
    if not is_custom(cell.model):
        require("model", cell.model, names("architectures"))
    if request.name == ALL:
        engines.require_alone(request)
    else:
        _check_runtime(request, cell)
    family(cell.dataset)
    _require_decoder(cell)
    if _reads_truth(cell) and (wrong := wrong_task(cell.model, cell.dataset, cell.decode and Decoding.TASK)):
        raise RequestError(wrong)
    if cell.preprocessing:
        preset(cell.preprocessing)
    _check_weights(cell)
    if cell.quantization:
        parse(cell.quantization)
    if cell.threads < 1 or cell.batch < 1:
        raise RequestError(f"wanted threads and batch of at least 1, found {cell.threads} and {cell.batch}")


def _require_decoder(cell: Cell) -> None:
    """Refuse an unknown decoder, a user-supplied detector without a decoder, and a task that the model does not have.

    Raises:
        UnknownName: there is no such task or decoder.
    """
    task = names_of.task(cell.model)
    if cell.task:
        require("task", cell.task, names("tasks"))
    if cell.decode:
        require("decoder", parse_decoder(cell.decode).name, names("decoders"))
        task = Decoding.TASK
    if cell.task in ("", task):
        return
    if cell.task == Decoding.TASK and is_custom(cell.model):
        known = " or ".join(name for name in names("decoders") if name != "null")
        raise RequestError(
            f"wanted --decode {known} with --task detection of {cell.model}, found none; name the layout of its outputs"
        )
    raise RequestError(f"{cell.model} is for {task}, but --task is {cell.task}; leave --task out")


def _check_weights(cell: Cell) -> None:
    if _TF_SLIM.search(cell.weights):
        raise RequestError(
            f"{cell.weights}: checkpoints of TensorFlow cannot be read; use the file in which Keras publishes these"
            " weights, such as mobilenet_1_0_224_tf.h5, or save them from TensorFlow as .safetensors"
        )
    if cell.weights not in _SOURCES and not is_weights_file(cell.weights) and not is_in_hub(cell.weights):
        raise UnknownName("weights", cell.weights, (*_SOURCES, "or a file.pth, .safetensors or .h5", "or hub:name"))


def _reads_truth(cell: Cell) -> bool:
    """Return whether the data set's labels are needed, to train a network or to compute its accuracy."""
    has_metric = is_custom(cell.model) or literal("tasks", names_of.task(cell.model), "METRIC")
    return cell.weights not in (WeightSource.RANDOM, WeightSource.NONE) and (
        bool(has_metric) or cell.weights == WeightSource.TRAINED
    )


def _check_runtime(request: RuntimeRequest, cell: Cell) -> None:
    runtime = load("runtimes", request.name)
    if not is_model_file(cell.model):
        _require_tools(request.name)
    request.resolve(runtime.OPTIONS)


def _require_tools(runtime: str) -> None:
    """Refuse a runtime if the tools that write files for it are not installed on this machine."""
    if tool := engines.missing_tool(runtime):
        format = load("runtimes", runtime).FORMAT
        package = f"edgebench[{format}]" if format in _EXTRAS else tool
        raise RequestError(
            f"runtime {runtime} reads {format} files, and {tool}, which is needed to write them, is not installed"
            f" here; run pip install '{package}'"
        )
