"""A plug-in's file -> the fields in which it does not meet its shelf's contract; also lists the user's plug-ins.

Each constant or function of a plug-in must be of the same kind as in the shelf's plug-in `null`. A runtime must also
compute the smallest model file of its format.
"""

from __future__ import annotations

import inspect
import json
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType, ModuleType
from typing import Any

from edgebench.agent.runtimes import vela
from edgebench.analysis.doctor import LEAST_FILES
from edgebench.foundation.errors import FOR_TESTS, RequestError, in_words
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.shelf import SHELVES, files, load, names, offered
from edgebench.foundation.units import counted
from edgebench.schema import compilation
from edgebench.schema.target import MEASURED

EXAMPLES = {name: getattr(vela, name) for name in ("COMPILES_ONLY", "compile")}  # the runtime `null` lacks both
OPENS = "open or compile"  # a runtime defines one of these functions
PIXEL = (0.25, -0.5, 2.0)  # the image of one pixel that a runtime must return unchanged
TOLERANCE = 1e-5
NULL_FILE = json.dumps({"delay_s": 0.0, "classes": len(PIXEL)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a contract requires of a field, and what the plug-in has instead."""

    field: str
    wanted: str
    found: str


def check(path: Path) -> tuple[Fault, ...]:
    """Import a plug-in and compare it with the contract of its shelf, the folder in which it lies.

    Raises:
        RequestError: there is no such file, or its folder is not named like a shelf.
    """
    shelf = path.resolve().parent.name
    if shelf not in SHELVES or path.suffix != ".py" or not path.is_file():
        raise RequestError(
            f"wanted the file of a plug-in in a folder called {', '.join(SHELVES)}, found {path}; move it, such as to"
            " plugins/runtimes/mine.py"
        )
    try:
        plugin = _imported(shelf, path)
    except Exception as error:  # a user's file can raise anything
        return (Fault(field="import", wanted="a module that can be imported", found=in_words(error)),)
    faults = tuple(_faults(shelf, plugin))
    return faults if faults or shelf != "runtimes" else tuple(_of_runtime(plugin))


def _imported(shelf: str, path: Path) -> ModuleType:
    name = f"edgebench.{SHELVES[shelf].place}.{path.stem}"
    spec = util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    before = sys.modules.get(name)
    sys.modules[name] = plugin = util.module_from_spec(spec)
    try:
        spec.loader.exec_module(plugin)
    finally:
        if before:
            sys.modules[name] = before
        else:
            del sys.modules[name]
    return plugin


def _faults(shelf: str, plugin: ModuleType) -> Iterator[Fault]:
    """Compare each field of the contract with the field of the shelf's plug-in `null`."""
    contract, null = import_module(f"edgebench.{SHELVES[shelf].place}"), load(shelf, FOR_TESTS)
    if not plugin.__doc__:
        yield Fault(field="docstring", wanted="one sentence that describes the plug-in", found="none")
    for field in (*contract.OFFERS, *getattr(contract, "MAY_OFFER", ())):
        name = offered(plugin, field)
        if field in contract.OFFERS and not name:
            yield Fault(field=field, wanted=f"{field}, as {contract.__name__} describes it", found="none")
        elif name and (example := getattr(null, name, EXAMPLES.get(name))) is not None:
            yield from _unlike(name, getattr(plugin, name), example)


def _unlike(field: str, value: Any, example: Any) -> Iterator[Fault]:
    if isinstance(example, FunctionType):
        if not callable(value):
            yield Fault(field=field, wanted="a function", found=type(value).__name__)
        elif why := _refused(value, example):
            yield Fault(field=field, wanted=f"{field}{inspect.signature(example)}", found=why)
    elif example is not None and value is not None and not isinstance(value, type(example)):
        yield Fault(field=field, wanted=f"a value such as {example!r}", found=f"{value!r}, a {type(value).__name__}")


def _refused(function: Callable[..., object], example: Callable[..., object]) -> str:
    """Return why a function cannot take the arguments that the example takes; an empty text if it can."""
    parameters = inspect.signature(example).parameters.values()
    alone = [item.name for item in parameters if item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD)]
    named = {item.name: None for item in parameters if item.kind == item.KEYWORD_ONLY}
    try:
        inspect.signature(function).bind(*alone, **named)
    except TypeError as error:
        return f"{function.__name__}{inspect.signature(function)}: {error}"
    return ""


def _of_runtime(runtime: ModuleType) -> Iterator[Fault]:
    """Check a runtime's constants against each other, then run it on the smallest file of its format."""
    words = {option for group in runtime.OPTIONS for option in group}
    if runtime.FORMAT not in names("formats"):
        yield Fault(field="FORMAT", wanted=f"one of {', '.join(names('formats'))}", found=repr(runtime.FORMAT))
    for field in ("DEVICES", "SCHEMES"):
        if unknown := sorted(set(getattr(runtime, field)) - words):
            yield Fault(field=field, wanted="keys that are in OPTIONS", found=", ".join(unknown))
    yield from _of_devices(runtime)
    if not runtime.NO_PROFILE and not hasattr(runtime, "profile"):
        yield Fault(field="profile", wanted="profile(), or a text in NO_PROFILE that says why not", found="neither")
    try:
        yield from _of_engine(runtime)
    except Exception as error:  # an engine can raise anything
        does = {"open": "an engine that runs", "compile": "a compiler that compiles"}[field := offered(runtime, OPENS)]
        yield Fault(field=field, wanted=f"{does} the smallest file of its format", found=in_words(error))


def _of_devices(runtime: ModuleType) -> Iterator[Fault]:
    """Check that an engine runs on `cpu` or `cuda`, and that a compiler compiles only for other devices."""
    devices, is_compiler = {*runtime.DEVICES.values()}, getattr(runtime, "COMPILES_ONLY", False)
    if is_compiler != hasattr(runtime, "compile") or (is_compiler and hasattr(runtime, "open")):
        wanted = "COMPILES_ONLY = True and compile(), or open()"
        yield Fault(field="COMPILES_ONLY", wanted=wanted, found=f"{is_compiler!r} and {offered(runtime, OPENS)}()")
    elif is_compiler and (not devices or devices & {*MEASURED}):
        yield Fault(field="DEVICES", wanted="devices that only this compiler knows", found=", ".join(sorted(devices)))
    elif not is_compiler and (unknown := sorted(devices - {*MEASURED})):
        yield Fault(field="DEVICES", wanted=f"devices {' and '.join(MEASURED)}", found=", ".join(unknown))


def _of_engine(runtime: ModuleType) -> Iterator[Fault]:
    version = runtime.version()
    if not isinstance(version, str) or not version:
        yield Fault(field="version", wanted="a text such as '1.2.3'", found=repr(version))
    runtime.prepare()
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"least{load('formats', runtime.FORMAT).SUFFIX}"
        if runtime.FORMAT == FOR_TESTS:
            file.write_text(NULL_FILE, encoding="utf-8")
        elif runtime.FORMAT in LEAST_FILES:
            file.write_bytes(b64decode(LEAST_FILES[runtime.FORMAT]))
        else:
            return
        options = tuple(group[0] for group in runtime.OPTIONS if group[0])
        if hasattr(runtime, "compile"):
            yield from _of_compiler(runtime.compile(str(file), batch=1, options=options))
            return
        yield from _of_session(runtime.open(str(file), threads=1, batch=1, options=options), runtime.FORMAT)


def _of_compiler(facts: Any) -> Iterator[Fault]:
    """Check that the facts that a compiler reports are texts, complete and possible."""
    if not isinstance(facts, dict) or not all(isinstance(text, str) for pair in facts.items() for text in pair):
        yield Fault(field="compile", wanted="a dictionary of texts", found=repr(facts)[:100])
    elif why := compilation.fault(facts):
        yield Fault(field="compile", wanted="the facts that the shelf describes", found=why)


def _of_session(session: Any, format: str) -> Iterator[Fault]:
    """Check that a session runs, returns each of three images unchanged, and reports facts in words."""
    from array import array

    session.run()
    images = [array("f", [value * factor for value in PIXEL]) for factor in (1, 2, 3)]
    data = b"".join(image.tobytes() for image in images)
    answers = session.infer(data, (len(images), len(PIXEL), 1, 1), len(PIXEL))
    found = array("f", bytes(answers)) if isinstance(answers, bytes) else array("f")
    values = array("f", data)
    if len(found) != len(values):
        wanted = f"{len(values)} float32 in bytes, for {counted(len(images), 'image')} of {len(PIXEL)} scores"
        yield Fault(field="infer", wanted=wanted, found=f"{len(found)} values, a {type(answers).__name__}")
    elif format != FOR_TESTS and any(abs(one - other) > TOLERANCE for one, other in zip(found, values, strict=True)):
        yield Fault(field="infer", wanted=f"{values.tolist()}, the images unchanged", found=str(found.tolist()))
    facts = session.facts()
    if not isinstance(facts, dict) or not all(isinstance(text, str) for pair in facts.items() for text in pair):
        yield Fault(field="facts", wanted="a dictionary of texts", found=repr(facts)[:100])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One of the user's plug-ins."""

    shelf: str
    name: str
    file: Path


def listed() -> Sheet:
    """List the user's own plug-ins."""
    found = [Found(shelf=shelf, name=name, file=file) for shelf in SHELVES for name, file in files(shelf).items()]
    notes = () if found else ("There are none; `edgebench guide plugins` says where edgebench looks for them.",)
    return Sheet.of("plug-ins of your own", _FOUND, found, notes)


def sheet(path: Path, faults: tuple[Fault, ...]) -> Sheet:
    """Return a sheet of the faults of a plug-in."""
    note = f"{len(faults)} to mend." if faults else "It meets the contract of its shelf."
    return Sheet.of(str(path), _FAULTS, faults, (note,))


_FOUND: tuple[Column[Found], ...] = (
    Column.text("shelf", lambda one: one.shelf, IDENTITY, shelf=lambda one: one.shelf),
    Column.text("name", lambda one: one.name, IDENTITY, name=lambda one: one.name),
    Column.text("file", lambda one: str(one.file), OBJECTIVE, file=lambda one: str(one.file)),
)
_FAULTS: tuple[Column[Fault], ...] = (
    Column.text("field", lambda fault: fault.field, IDENTITY, field=lambda fault: fault.field),
    Column.text("wanted", lambda fault: fault.wanted, OBJECTIVE, wanted=lambda fault: fault.wanted),
    Column.text("found", lambda fault: fault.found, OBJECTIVE, found=lambda fault: fault.found),
)
