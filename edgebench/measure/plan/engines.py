"""A sweep that requests `all` runtimes -> one cell for each runtime of a target, and the cases that can be measured."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING

from edgebench.export.formats import tool_version
from edgebench.foundation.errors import FOR_TESTS, RequestError
from edgebench.foundation.shelf import load
from edgebench.measure.plan import custom
from edgebench.schema.names import is_model_file
from edgebench.schema.runtime import ALL, RuntimeRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgebench.schema.case import Case
    from edgebench.schema.environment import Environment
    from edgebench.schema.sweep import Cell, Sweep
    from edgebench.schema.target import Target


def requests(sweep: Sweep, target: Target) -> tuple[RuntimeRequest, ...]:
    """Return the runtimes that a sweep requests on a target; `all` means all that compute something."""
    requested = list[RuntimeRequest]()
    for request in sweep.runtimes_on(target.name):
        if request.name == ALL:
            usable = (name for name in target.runtimes if compiles_only(name) == target.compiles_only)
            engines = (name for name in usable if load("runtimes", name).FORMAT != FOR_TESTS)
            requested += [RuntimeRequest(name=name, is_optional=True) for name in engines]
        else:
            requested.append(request)
    return tuple(dict.fromkeys(requested))


def compiles_only(runtime: str) -> bool:
    """Return whether a runtime is a compiler for a device that is not at hand."""
    return bool(getattr(load("runtimes", runtime), "COMPILES_ONLY", False))


def require_alone(request: RuntimeRequest) -> None:
    """Refuse a version or an option of `all` runtimes.

    Raises:
        RequestError: the request has one.
    """
    if request.version or request.options:
        raise RequestError(f"wanted {ALL} without a version and options, found {request}; name the runtimes instead")


def missing_tool(runtime: str) -> str:
    """Return the tool that is missing here to write files for a runtime; an empty text if none is missing."""
    for tool in load("formats", load("runtimes", runtime).FORMAT).TOOLS:
        try:
            tool_version(tool)
        except PackageNotFoundError:
            return str(tool)
    return ""


def spread(cells: Iterable[Cell], environment: Environment) -> Iterator[tuple[Cell, ...]]:
    """Replace each cell for `all` runtimes by one cell per runtime of the target; yield a tuple for each of the cells.

    A runtime is left out if it is not installed, if it computes nothing, or if its files cannot be written here.

    Raises:
        RequestError: no runtime is left.
    """
    for cell in cells:
        if cell.runtime != ALL:
            yield (cell,)
            continue
        names = [name for name in environment.runtimes if _is_usable(name, environment, cell)]
        if not names:
            raise RequestError(f"no runtime is installed on target {environment.target}; install onnxruntime there")
        yield tuple(replace(cell, runtime=name) for name in names)


def _is_usable(name: str, environment: Environment, cell: Cell) -> bool:
    runtime = environment.runtimes[name]
    if not runtime.version or name != runtime.name or load("runtimes", name).FORMAT == FOR_TESTS:
        return False
    if compiles_only(name) != bool(environment.compiles_for):
        return False
    return is_model_file(cell.model) or not missing_tool(name)


def that_open(cases: Sequence[Case], environment: Environment) -> tuple[Case, ...]:
    """Return the cases of a cell that can be measured; if there are none, return all, so that each gives its reason.

    A cell that names its runtime has one case, which is always returned.
    """
    return tuple(case for case in cases if not refusal(case, environment)) or tuple(cases)


def refusal(case: Case, environment: Environment) -> str:
    """Return why a case's runtime, its format or its machine cannot compute the variant; an empty text if they can."""
    runtime, variant = load("runtimes", case.runtime.name), case.variant
    if reason := custom.refusal(case) or runtime.refuses(variant, case.runtime.options):
        return str(reason)
    if hasattr(runtime, "refuses_on") and (reason := runtime.refuses_on(variant, environment.facts)):
        return str(reason)
    return str(load("formats", runtime.FORMAT).refuses(variant))
