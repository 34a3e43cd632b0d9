"""What a person typed -> the sweep they ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from edgebench.export import custom
from edgebench.foundation.errors import RequestError, UnknownName
from edgebench.foundation.units import parse_duration
from edgebench.measure.plan import sweeps
from edgebench.schema.quantization import DIGITS, parse
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision
from edgebench.train import BATCH, Options
from edgebench.train.course import AUGMENTATIONS, OPTIMIZERS

DEFAULT = "default"
Reader = Callable[[str], Any]


def _many(read: Reader) -> Reader:
    """Read a comma list."""
    return lambda text: tuple(read(part.strip()) for part in text.split(",") if part.strip())


def _whole(noun: str) -> Reader:
    def read(text: str) -> int:
        if not re.fullmatch(DIGITS, text):
            raise RequestError(f"wanted a whole number for --{noun}, found {text[:40]!r}")
        return int(text)

    return read


def _width(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"wanted a number for --width, found {text!r}") from None


def _precision(text: str) -> Precision:
    if text not in list(Precision):
        raise UnknownName("precision", text, tuple(Precision))
    return Precision(text)


def _quantization(text: str) -> str:
    parse(text)
    return text


def _time(text: str) -> str:
    parse_duration(text)
    return text


# A flag's field of the sweep, and how its text is read.
FIELDS: dict[str, tuple[str, Reader]] = {
    "target": ("targets", _many(str)),
    "preset": ("preset", str),
    "time_limit": ("time_limit", _time),
    "budget": ("budget", _time),
    "sustained": ("sustained", _time),
    "name": ("name", str),
}
# These win over what a [[models]] block says of its own.
FIELDS_OF_BLOCKS: dict[str, tuple[str, Reader]] = {
    "resolution": ("resolutions", _many(_whole("resolution"))),
    "precision": ("precisions", _many(_precision)),
    "quantization": ("quantizations", _many(_quantization)),
    "runtime": ("runtimes", _many(str)),
    "threads": ("threads", _many(_whole("threads"))),
    "batch": ("batches", _many(_whole("batch"))),
    "weights": ("weights", str),
    "dataset": ("dataset", str),
    "preprocessing": ("preprocessing", str),
    "classes": ("classes", _whole("classes")),
    "input": ("input", str),
    "calibration": ("calibration", str),
}


def sweep(given: str, flags: Mapping[str, str]) -> Sweep:
    """Start from a sweep's name or file, the named models or the default sweep; let every flag replace what it names.

    Raises:
        RequestError: a name or number that cannot be.
    """
    if given and flags["model"]:
        raise RequestError(f"wanted a sweep or --model, found both ({given} and {flags['model']})")
    start = _of_models(_many(str)(flags["model"])) if flags["model"] else sweeps.sweep(given or DEFAULT)
    return _changed(start, flags)


def grid(known: Sweep, given: str, flags: Mapping[str, str]) -> Sweep:
    """Start from a results folder's own sweep; take networks and sizes from another one, or from flags, where named.

    Raises:
        RequestError: a name or number that cannot be, or two that say the same.
    """
    if given and flags["model"]:
        raise RequestError(f"wanted a sweep or --model, found both ({given} and {flags['model']})")
    other = _of_models(_many(str)(flags["model"])) if flags["model"] else sweeps.sweep(given) if given else known
    start = replace(known, models=other.models, resolutions=(other if given else known).resolutions)
    return _changed(start, flags)


def _changed(start: Sweep, flags: Mapping[str, str]) -> Sweep:
    """Let every flag replace what it names; a budget replaces a time limit."""
    in_blocks, on_top = _read(FIELDS_OF_BLOCKS, flags), _read(FIELDS, flags)
    if "budget" in on_top:
        on_top = {"time_limit": ""} | on_top
    _require_its_kind(start, flags)
    blocks: dict[str, Any] = dict.fromkeys(in_blocks)
    of_shelf = blocks | _read({"width": ("widths", _many(_width))}, flags)
    models = tuple(replace(block, **(blocks if custom.is_custom(block.name) else of_shelf)) for block in start.models)
    asked = replace(start, **in_blocks, **on_top, models=models)
    for flag in ("quantization", "calibration"):
        if words := flags.get(flag):
            _require_int8(flag, words, asked)
    return asked


def _require_its_kind(start: Sweep, flags: Mapping[str, str]) -> None:
    """Refuse what concerns only networks of the shelf where there are none, and what concerns only given models."""
    given = [custom.is_custom(block.name) for block in start.models]
    for flag in ("width", "resolution"):
        if flags.get(flag) and given and all(given):
            raise RequestError(f"wanted --{flag} with a network of the shelf, found only models that have theirs")
    if flags.get("input") and not any(given):
        raise RequestError("--input is of models that are given as a file, such as --model net.onnx; found none")


def _require_int8(flag: str, words: str, asked: Sweep) -> None:
    precisions = {cell.precision for cell in asked.cells()}
    if precisions and Precision.INT8 not in precisions:
        raise RequestError(f"wanted --{flag} {words}, which is of int8, and no int8; add it to --precision")


def training(flags: Mapping[str, str]) -> Options:
    """Read how a person wants networks trained.

    Raises:
        RequestError: a name or number that cannot be.
    """
    optimizer = flags["optimizer"] or "adamw"
    if optimizer not in OPTIMIZERS:
        raise UnknownName("optimizer", optimizer, tuple(OPTIMIZERS))
    batch = _whole("batch")(flags["batch"] or str(BATCH))
    if batch < 2:
        raise RequestError(f"wanted a --batch of 2 and more to train with, found {batch}")
    return Options(
        epochs=_epochs(flags["epochs"]) if flags["epochs"] else 0,
        optimizer=optimizer,
        rate=_rate(flags["rate"]) if flags["rate"] else 0.0,
        batch=batch,
        augmentation=_augmentation(flags["augmentation"]),
        requested=True,
    )


def _epochs(text: str) -> int:
    epochs: int = _whole("epochs")(text)
    if not epochs:
        raise RequestError("wanted --epochs of at least 1, found 0; without it the number follows from the network")
    return epochs


def _rate(text: str) -> float:
    if not re.fullmatch(r"\d*\.?\d+(e-?\d+)?", text) or not 0 < float(text) <= 1:
        raise RequestError(f"wanted a --rate of more than 0 and at most 1, found {text!r}")
    return float(text)


def _augmentation(text: str) -> tuple[str, ...] | None:
    """Read a comma list, `none`, or nothing said."""
    kinds: tuple[str, ...] = _many(str)(text)
    for kind in kinds:
        if kind not in (*AUGMENTATIONS, "none"):
            raise UnknownName("augmentation", kind, (*AUGMENTATIONS, "none"))
    if "none" in kinds and set(kinds) != {"none"}:
        raise RequestError(f"wanted --augmentation none or kinds of it, found both: {text}; leave one out")
    return tuple(kind for kind in AUGMENTATIONS if kind in kinds) if kinds else None


def _read(fields: Mapping[str, tuple[str, Reader]], flags: Mapping[str, str]) -> dict[str, Any]:
    return {field: read(flags[flag]) for flag, (field, read) in fields.items() if flags.get(flag)}


def _of_models(names: tuple[str, ...]) -> Sweep:
    named = re.sub(r"[^\w.-]", "_", "-".join(map(custom.title, names)), flags=re.ASCII).lstrip("._-")
    return Sweep(name=named, models=tuple(Model(name=name) for name in names))
