"""The options that the user typed -> the sweep or the training that these options request."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from edgebench.cli.options import SweepOptions, TrainingOptions
from edgebench.deploy.targets import catalogue
from edgebench.foundation import outside
from edgebench.foundation.errors import RequestError, require
from edgebench.foundation.shelf import literal, names
from edgebench.foundation.units import parse_duration
from edgebench.measure.builders.security import require_private
from edgebench.measure.plan import sweeps
from edgebench.measure.plan.shard import Shard
from edgebench.measure.plan.shard import parse as parse_shard
from edgebench.schema.names import is_custom, task, title
from edgebench.schema.quantization import DIGITS, parse
from edgebench.schema.runtime import ALL
from edgebench.schema.sweep import USUAL_RUNTIMES, Model, Sweep
from edgebench.schema.variant import Precision, check_size
from edgebench.train import BATCH, Options
from edgebench.train.base import CLASSES, RESOLUTION
from edgebench.train.course import AUGMENTATIONS, OPTIMIZERS

DEFAULT = "default"
CONVOLUTIONAL = "_conv"  # suffix of a network's name if convolutions replace its dense layers
Value = TypeVar("Value")


def _many(read: Callable[[str], Value]) -> Callable[[str], tuple[Value, ...]]:
    """Return a function that reads a comma-separated list and applies `read` to each part."""
    return lambda text: tuple(read(part.strip()) for part in text.split(",") if part.strip())


def _whole(noun: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(DIGITS, text):
            raise RequestError(f"wanted a whole number for --{noun}, found {text[:40]!r}")
        return int(text)

    return read


def _classes(text: str) -> int:
    classes = _whole("classes")(text)
    if not classes:  # in a sweep's file, 0 stands for the data set's number of classes
        raise RequestError("wanted 1 or more for --classes, found 0; leave it out to use the data set's number")
    return classes


def _width(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"wanted a number for --width, found {text!r}") from None


def _precision(text: str) -> Precision:
    require("precision", text, Precision)
    return Precision(text)


def _quantization(text: str) -> str:
    parse(text)
    return text


def _time(text: str) -> str:
    parse_duration(text)
    return text


def sweep(given: str, options: SweepOptions) -> Sweep:
    """Return a sweep with the options applied: the named sweep, one made of the given models, or the default.

    Raises:
        RequestError: a name or number is impossible.
    """
    if given and options.model:
        raise RequestError(f"wanted a sweep or --model, found both ({given} and {options.model})")
    outside.look_beside(given)
    start = _of_models(_many(str)(options.model)) if options.model else sweeps.sweep(given or DEFAULT)
    return _changed(start, options)


def shard(text: str, requested: Sweep) -> Shard:
    """Return the shard of a sweep's cases that the text names, such as `2/8`; an empty text names all cases.

    Raises:
        RequestError: the text names no shard, or the sweep has a budget, which chooses cases by earlier results.
    """
    if text and requested.budget:
        raise RequestError(
            f"--shard takes a fixed part of the cases, found a budget of {requested.budget}; leave out one"
        )
    return parse_shard(text)


def count(option: str, text: str) -> int:
    """Return a number of processes or threads; 1 for an empty text.

    Raises:
        RequestError: the text is not a number above 0.
    """
    if not (read := _whole(option)(text) if text else 1):
        raise RequestError(f"wanted 1 or more for --{option}, found 0")
    return read


def jobs(text: str, scheduler: str, requested: Sweep) -> int:
    """Return how many processes make a sweep's files.

    Raises:
        RequestError: the text is not a number above 0, the scheduler's address cannot be used, both are given, or the
            sweep has a budget, with which the files to make are not known in advance.
    """
    if scheduler:
        require_private(scheduler)
    if text and scheduler:
        raise RequestError(f"wanted --jobs or --scheduler, found both ({text} and {scheduler}); leave out one")
    processes = count("jobs", text)
    if (processes > 1 or scheduler) and requested.budget:
        option = "--scheduler" if scheduler else "--jobs"
        raise RequestError(f"{option} makes all files first, found a budget of {requested.budget}; leave out one")
    return processes


def grid(known: Sweep, given: str, options: SweepOptions) -> Sweep:
    """Return the sweep of a results folder with networks and sizes taken from another sweep or from options.

    Raises:
        RequestError: a name or number is impossible, or both a sweep and models are given.
    """
    if given and options.model:
        raise RequestError(f"wanted a sweep or --model, found both ({given} and {options.model})")
    outside.look_beside(given)
    other = _of_models(_many(str)(options.model)) if options.model else sweeps.sweep(given) if given else known
    start = replace(known, models=other.models, resolutions=(other if given else known).resolutions)
    return _changed(start, options)


def _changed(start: Sweep, options: SweepOptions) -> Sweep:
    """Return the sweep `start` with the options applied."""
    of_cells, of_run = _of_cells(options), _of_run(options)
    start = _convolutional(start) if options.convolutional else start
    _require_its_kind(start, options)
    blocks: dict[str, Any] = dict.fromkeys(of_cells)
    of_shelf = blocks | _present(widths=_read(_many(_width), options.width))
    models = tuple(replace(block, **(blocks if is_custom(block.name) else of_shelf)) for block in start.models)
    requested = replace(start, **of_cells, **of_run, models=models)
    _require_int8("quantization", options.quantization, requested)
    _require_int8("calibration", options.calibration, requested)
    return _with_compilers(requested)


def _with_compilers(sweep: Sweep) -> Sweep:
    """Return the sweep with the targets' own runtimes if no runtime was requested and the targets only compile."""
    stated = (sweep.runtimes, *(block.runtimes for block in sweep.models if block.runtimes))
    if {*stated} != {USUAL_RUNTIMES} or not all(catalogue.target(name).compiles_only for name in sweep.targets):
        return sweep
    return replace(sweep, runtimes=(ALL,))


def _convolutional(start: Sweep) -> Sweep:
    """Return a sweep of the same networks with convolutions in place of their dense layers.

    Raises:
        UnknownName: a network has no form without dense layers.
    """
    known = {name.removesuffix(CONVOLUTIONAL): name for name in names("architectures") if name.endswith(CONVOLUTIONAL)}
    for block in start.models:
        require("network with a convolutional form", block.name, known)
    return replace(start, models=tuple(replace(block, name=known[block.name]) for block in start.models))


def _of_cells(options: SweepOptions) -> dict[str, Any]:
    """Parse the options that override the blocks of a sweep."""
    return _present(
        resolutions=_read(_many(_whole("resolution")), options.resolution),
        precisions=_read(_many(_precision), options.precision),
        quantizations=_read(_many(_quantization), options.quantization),
        runtimes=_read(_many(str), options.runtime),
        threads=_read(_many(_whole("threads")), options.threads),
        batches=_read(_many(_whole("batch")), options.batch),
        weights=options.weights or None,
        weights_dir=options.weights_dir or None,
        dataset=options.dataset or None,
        preprocessing=options.preprocessing or None,
        classes=_read(_classes, options.classes),
        input=options.input or None,
        calibration=options.calibration or None,
        input_data=options.input_data or None,
        task=options.task or None,
        decode=options.decode or None,
    )


def _of_run(options: SweepOptions) -> dict[str, Any]:
    """Parse the options that concern the whole run; a budget replaces a sweep's time limit."""
    time_limit, budget = _read(_time, options.time_limit), _read(_time, options.budget)
    return _present(
        targets=_read(_many(str), options.target),
        preset=options.preset or None,
        time_limit="" if budget and not time_limit else time_limit,
        budget=budget,
        sustained=_read(_time, options.sustained),
        stages=bool(options.stages) or None,
        name=options.name or None,
    )


def _read(read: Callable[[str], Value], text: str) -> Value | None:
    return read(text) if text else None


def detectors(model: str, width: str) -> list[tuple[str, float]]:
    """Return pairs of detector and width, read from comma-separated lists; an empty list means the default pairs.

    Raises:
        RequestError: a network is not a detector, or a width is not a number.
    """
    if not model and not width:
        return []
    detecting = [name for name in names("architectures") if task(name) == "detection"]
    known = [name for name in detecting if not literal("architectures", name, "DECODER")]  # these can be trained here
    if not width:
        raise RequestError("wanted --width with --base --model, found none; add --width 0.25")
    chosen = [(name, value) for name in _many(str)(model) or known for value in _many(_width)(width)]
    for name, value in chosen:
        require("detector", name, known)
        check_size(name, value, RESOLUTION, CLASSES)
    return chosen


def _present(**fields: object) -> dict[str, Any]:
    return {field: value for field, value in fields.items() if value is not None}


def _require_its_kind(start: Sweep, options: SweepOptions) -> None:
    """Refuse an option that applies to none of the sweep's models."""
    given = [is_custom(block.name) for block in start.models]
    for option, text in (("width", options.width), ("resolution", options.resolution)):
        if text and given and all(given):
            raise RequestError(f"wanted a built-in network for --{option}, found only models with a fixed size")
    for option, text in (
        ("input", options.input),
        ("input-data", options.input_data),
        ("decode", options.decode),
    ):
        if text and not any(given):
            raise RequestError(f"--{option} applies to models given as a file, such as --model net.onnx; found none")


def _require_int8(option: str, text: str, requested: Sweep) -> None:
    """Refuse an option that needs int8 if the sweep does not have this precision."""
    precisions = {cell.precision for cell in requested.cells()} if text else set()
    if precisions and Precision.INT8 not in precisions:
        raise RequestError(f"wanted int8 for --{option} {text}, found none; add int8 to --precision")


def training(options: TrainingOptions) -> Options:
    """Parse the options of a training.

    Raises:
        RequestError: a name or number is impossible.
    """
    optimizer = options.optimizer or "adamw"
    require("optimizer", optimizer, OPTIMIZERS)
    batch = _whole("batch")(options.batch or str(BATCH))
    if batch < 2:
        raise RequestError(f"wanted a --batch of 2 or more to train with, found {batch}")
    return Options(
        epochs=_epochs(options.epochs) if options.epochs else 0,
        optimizer=optimizer,
        rate=_rate(options.rate) if options.rate else 0.0,
        batch=batch,
        augmentation=_augmentation(options.augmentation),
        requested=True,
    )


def _epochs(text: str) -> int:
    epochs = _whole("epochs")(text)
    if not epochs:
        raise RequestError("wanted --epochs of at least 1, found 0; leave it out for the default")
    return epochs


def _rate(text: str) -> float:
    if not re.fullmatch(r"\d*\.?\d+(e-?\d+)?", text) or not 0 < float(text) <= 1:
        raise RequestError(f"wanted a --rate of more than 0 and at most 1, found {text!r}")
    return float(text)


def _augmentation(text: str) -> tuple[str, ...] | None:
    """Parse a comma-separated list of augmentations: `none` gives an empty tuple, and an empty text gives None."""
    kinds = _many(str)(text)
    for kind in kinds:
        require("augmentation", kind, (*AUGMENTATIONS, "none"))
    if "none" in kinds and set(kinds) != {"none"}:
        raise RequestError(f"wanted --augmentation none or kinds of augmentation, found both: {text}; leave one out")
    return tuple(kind for kind in AUGMENTATIONS if kind in kinds) if kinds else None


def _of_models(names: tuple[str, ...]) -> Sweep:
    named = re.sub(r"[^\w.-]", "_", "-".join(map(title, names)), flags=re.ASCII).lstrip("._-")
    return Sweep(name=named, models=tuple(Model(name=name) for name in names))
