"""This machine and its installed packages -> which features work, and a command that installs each missing one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edgebench import __version__
from edgebench.agent import gpu, machine
from edgebench.deploy import emulation
from edgebench.export.formats import tool_version
from edgebench.foundation.errors import for_users
from edgebench.foundation.files import home
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet, Value
from edgebench.foundation.shelf import load, names
from edgebench.foundation.units import MIB, counted

EXTRAS = ("tflite", "openvino", "ncnn", "vela", "figures", "gpu")  # the extras of edgebench whose packages are checked
DRAWING = "vl-convert-python"
TRIAL_S = 120.0  # time limit of a fresh process in seconds; importing torch from a slow disk takes long
# The smallest model file of each format, in base64; the model returns its input, an image of one pixel.
# The files are needed because a runtime that can be imported can still fail to open a file.
LEAST_FILES = {
    "onnx": "CAg6TwoQCgF4EgF5IghJZGVudGl0eRIBZ1obCgF4EhYKFAgBEhAKAggBCgIIAwoCCAEKAggBYhsKAXkSFgoUCAESEAoCCAEKAggD"
    "CgIIAQoCCAFCBAoAEA0=",
    "tflite": "GAAAAFRGTDMAAA4AFAAQAAwACAAAAAQADgAAABAAAAAcAAAAhAAAAAMAAAABAAAACAAAAAQABAAEAAAAAQAAABAAAAAMABQAEAAM"
    "AAgABAAMAAAAVAAAADQAAAAwAAAABAAAAAEAAAAQAAAADAAMAAgAAAAAAAQADAAAAAgAAAAUAAAAAQAAAHgAAAABAAAAAAAAAAQA"
    "AAABAAAAAQAAAAEAAAADAAAAAAAAAA==",
    "ncnn": "UEsDBBQAAAAIAAAAIQDwpSvuNAAAAEEAAAALAAAAbW9kZWwucGFyYW0zNzczNzU05zJSMOLyzCsoLVHIzDNQMFAwhNC2hgqGQGxka8zl"
    "l59foJBfWgKSg8iCOFwAUEsBAhQDFAAAAAgAAAAhAPClK+40AAAAQQAAAAsAAAAAAAAAAAAAAIABAAAAAG1vZGVsLnBhcmFtUEsFBgAA"
    "AAABAAEAOQAAAF0AAAAAAA==",
}
_GUARD = """import sys
try:
    {body}
except BaseException as error:
    print("\\n" + (f"{{type(error).__name__}}: {{error}}".splitlines()[0]))
    sys.exit(1)
"""
_IMPORT = _GUARD.format(body="import importlib; [importlib.import_module(name) for name in sys.argv[1:]]")
_OPEN = _GUARD.format(
    body="""from edgebench.foundation.shelf import load
    runtime = load("runtimes", sys.argv[1])
    runtime.prepare()
    options = [group[0] for group in runtime.OPTIONS]
    if len(sys.argv) > 2 and hasattr(runtime, "compile"):
        runtime.compile(sys.argv[2], batch=1, options=options)
    elif len(sys.argv) > 2:
        runtime.open(sys.argv[2], threads=1, batch=1, options=options).run()"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that edgebench requires or can use on this machine.

    Attributes:
        version: the installed version; an empty text if the package is not installed.
        extra: the optional extra of edgebench that installs the package; an empty text if edgebench itself requires the
            package.
        wanted: the versions that edgebench accepts.
        problem: why the package cannot be used; an empty text if it works, or if it is optional and not installed.
        install: the command that installs or repairs the package; an empty text if the package is installed and works.
    """

    name: str
    version: str
    wanted: str
    extra: str
    problem: str = ""
    install: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """A feature of edgebench that needs certain packages or tools.

    Attributes:
        kind: `runtime`, `format`, `connection`, `figures` or `device`.
        missing: the package or tool that is missing; an empty text if the feature works.
        install: the command that installs what is missing; an empty text if nothing is missing, or if there is no
            package for this machine.
        is_broken: whether the feature is installed but does not work; `missing` then says why.
    """

    kind: str
    name: str
    missing: str = ""
    install: str = ""
    is_broken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Facts about this machine, without names that identify it. An unknown fact is 0 or an empty text."""

    cpu: str
    architecture: str
    cores: int
    usable_cores: int
    memory_bytes: int
    isa: tuple[str, ...]
    governor: str
    is_virtual: bool
    system: str
    kernel: str
    libc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A description of an installation of edgebench.

    Attributes:
        is_healthy: whether all required packages are installed and nothing that is installed is broken.
    """

    edgebench: str
    python: str
    is_healthy: bool
    machine: Machine
    packages: tuple[Package, ...]
    abilities: tuple[Ability, ...]
    cache_bytes: int
    cache_files: int


def diagnose() -> Diagnosis:
    """Describe this machine, try to import every package, and try to open a tiny model with every runtime.

    Each attempt runs in a fresh process.
    """
    packages, abilities = tuple(_packages()), tuple(_abilities())
    files = _cached()
    is_broken = any(package.problem for package in packages) or any(ability.is_broken for ability in abilities)
    return Diagnosis(
        edgebench=__version__,
        python=machine.identity()["python"],
        is_healthy=not is_broken,
        machine=_machine(),
        packages=packages,
        abilities=abilities,
        cache_bytes=sum(files),
        cache_files=len(files),
    )


def _machine() -> Machine:
    facts = machine.identity()
    return Machine(
        cpu=facts.get("cpu", ""),
        architecture=facts["machine"],
        cores=int(facts.get("cores", 0)),
        usable_cores=int(facts["usable_cores"]),
        memory_bytes=int(facts["memory_bytes"]),
        isa=tuple(facts.get("isa", "").split()),
        governor=facts.get("governor", ""),
        is_virtual=facts.get("hypervisor") == "yes",
        system=facts.get("os", ""),
        kernel=facts["kernel"],
        libc=facts.get("libc", ""),
    )


def _cached() -> list[int]:
    """Return the size in bytes of every file in the cache."""
    return [file.stat().st_size for file in home().glob("*/**/*") if file.is_file()]


def _packages() -> Iterator[Package]:
    """Yield the state of each package that edgebench requires or can use on this Python and operating system."""
    wanted = _wanted()
    if not wanted:
        problem = "it is a bare source tree without the package metadata that list its requirements"
        yield Package(name="edgebench", version="", wanted="", extra="", problem=problem, install="pip install -e .")
    modules = [_module(requirement.name) for requirement, _ in wanted if _is_imported(requirement.name)]
    is_whole = not _trial(_IMPORT, *modules)  # one process for all, because importing torch takes seconds
    for requirement, extra in wanted:
        yield _package(requirement, extra, is_whole=is_whole)


def _wanted() -> list[tuple[Requirement, str]]:
    """Return each requirement that applies to this Python and system, with the extra of edgebench that lists it.

    The extra is empty for a required package.
    """
    lines = dict[str, tuple[Requirement, str]]()
    for extra in ("", *EXTRAS):
        for line in _requirements():
            if line.name != "edgebench" and _applies(line, extra):
                lines.setdefault(line.name, (line, extra))
    return list(lines.values())


def _requirements() -> list[Requirement]:
    try:
        return list(map(Requirement, requires("edgebench") or ()))
    except PackageNotFoundError:
        return []


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _package(requirement: Requirement, extra: str, *, is_whole: bool) -> Package:
    installed, wanted = _version(requirement.name), f"{requirement.name}{requirement.specifier}"
    problem = _problem(requirement, installed, is_required=not extra)
    if not problem and not is_whole and _is_imported(requirement.name):
        problem = _trial(_IMPORT, _module(requirement.name))
    return Package(
        name=requirement.name,
        version=installed,
        wanted=str(requirement.specifier),
        extra=extra,
        problem=problem,
        install=_pip(wanted, extra) if problem or not installed else "",
    )


def _is_imported(package: str) -> bool:
    """Return whether a package is installed and has to be tested by importing it.

    Runtimes are tested by opening a file instead, each in a process of its own: two builds of TFLite in one process can
    crash it.
    """
    is_opened = any(package in load("runtimes", name).NEEDS[:1] for name in names("runtimes"))
    return bool(_version(package)) and not is_opened


def _version(package: str) -> str:
    try:
        return tool_version(package)
    except PackageNotFoundError:
        return ""


def _problem(requirement: Requirement, installed: str, *, is_required: bool) -> str:
    if not installed:
        return "required and not installed" if is_required else ""
    fits = requirement.specifier.contains(installed, prereleases=True)
    return "" if fits else f"wanted {requirement.name}{requirement.specifier}, found {installed}"


def _pip(wanted: str, extra: str) -> str:
    return f"pip install 'edgebench[{extra}]'" if extra else f"pip install '{wanted}'"


def _module(package: str) -> str:
    """Return the module to import for a package: the module with the package's name, or else the package's first
    module.

    For example, pillow is imported as PIL.
    """
    own = canonicalize_name(package)
    brought = sorted(module for module, owners in _owners().items() if own in owners)
    named = [module for module in brought if canonicalize_name(module) == own]
    return next(iter(named or brought), own.replace("-", "_"))


@cache
def _owners() -> dict[str, set[str]]:
    """Return the canonical names of the packages that install each module. The first call takes 0.3 s."""
    return {module: set(map(canonicalize_name, packages)) for module, packages in packages_distributions().items()}


def _trial(code: str, *arguments: str) -> str:
    """Run code in a fresh process and return why it failed, without paths of this machine; an empty text if it
    succeeded.
    """
    place = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (place, os.environ.get("PYTHONPATH"))))}
    command = [sys.executable, "-c", code, *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            timeout=TRIAL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it gave no answer within {TRIAL_S:.0f} s"
    if done.returncode < 0:
        return f"ended by {signal.Signals(-done.returncode).name}"
    last = (done.stdout.strip().splitlines() or ["it ended without output"])[-1]
    return re.sub(r"(?:/[^\s/:'\"]+)+/", "", last)[:200] if done.returncode else ""


def _abilities() -> Iterator[Ability]:
    yield from map(_runtime, for_users(names("runtimes")))
    yield from map(_format, for_users(names("formats")))
    yield from _connections()
    drawing = "" if _version(DRAWING) else DRAWING
    yield Ability(kind="figures", name="png, pdf", missing=drawing, install=drawing and _pip(drawing, "figures"))
    yield Ability(kind="device", name="cuda", missing=(why := gpu.why_missing()) and f"a GPU: {why}")


def _connections() -> Iterator[Ability]:
    yield _system("ssh", [] if shutil.which("ssh") else ["openssh-client"])
    yield _system("qemu", emulation.missing())


def _system(connection: str, lacking: Sequence[str]) -> Ability:
    install = f"apt-get install {' '.join(lacking)}" if lacking else ""
    return Ability(kind="connection", name=connection, missing=", ".join(lacking), install=install)


def _runtime(name: str) -> Ability:
    runtime = load("runtimes", name)
    try:
        runtime.version()
    except PackageNotFoundError:
        package = runtime.NEEDS[0]
        if hasattr(runtime, "ENVIRONMENT"):
            install = f"edgebench run --runtime {name}"
            return Ability(kind="runtime", name=name, missing=f"{package}: the first run installs it", install=install)
        return Ability(kind="runtime", name=name, missing=package, install=_bring(package))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "least"
        content = LEAST_FILES.get(runtime.FORMAT)
        file.write_bytes(b64decode(content or ""))
        problem = _trial(_OPEN, name, *([str(file)] if content else []))
    return Ability(kind="runtime", name=name, missing=problem, is_broken=bool(problem))


def _format(name: str) -> Ability:
    lacking = [tool for tool in load("formats", name).TOOLS if not _version(tool)]
    extra = name if name in EXTRAS else ""
    install = _pip(" ".join(lacking), extra) if lacking else ""
    return Ability(kind="format", name=name, missing=", ".join(lacking), install=install)


def _bring(package: str) -> str:
    """Return the command that installs a runtime's package; an empty text if none exists for this Python and system."""
    lines = (_pip(f"{package}{line.specifier}", extra) for line, extra in _wanted() if line.name == package)
    is_elsewhere = any(line.name == package for line in _requirements())
    return next(lines, "" if is_elsewhere else f"pip install {package}")


def fields(diagnosis: Diagnosis) -> dict[str, Value]:
    """Return the diagnosis as fields for JSON."""
    return asdict(diagnosis)


def sheets(diagnosis: Diagnosis) -> tuple[Sheet, ...]:
    """Return tables of the machine, the packages and the features."""
    title = f"edgebench {diagnosis.edgebench}, {diagnosis.python}"
    return (
        _machine_sheet(diagnosis, title),
        Sheet.of("packages", _OF_PACKAGE, diagnosis.packages),
        _ability_sheet(diagnosis),
    )


def _machine_sheet(diagnosis: Diagnosis, title: str) -> Sheet:
    here = diagnosis.machine
    rows = (
        ("cpu", here.cpu or "unknown"),
        ("architecture", here.architecture),
        ("cores", f"{here.cores}, {here.usable_cores} usable"),
        ("memory", f"{here.memory_bytes / MIB / 1024:.1f} GiB"),
        ("instructions", " ".join(here.isa) or "none that speeds up int8"),
        ("governor", here.governor or "unknown"),
        ("virtual", "yes" if here.is_virtual else "no"),
        ("system", f"{here.system or 'unknown'}, {here.kernel}, {here.libc or 'unknown C library'}"),
        ("cache", f"{diagnosis.cache_bytes / MIB:.1f} MiB in {counted(diagnosis.cache_files, 'file')}"),
    )
    return Sheet.of(title, _OF_MACHINE, rows)


def _package_state(package: Package) -> str:
    return package.problem or ("installed" if package.version else "not installed")


def _ability_sheet(diagnosis: Diagnosis) -> Sheet:
    note = (
        "All required packages work."
        if diagnosis.is_healthy
        else "A required package is missing, or something is broken."
    )
    return Sheet.of("features", _OF_ABILITY, diagnosis.abilities, (note,))


def _state(ability: Ability) -> str:
    if ability.is_broken:
        return f"broken: {ability.missing}"
    return f"lacks {ability.missing}" if ability.missing else "works"


_OF_MACHINE: tuple[Column[tuple[str, str]], ...] = (
    Column.text("machine", itemgetter(0), IDENTITY),
    Column.text("", itemgetter(1), OBJECTIVE),
)
_OF_PACKAGE: tuple[Column[Package], ...] = (
    Column.text("package", lambda package: package.name, IDENTITY),
    Column.text("version", lambda package: package.version or "-", OBJECTIVE),
    Column.text("wanted", lambda package: package.wanted or "any"),
    Column.text("for", lambda package: f"edgebench[{package.extra}]" if package.extra else "edgebench"),
    Column.text("state", _package_state, OBJECTIVE),
    Column.text("how to repair it", lambda package: package.install or "-", OBJECTIVE),
)
_OF_ABILITY: tuple[Column[Ability], ...] = (
    Column.text("what", lambda ability: ability.kind, IDENTITY),
    Column.text("name", lambda ability: ability.name, IDENTITY),
    Column.text("state", _state, OBJECTIVE),
    Column.text("how to install it", lambda ability: ability.install or "-", OBJECTIVE),
)
