"""What a person typed -> the sweep they ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar

from edgebench import store
from edgebench.errors import RequestError, UnknownName
from edgebench.spec import Model, Precision, Sweep
from edgebench.units import parse_duration

T = TypeVar("T")
DEFAULT = "default"


def sweep(
    given: str,
    *,
    target: str,
    model: str,
    width: str,
    resolution: str,
    precision: str,
    runtime: str,
    threads: str,
    batch: str,
    weights: str,
    dataset: str,
    classes: str,
    preset: str,
    time_limit: str,
    name: str,
) -> Sweep:
    """Start from a sweep file, the named models or the default sweep, and let every flag replace what it names.

    Raises:
        RequestError: a name or number that cannot be.
    """
    if given and model:
        raise RequestError(f"wanted a sweep or --model, found both ({given} and {model})")
    start = _of_models(_list(model, str)) if model else store.sweep(given or DEFAULT)
    everywhere = {  # flags that also replace what a [[models]] block says
        "resolutions": _list(resolution, _whole("resolution")),
        "precisions": _list(precision, _member(Precision, "precision")),
        "runtimes": _list(runtime, str),
        "weights": weights,
        "dataset": dataset,
        "classes": _whole("classes")(classes) if classes else 0,
    }
    on_top = {
        "targets": _list(target, str),
        "threads": _list(threads, _whole("threads")),
        "batches": _list(batch, _whole("batch")),
        "preset": preset,
        "time_limit": time_limit,
        "name": name,
    }
    if time_limit:
        parse_duration(time_limit)
    given_everywhere = {key: value for key, value in everywhere.items() if value}
    blocks: dict[str, Any] = dict.fromkeys(given_everywhere) | ({"widths": _list(width, _number)} if width else {})
    models = tuple(replace(block, **blocks) for block in start.models)
    given_on_top = {key: value for key, value in on_top.items() if value}
    changes: dict[str, Any] = given_everywhere | given_on_top | {"models": models}
    return replace(start, **changes)


def _of_models(names: tuple[str, ...]) -> Sweep:
    return Sweep(name="-".join(names), models=tuple(Model(name=name) for name in names))


def _list(text: str, read: Callable[[str], T]) -> tuple[T, ...]:
    return tuple(read(part.strip()) for part in text.split(",") if part.strip())


def _whole(noun: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal():
            raise RequestError(f"wanted a whole number for --{noun}, found {text!r}")
        return int(text)

    return read


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"wanted a number for --width, found {text!r}") from None


def _member(kind: type[StrEnum], noun: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if text not in list(kind):
            raise UnknownName(noun, text, tuple(kind))
        return kind(text)

    return read
