"""A model's file -> tables of the file's content and of the runtimes that open it, and an `edgebench run` command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING

from edgebench.export.custom.inspect import Inspected, Port, inspect
from edgebench.foundation.sheet import IDENTITY, Column, Fact, Sheet
from edgebench.foundation.shelf import load, names
from edgebench.foundation.units import MIB, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TABLES = ("model", "inputs", "outputs", "operators", "types", "runtimes")
OPEN = "open axes have no fixed size: replace the sizes in the command by your own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A runtime that opens files of a format. The version is an empty text if the runtime is not installed here."""

    name: str
    version: str
    install: str


def sheets(name: str, asked: str = "") -> list[Sheet]:
    """Return tables of the content of a model's file, without running the model.

    Raises:
        RequestError: the file is not a complete model file.
    """
    found = inspect(name, asked)
    runtimes = tuple(_runtimes(found.format))
    return [
        Sheet.of_facts(
            f"{found.name}", FACTS, _facts(found, command(name, found, runtimes)), _notes(found), name="model"
        ),
        Sheet.of("inputs", PORTS, found.inputs, name="inputs"),
        Sheet.of("outputs", PORTS, found.outputs, name="outputs"),
        Sheet.of("operators", OPERATORS, found.operators.items(), name="operators"),
        Sheet.of("constants by type", TYPES, found.types.items(), name="types"),
        Sheet.of("runtimes", RUNTIMES, runtimes, name="runtimes"),
    ]


def command(name: str, found: Inspected, runtimes: Sequence[Runtime]) -> str:
    """Return the `edgebench run` command for the file.

    Return an empty text if the file must be changed before edgebench can measure it.
    """
    if found.way.refusal:
        return ""
    parts = ["edgebench", "run", "--model", name, "--precision", str(found.precision)]
    parts += [part for shape in found.way.asked for part in ("--input", shape)]
    if "onnxruntime" not in [one.name for one in runtimes]:
        parts += ["--runtime", next((one.name for one in runtimes if one.version), runtimes[0].name)]
    return shlex.join(parts)


def _runtimes(format: str) -> Iterator[Runtime]:
    for name in names("runtimes"):
        runtime = load("runtimes", name)
        if format != runtime.FORMAT:
            continue
        try:
            yield Runtime(name=name, version=runtime.version(), install="")
        except PackageNotFoundError:
            yield Runtime(name=name, version="", install=f"pip install {runtime.NEEDS[0]}")


def _facts(found: Inspected, run: str) -> Iterator[Fact]:
    way, cost = found.way, found.cost
    yield Fact.of(
        "file",
        f"{found.format}, {number(found.size_bytes / MIB, 2)} MiB",
        format=found.format,
        file_mib=found.size_bytes / MIB,
    )
    yield Fact.of("operator sets", found.opset, opset=found.opset)
    yield Fact.of(
        "computes in",
        " ".join((found.precision, found.given)).strip(),
        precision=found.precision,
        given=found.given or None,
    )
    params, macs = _count(cost.params, cost.least_params), _count(cost.macs, cost.least_macs)
    yield Fact.of("parameters", params, params=cost.params, params_at_least=cost.least_params)
    yield Fact.of("multiply-adds", macs, macs=cost.macs, macs_at_least=cost.least_macs)
    yield Fact.of("not counted", cost.uncounted or "nothing", uncounted=cost.uncounted or None)
    yield Fact.of("classifier of images", "yes" if way.is_classifier else "no", is_classifier=way.is_classifier)
    yield Fact.of("signatures", ", ".join(found.signatures) or "none", signatures=found.signatures)
    measured = f"no: {way.refusal}" if way.refusal else "yes"
    yield Fact.of("can be measured", measured, refusal=way.refusal or None)
    yield Fact.of("run", run or "not possible", run=run or None)


def _count(whole: int | None, least: int | None) -> str:
    """Format a count, or its lower bound if the count is not known."""
    if whole is None:
        return f">= {least:,}" if least else "not known"
    return f"{whole:,}"


def _notes(found: Inspected) -> Iterator[str]:
    if found.way.asked and not found.way.shapes:
        yield OPEN
    if not found.way.is_classifier and not found.way.refusal:
        yield "no accuracy is measured: the inputs are seeded random values, or the arrays of --input-data"


FACTS: tuple[Column[Fact], ...] = (
    Column.text("what", lambda fact: fact.what, IDENTITY),
    Column.text("found", lambda fact: fact.text),
)
PORTS: tuple[Column[Port], ...] = (
    Column.text("name", lambda port: port.name, IDENTITY),
    Column.text("type", lambda port: port.dtype, type=lambda port: port.dtype),
    Column.text("shape", lambda port: port.shape or None),
)
OPERATORS: tuple[Column[tuple[str, int]], ...] = (
    Column.text("operator", lambda entry: entry[0], IDENTITY),
    Column.figure("count", lambda entry: entry[1]),
)
TYPES: tuple[Column[tuple[str, int]], ...] = (
    Column.text("type", lambda entry: entry[0], IDENTITY),
    Column.figure("values", lambda entry: entry[1]),
)
RUNTIMES: tuple[Column[Runtime], ...] = (
    Column.text("runtime", lambda runtime: runtime.name, IDENTITY),
    Column.text("version", lambda runtime: runtime.version or None),
    Column.text("install", lambda runtime: runtime.install or None),
)
