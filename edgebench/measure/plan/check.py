"""A sweep -> nothing, or the first thing in it that cannot be."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING

from edgebench.export.custom import is_custom, is_file
from edgebench.export.formats import tool_version
from edgebench.foundation.errors import RequestError, UnknownName, require
from edgebench.foundation.shelf import load, names
from edgebench.images import catalogue
from edgebench.images.preprocessing import preset
from edgebench.measure.plan import custom as own_cells
from edgebench.schema.case import PRESETS
from edgebench.schema.quantization import parse
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import WeightSource
from edgebench.train import checkpoint

if TYPE_CHECKING:
    from edgebench.schema.sweep import Cell, Sweep


_EXTRAS = ("tflite",)  # formats whose tools are an extra of that name
_WEIGHTINGS = tuple(one for one in WeightSource if one != WeightSource.CUSTOM)  # that a person can ask for


def check(sweep: Sweep) -> None:
    """Refuse a sweep that names what does not exist, before anything runs.

    Raises:
        RequestError: the first thing that is wrong.
    """
    require("preset", sweep.preset, PRESETS, may_be_empty=False)
    if sweep.budget and sweep.time_limit:
        raise RequestError(f"wanted a budget or a time limit, found both: {sweep.budget} and {sweep.time_limit}")
    if sweep.budget and sweep.sustained:
        raise RequestError("a budget does not hold what a sustained run of every case takes; leave one of them out")
    own_cells.check(sweep)
    if not (wanted := list(sweep.cells())):
        raise RequestError("the sweep asks for nothing: every list needs at least one entry")
    for cell in wanted:
        _check_cell(cell)


def _check_cell(cell: Cell) -> None:
    request = RuntimeRequest.parse(cell.runtime)
    if not is_custom(cell.model):
        require("model", cell.model, names("architectures"), may_be_empty=False)
    runtime = load("runtimes", request.name)
    if not is_file(cell.model):
        _require_tools(request.name)
    request.resolve(runtime.OPTIONS)
    catalogue.family(cell.dataset)
    if cell.preprocessing:
        preset(cell.preprocessing)
    if cell.weights not in _WEIGHTINGS and not checkpoint.is_file(cell.weights):
        raise UnknownName("weights", cell.weights, (*_WEIGHTINGS, "or a file.pth or .safetensors"))
    if cell.quantization:
        parse(cell.quantization)
    if cell.threads < 1 or cell.batch < 1:
        raise RequestError(f"wanted threads and batch of 1 and more, found {cell.threads} and {cell.batch}")


def _require_tools(runtime: str) -> None:
    """Refuse a runtime whose files cannot be written here."""
    format = load("runtimes", runtime).FORMAT
    for tool in load("formats", format).TOOLS:
        try:
            tool_version(tool)
        except PackageNotFoundError as missing:
            wanted = f"edgebench[{format}]" if format in _EXTRAS else tool
            raise RequestError(
                f"runtime {runtime} reads {format} files, and {tool}, which helps to write them, is not installed here;"
                f" run pip install '{wanted}'"
            ) from missing
