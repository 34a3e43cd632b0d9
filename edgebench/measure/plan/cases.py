"""Sweep and environment -> the cases of a session."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from edgebench import __version__
from edgebench.foundation.errors import RequestError, UnknownName
from edgebench.foundation.shelf import load
from edgebench.foundation.units import parse_duration
from edgebench.images import catalogue
from edgebench.images.splits import chosen_recipe, require_calibration
from edgebench.measure.plan import custom as own_cells
from edgebench.networks import build
from edgebench.schema.case import Case
from edgebench.schema.environment import differences, lasting
from edgebench.schema.quantization import NAME, Quantization, overflows, parse
from edgebench.schema.record import Session
from edgebench.schema.runtime import Runtime, RuntimeRequest
from edgebench.schema.sweep import Cell
from edgebench.schema.variant import Variant, WeightSource
from edgebench.train import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgebench.schema.cards import CustomModel, DataSet
    from edgebench.schema.environment import Environment
    from edgebench.schema.record import Record
    from edgebench.schema.sweep import Sweep


def cases(wanted: Iterable[Cell], environment: Environment) -> tuple[Case, ...]:
    """Complete each cell with what only the target knows: the runtime's version, and how its int8 must be made.

    Raises:
        RequestError: a runtime is not installed there, there is no such data set, it cannot calibrate what it should,
            or a given model does not fit.
    """
    asked = tuple(wanted)
    given = own_cells.adopt(asked)
    cells = tuple(own_cells.completed(asked, given))
    named = _data_sets(cells)
    # Schemes in other words may mean the same: once.
    found = tuple(dict.fromkeys(_case(cell, own_cells.card(cell, given), named, environment) for cell in cells))
    variants = (case.variant for case in found)
    for variant in {(one.dataset, one.dataset_sha256, one.quantization): one for one in variants}.values():
        require_calibration(variant)
    return found


def _data_sets(cells: Iterable[Cell]) -> dict[str, DataSet]:
    """Find every data set by what the cells call it, those that calibrate among them.

    Raises:
        RequestError: there is none, or two of the same name differ: no table could tell them apart.
    """
    asked = dict.fromkeys(name for cell in cells for name in (cell.dataset, _calibrating(cell)))
    named, contents = {name: catalogue.adopt(name) for name in asked}, dict[str, str]()
    for card in named.values():
        if contents.setdefault(card.name, card.sha256) != card.sha256:
            raise RequestError(f"wanted data sets of different names, found two called {card.name}; rename one")
    return named


def _calibrating(cell: Cell) -> str:
    """Name the data set that calibrates a cell: its scheme's, else the sweep's, else its own."""
    named = cell.quantization and (parse(cell.quantization).calibration or cell.calibration)
    return catalogue.calibrating(named) if named else cell.dataset


def _case(cell: Cell, model: CustomModel | None, named: Mapping[str, DataSet], environment: Environment) -> Case:
    runtime, dataset = _runtime(RuntimeRequest.parse(cell.runtime), environment), named[cell.dataset]
    quantization = None
    if cell.quantization:
        scheme = _quantization(cell, runtime, environment)
        quantization = _calibrated(scheme, named[_calibrating(cell)], dataset)
    return Case(
        variant=variant_of(cell, dataset, quantization, model),
        runtime=runtime,
        target=cell.target,
        threads=cell.threads,
        batch=cell.batch,
    )


def differs(environment: Environment, records: Iterable[Record]) -> str:
    """Say in what a target is no longer what it was when it was last measured; empty where it is the same.

    Another board under the same name, another kernel or agent: its rows stand apart from the earlier ones.
    """
    sessions = [record for record in records if isinstance(record, Session)]
    earlier = [one.environment for one in sessions if one.environment.target == environment.target]
    if not earlier or earlier[-1].epoch == environment.epoch:
        return ""
    found = differences(lasting(earlier[-1].facts), lasting(environment.facts))
    changes = [f"{one.what} {one.after or 'none'}, was {one.before or 'none'}" for one in found]
    if earlier[-1].agent_sha256 != environment.agent_sha256:
        changes.append("edgebench's agent")
    return f"{environment.target} changed since it was last measured ({'; '.join(changes)}): its rows stand apart"


def runtime_requests(cells: Iterable[Cell]) -> tuple[RuntimeRequest, ...]:
    """Return the runtimes that are asked for, each once, without what they are told."""
    return tuple(dict.fromkeys(replace(RuntimeRequest.parse(cell.runtime), options=()) for cell in cells))


def _runtime(asked: RuntimeRequest, environment: Environment) -> Runtime:
    """Find what is installed there under the name, told what was asked for."""
    runtime = environment.runtimes.get(asked.pinned)
    if runtime is None:
        raise UnknownName(f"runtime of target {environment.target}", asked.name, tuple(environment.runtimes))
    if not runtime.version:
        raise RequestError(
            f"runtime {asked.name} is not installed on target {environment.target}; install"
            f" {load('runtimes', asked.name).NEEDS[0]} there with pip{_alternatives(asked.name, environment)}"
        )
    told = replace(runtime, options=asked.resolve(load("runtimes", asked.name).OPTIONS, runtime.options))
    _require_device(told, environment)
    return told


def _require_device(runtime: Runtime, environment: Environment) -> None:
    """Refuse a word that means a device which the target's agent does not look after."""
    here, devices = environment.facts.get("device", "cpu"), load("runtimes", runtime.name).DEVICES
    for word in runtime.options:
        if (device := devices.get(word, "cpu")) not in ("cpu", here):
            raise RequestError(
                f"{runtime.name}+{word} computes on {device}, target {environment.target} on {here};"
                f' use a target with device = "{device}", such as gpu'
            )


def _alternatives(runtime: str, environment: Environment) -> str:
    """Name the runtimes that the target may have and that read the same files."""
    mine = load("runtimes", runtime)
    others = {one.name: load("runtimes", one.name) for one in environment.runtimes.values() if one.name != runtime}
    same = {name: other.NEEDS[0] for name, other in others.items() if other.FORMAT == mine.FORMAT}
    return "".join(f", or use --runtime {name}, which is {package}" for name, package in same.items())


def variant_of(
    cell: Cell, dataset: DataSet, quantization: Quantization | None, model: CustomModel | None = None
) -> Variant:
    """Name the network that a cell asks for, with what only the data set and the files know: classes and hashes."""
    recipe = chosen_recipe(cell.dataset, cell.preprocessing)
    if model:
        recipe = own_cells.recipe(recipe, model)
        weights, sha256, classes = str(WeightSource.CUSTOM), model.content_sha256, model.classes
    else:
        weights, sha256, classes = _weights(cell, dataset.classes + (recipe.label_offset if recipe else 0))
    if quantization and quantization.aware and weights in (WeightSource.RANDOM, WeightSource.NONE):
        raise RequestError(f"qat fine-tunes weights, found {weights} ones; use --weights trained, or a file")
    return Variant(
        architecture=model.name if model else cell.model,
        width=cell.width,
        resolution=cell.resolution,
        precision=cell.precision,
        classes=classes,
        weights=weights,
        weights_sha256=sha256,
        dataset=dataset.name,
        dataset_sha256=dataset.sha256,
        dataset_classes=dataset.classes if dataset.sha256 else 0,
        preprocessing=recipe,
        quantization=quantization,
    )


def _quantization(cell: Cell, runtime: Runtime, environment: Environment) -> Quantization:
    """Complete the scheme asked for by the runtime's own; use 7-bit weights where the target's products saturate."""
    asked = parse(cell.quantization, _scheme(runtime))
    format: str = load("runtimes", runtime.name).FORMAT
    return replace(asked, reduce_range=asked.reduce_range or overflows(asked, format, environment.facts))


def _calibrated(quantization: Quantization, images: DataSet, own: DataSet) -> Quantization:
    """Let the scheme name the images that it calibrates on, unless they are those of the variant's own data set."""
    if (images.name, images.sha256) == (own.name, own.sha256):
        return replace(quantization, calibration="", calibration_sha256="")
    if not re.fullmatch(NAME, images.name):
        raise RequestError(
            "wanted a name of letters, digits, '.', '_' and '-', at most 100, for a data set that calibrates,"
            f" found {images.name!r}; rename it"
        )
    return replace(quantization, calibration=images.name, calibration_sha256=images.sha256)


def _scheme(runtime: Runtime) -> Quantization:
    """Return how int8 is made for a runtime: as its format has it, changed by the words of its options."""
    module = load("runtimes", runtime.name)
    scheme: Quantization = load("formats", module.FORMAT).SCHEME
    for word in runtime.options:
        scheme = parse(module.SCHEMES[word], scheme) if word in module.SCHEMES else scheme
    return scheme


def _weights(cell: Cell, own: int) -> tuple[str, str, int]:
    """Return what the variant calls its weights, the hash of their file if any, and how many classes they answer."""
    if not checkpoint.is_file(cell.weights):
        if cell.weights == WeightSource.TRAINED and cell.classes not in (0, own):
            raise RequestError(
                f"wanted {cell.classes} classes, found {own} in {catalogue.title(cell.dataset)} to train on"
            )
        return WeightSource(cell.weights), "", cell.classes or own
    build.check(cell.model, cell.width, cell.resolution)
    weights, sha256 = checkpoint.adopt(cell.weights, cell.model, cell.width, cell.resolution)
    return weights.recipe, sha256, weights.classes


def session(sweep: Sweep, environment: Environment, cases: tuple[Case, ...]) -> Session:
    """Open a session: this command on this target."""
    return Session(
        id=uuid4().hex[:12],
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        edgebench=__version__,
        preset=sweep.preset,
        time_limit_s=parse_duration(limit) if (limit := sweep.time_limit or sweep.budget) else 0.0,
        environment=environment,
        cases=cases,
        sustained_s=parse_duration(sweep.sustained) if sweep.sustained else 0.0,
    )
