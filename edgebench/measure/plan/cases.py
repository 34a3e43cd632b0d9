"""Make the cases of a session from a sweep and from the environment of a target.

A cell is one combination of entries of the sweep's lists. A case is a cell, completed with facts about the target.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING
from uuid import uuid4

from edgebench import __version__
from edgebench.foundation.errors import RequestError, UnknownName
from edgebench.foundation.shelf import load
from edgebench.foundation.units import parse_duration
from edgebench.images import catalogue
from edgebench.images.splits import chosen_recipe, require_calibration
from edgebench.measure.plan import custom as own_cells
from edgebench.measure.plan import engines
from edgebench.measure.plan.weights import Chosen, chosen
from edgebench.schema.case import Case
from edgebench.schema.environment import SERIAL, differences, lasting
from edgebench.schema.quantization import NAME, Quantization, overflows, parse
from edgebench.schema.record import Session
from edgebench.schema.runtime import Runtime, RuntimeRequest
from edgebench.schema.sweep import Cell
from edgebench.schema.variant import Variant, WeightSource
from edgebench.tasks.detection import decoders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgebench.schema.cards import CustomModel, DataSet
    from edgebench.schema.environment import Environment
    from edgebench.schema.record import Record
    from edgebench.schema.sweep import Sweep


def cases(requested: Iterable[Cell], environment: Environment) -> tuple[Case, ...]:
    """Complete each cell of a sweep with facts about the target: its version of the runtime, and its int8 scheme.

    Raises:
        RequestError: a runtime is not installed on the target, a data set does not exist or has no calibration images,
            or no cell can be measured, because no user-supplied model supports the options of its cell.
    """
    groups = tuple(engines.spread(requested, environment))
    cells = tuple(chain.from_iterable(groups))
    models = own_cells.adopt(cells)
    cells = tuple(own_cells.completed(cells, models))
    datasets = _data_sets(cells, models)
    every = (_case(cell, own_cells.card(cell, models), datasets, environment) for cell in cells)
    made = [tuple(islice(every, len(group))) for group in groups]
    # `dict.fromkeys` removes duplicates: different texts can mean the same int8 scheme.
    result = tuple(dict.fromkeys(case for group in made for case in engines.that_open(group, environment)))
    require_cores(result, environment)
    variants = (case.variant for case in result)
    for variant in {(item.dataset, item.dataset_sha256, item.quantization): item for item in variants}.values():
        require_calibration(variant)
    return result


def require_cores(requested: Iterable[Case], environment: Environment) -> None:
    """Refuse more threads than the target has cores, because the threads would wait for each other.

    Raises:
        RequestError: a case has more threads than the target has cores.
    """
    cores = int(environment.facts.get("cores") or 0)
    if cores and (most := max((case.threads for case in requested), default=0)) > cores:
        raise RequestError(f"wanted at most {cores} threads on target {environment.target}, one per core, found {most}")


def _data_sets(cells: Iterable[Cell], models: own_cells.Models) -> dict[str, DataSet]:
    """Return the card (description) of each data set that the cells name, including calibration data sets.

    Raises:
        RequestError: a data set does not exist, or two different data sets would have the same name in tables.
    """
    names = dict.fromkeys(
        name for cell in cells for name in (cell.dataset, _calibrating(cell, own_cells.card(cell, models)))
    )
    datasets, contents = {name: catalogue.adopt(name) for name in names}, dict[str, str]()
    for card in datasets.values():
        if contents.setdefault(card.name, card.sha256) != card.sha256:
            raise RequestError(f"wanted data sets of different names, found two called {card.name}; rename one")
    return datasets


def _calibrating(cell: Cell, model: CustomModel | None) -> str:
    """Return the name of the data set that calibrates a cell.

    The int8 scheme names this data set, or else the sweep does. If neither names one, it is the cell's own data set.
    """
    if model and not model.takes_images:
        return cell.dataset  # a model without image inputs is calibrated on values of its inputs
    calibration = cell.quantization and (parse(cell.quantization).calibration or cell.calibration)
    return catalogue.calibrating(calibration) if calibration else cell.dataset


def _case(cell: Cell, model: CustomModel | None, datasets: Mapping[str, DataSet], environment: Environment) -> Case:
    runtime, dataset = _runtime(RuntimeRequest.parse(cell.runtime), environment), datasets[cell.dataset]
    quantization = None
    if cell.quantization:
        scheme = _quantization(cell, runtime, environment)
        if model and not model.takes_images:
            quantization = own_cells.calibrated(scheme, cell, model, chosen_recipe(cell.dataset, cell.preprocessing))
        else:
            quantization = _calibrated(scheme, datasets[_calibrating(cell, model)], dataset)
    return Case(
        variant=variant_of(cell, dataset, quantization, model),
        runtime=runtime,
        target=cell.target,
        threads=cell.threads,
        batch=cell.batch,
    )


def differs(environment: Environment, records: Iterable[Record], *, is_one_of_several: bool = False) -> str:
    """Return in words how a target has changed since it was last measured; an empty text if it has not changed.

    After a change of board, kernel or agent, the target's new rows are kept separate from the earlier rows. With
    `is_one_of_several`, the target is one of several boards of a kind, and is compared with itself only.
    """
    sessions = [record.environment for record in records if isinstance(record, Session)]
    earlier = [known for known in sessions if known.target == environment.target and known.is_reached]
    if is_one_of_several:
        earlier = [known for known in earlier if known.facts.get(SERIAL) == environment.facts.get(SERIAL)]
    if not earlier or earlier[-1].epoch == environment.epoch:
        return ""
    changed = differences(lasting(earlier[-1].facts), lasting(environment.facts))
    changes = [f"{change.what} {change.after or 'none'}, was {change.before or 'none'}" for change in changed]
    if earlier[-1].agent_sha256 != environment.agent_sha256:
        changes.append("edgebench's agent")
    return f"{environment.target} changed since it was last measured ({'; '.join(changes)}): its new rows are separate"


def _runtime(request: RuntimeRequest, environment: Environment) -> Runtime:
    """Return the requested runtime, with the version that the target has and with the requested options."""
    installed = environment.runtimes.get(request.pinned)
    if installed is None:
        raise UnknownName(f"runtime of target {environment.target}", request.name, tuple(environment.runtimes))
    if not installed.version:
        raise RequestError(
            f"runtime {request.name} is not installed on target {environment.target}; install"
            f" {load('runtimes', request.name).NEEDS[0]} there with pip{_alternatives(request.name, environment)}"
        )
    _require_engine(request.name, environment)
    runtime = replace(installed, options=request.resolve(load("runtimes", request.name).OPTIONS, installed.options))
    _require_device(runtime, environment)
    return runtime


def _require_engine(name: str, environment: Environment) -> None:
    """Refuse a compiler on a target that runs networks, and an engine on a target for which networks are compiled."""
    is_compiler = engines.compiles_only(name)
    if is_compiler and not environment.compiles_for:
        raise RequestError(
            f"runtime {name} only compiles, and target {environment.target} runs networks; use a target for its device,"
            f" {' or '.join(dict.fromkeys(load('runtimes', name).DEVICES.values()))}"
        )
    if environment.compiles_for and not is_compiler:
        compilers = [item.name for item in environment.runtimes.values() if engines.compiles_only(item.name)]
        raise RequestError(
            f"runtime {name} runs networks, and target {environment.target} only compiles them for"
            f" {environment.compiles_for}; use --runtime {' or '.join(compilers) or 'of a compiler'}"
        )


def _require_device(runtime: Runtime, environment: Environment) -> None:
    """Refuse an option that selects a different device from the target's device."""
    here, devices = environment.facts.get("device", "cpu"), load("runtimes", runtime.name).DEVICES
    for option in runtime.options:
        if (device := devices.get(option, "cpu")) not in ("cpu", here):
            raise RequestError(
                f"{runtime.name}+{option} computes on {device}, but target {environment.target} on {here};"
                f' use a target with device = "{device}"{", such as gpu" * (device == "cuda")}'
            )


def _alternatives(runtime: str, environment: Environment) -> str:
    """Return advice that names the target's other runtimes for the same format; an empty text if there are none."""
    module, names = load("runtimes", runtime), [item.name for item in environment.runtimes.values()]
    others = {name: load("runtimes", name) for name in names if name != runtime}
    same = {name: other.NEEDS[0] for name, other in others.items() if other.FORMAT == module.FORMAT}
    return "".join(f", or use --runtime {name}, which is {package}" for name, package in same.items())


def variant_of(
    cell: Cell, dataset: DataSet, quantization: Quantization | None, model: CustomModel | None = None
) -> Variant:
    """Return the variant of a cell; the data set and the files provide its hashes and its number of classes."""
    recipe = chosen_recipe(cell.dataset, cell.preprocessing)
    if model:
        recipe = own_cells.recipe(recipe, model)
        weights = Chosen(name=WeightSource.CUSTOM, sha256=model.content_sha256, classes=model.classes)
    else:
        weights = chosen(cell, dataset.classes + (recipe.label_offset if recipe else 0))
        recipe = recipe if cell.preprocessing else weights.inputs or recipe
    if quantization and quantization.aware:
        _require_weights(weights)
    return Variant(
        architecture=model.name if model else cell.model,
        width=cell.width,
        resolution=model.resolution if model else cell.resolution,
        precision=cell.precision,
        classes=weights.classes,
        weights=weights.name,
        weights_sha256=weights.sha256,
        padding=weights.padding,
        classifier=weights.classifier,
        dataset=dataset.name,
        dataset_sha256=dataset.sha256,
        dataset_classes=dataset.classes if dataset.sha256 else 0,
        preprocessing=recipe,
        quantization=quantization,
        feed=own_cells.feed(model, cell.input_data) if model else None,
        decoding=model.decoding if model else decoders.of_network(cell.model, weights.classes, cell.resolution),
    )


def _require_weights(weights: Chosen) -> None:
    """Refuse to fine-tune weights that were never trained.

    Raises:
        RequestError: the network has no weights, or the weights of the network or of its classifier are random.
    """
    if weights.name in (WeightSource.RANDOM, WeightSource.NONE):
        raise RequestError(f"qat fine-tunes weights, found {weights.name} ones; use --weights trained, or a file")
    if weights.classifier:
        raise RequestError(f"qat fine-tunes weights, found no classifier in {weights.name}; use a file that has one")


def _quantization(cell: Cell, runtime: Runtime, environment: Environment) -> Quantization:
    """Return the runtime's default int8 scheme with the requested options.

    Weights have only 7 bits if products of int8 numbers overflow on the target.
    """
    scheme = parse(cell.quantization, _scheme(runtime))
    format: str = load("runtimes", runtime.name).FORMAT
    return replace(scheme, reduce_range=scheme.reduce_range or overflows(scheme, format, environment.facts))


def _calibrated(quantization: Quantization, images: DataSet, dataset: DataSet) -> Quantization:
    """Return the scheme with the name of its calibration data set.

    The name is empty if the scheme is calibrated on the variant's own data set.
    """
    if (images.name, images.sha256) == (dataset.name, dataset.sha256):
        return replace(quantization, calibration="", calibration_sha256="")
    if not re.fullmatch(NAME, images.name):
        raise RequestError(
            "wanted a name of at most 100 letters, digits, '.', '_' and '-' for a calibration data set,"
            f" found {images.name!r}; rename it"
        )
    return replace(quantization, calibration=images.name, calibration_sha256=images.sha256)


def _scheme(runtime: Runtime) -> Quantization:
    """Return a runtime's default int8 scheme: the file format's default, changed as the runtime's options require."""
    module = load("runtimes", runtime.name)
    scheme: Quantization = load("formats", module.FORMAT).SCHEME
    for option in runtime.options:
        scheme = parse(module.SCHEMES[option], scheme) if option in module.SCHEMES else scheme
    return scheme


def session(sweep: Sweep, environment: Environment, cases: tuple[Case, ...]) -> Session:
    """Return a new record of a session with these cases on the target of this environment."""
    return Session(
        id=uuid4().hex[:12],
        started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        edgebench=__version__,
        preset=sweep.preset,
        time_limit_s=parse_duration(limit) if (limit := sweep.time_limit or sweep.budget) else 0.0,
        environment=environment,
        cases=cases,
        sustained_s=parse_duration(sweep.sustained) if sweep.sustained else 0.0,
        stages=sweep.stages,
    )


def following(session: Session, records: Iterable[Record]) -> Session:
    """Return the session with a start time after the start of every earlier session, even if the clock was set back.

    Sessions are sorted by their start time.
    """
    last = max((record.started_at for record in records if isinstance(record, Session)), default="")
    if session.started_at > last:
        return session
    after = datetime.fromisoformat(last) + timedelta(milliseconds=1)
    return replace(session, started_at=after.isoformat(timespec="milliseconds"))
