"""A runtime's packages, and a target's processor -> whether the packages run there, tried once in an emulator.

A wheel can contain instructions that a processor lacks; the process that runs them then dies of SIGILL. qemu emulates
only the instructions that the named processor has, so such a wheel is found before it is copied to a board.
"""

from __future__ import annotations

import signal
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar
from zipfile import ZipFile

from packaging.version import Version

from edgebench.deploy.answers import Answer, ask
from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections.qemu import Emulated
from edgebench.deploy.emulation import Emulator, root, uncounted
from edgebench.deploy.wheels import Platform, gather, platform
from edgebench.foundation import cache, files, provenance
from edgebench.foundation.errors import AgentError, RequestError
from edgebench.foundation.shelf import load
from edgebench.schema import STRICT
from edgebench.schema.cards import Packages, Trial
from edgebench.schema.quantization import Quantization
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision, Variant, WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgebench.deploy.connections import Connection
    from edgebench.schema.target import Target

FILES = Path(__file__).parent / "trials"  # a small network for each precision and format, such as `int8.onnx`
TIMEOUT_S = 300.0  # an emulated import of OpenVINO takes 20 s on a core of its own
NAMELESS = "the target's file names no processor: add `cpu`, one of the names that qemu-aarch64 -cpu help lists"
# The network in `FILES`; a runtime's `refuses` reads only some of these fields.
_FLOAT = Variant(
    architecture="trial",
    width=1.0,
    resolution=32,
    precision=Precision.FP32,
    classes=8,
    weights=WeightSource.RANDOM,
    dataset="digits",
)
_INT8 = replace(_FLOAT, precision=Precision.INT8, quantization=Quantization(activations="int8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran(Answer):
    """The number of networks that a trial ran."""

    __pydantic_config__: ClassVar = STRICT

    ran: int


def tried(request: RuntimeRequest, target: Target, facts: Mapping[str, str]) -> Trial:
    """Import a runtime's packages and run small networks on the target's processor, emulated on this machine.

    `facts` describes the target's machine. The result is remembered for these packages, this processor and this version
    of the emulator. If nothing can be tried, the result says why.

    Raises:
        RequestError: the version does not exist, or has no wheel for the target.
    """
    if not target.cpu:
        return Trial(reason=NAMELESS)
    machine = platform(facts)
    emulator = Emulator(machine=machine.machine, cpu=target.cpu)
    if reason := emulator.why_not:
        return Trial(reason=reason)
    stem = _stem(gather(request.name, request.version, machine), emulator)
    if known := cache.find(stem, Trial):
        return known
    try:
        trial = _tried(request, machine, emulator, facts)
    except RequestError as error:
        return Trial(reason=str(error))
    if trial.failed or not trial.reason:
        cache.put(stem, trial)
    return trial


def remembered(request: RuntimeRequest, target: Target, machine: Platform) -> Trial:
    """Return the result of an earlier trial; an empty result if there was none. Nothing is emulated."""
    emulator = Emulator(machine=machine.machine, cpu=target.cpu)
    if not target.cpu or not any(files.place(Trial.FOLDER).glob("trial-*")) or emulator.why_not:
        return Trial()
    return cache.find(_stem(gather(request.name, request.version, machine), emulator), Trial) or Trial()


def require_legal(request: RuntimeRequest, trial: Trial) -> None:
    """Refuse a runtime that died of an instruction that the target's processor lacks.

    Raises:
        RequestError: the runtime cannot run on the target.
    """
    if trial.is_illegal:
        raise RequestError(f"{trial}, so it was not copied; use another {request.name}==..., or leave it out")


def _stem(packages: Packages, emulator: Emulator) -> str:
    source = provenance.source("deploy/trial", "agent/trial")
    networks = "".join(files.sha256(file) for file in sorted(FILES.iterdir()))
    made_by = {"source": source, "networks": networks, "root": root.key()}
    return f"trial-{provenance.key({'packages': packages.sha256, 'emulator': str(emulator)} | made_by)}"


def _tried(request: RuntimeRequest, board: Platform, emulator: Emulator, facts: Mapping[str, str]) -> Trial:
    """Try the packages that the emulated Python can load: those of the board, unless its Python or glibc is newer."""
    folder = emulator.folder
    glibc = min(board.glibc, root.glibc(folder, board.machine), key=Version)
    emulated = Platform(python=root.python(folder), machine=board.machine, glibc=glibc)
    packages = gather(request.name, request.version, emulated)
    python = "" if emulated.python == board.python else emulated.python
    trial = Trial(emulator=str(emulator), packages=packages.packages, python=python)
    with (
        TemporaryDirectory() as scratch,
        ZipFile(cache.path_of(packages)) as archive,
        closing(Emulated(uncounted(emulator), bundle()[0])) as connection,
    ):
        archive.extractall(scratch)
        return _steps(trial, connection, list(_requests(request.name, scratch, facts)))


def _requests(runtime: str, packages: str, facts: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each step's name and its request to the agent; each request repeats the imports of the earlier steps."""
    plugin = load("runtimes", runtime)
    usual = [option for option, device in plugin.DEVICES.items() if device == "cpu"]
    options = RuntimeRequest(name=runtime).resolve(plugin.OPTIONS, usual)
    request = {"do": "trial", "packages": packages, "imports": ["numpy"], "paths": [], "options": options}
    yield "numpy", request
    yield "import", request | {"runtime": runtime}
    for variant in (_FLOAT, _INT8):
        path = FILES / f"{variant.precision}.{plugin.FORMAT}"
        refuses_on = getattr(plugin, "refuses_on", lambda *_: "")
        if path.exists() and not (plugin.refuses(variant, options) or refuses_on(variant, facts)):
            yield str(variant.precision), request | {"runtime": runtime, "paths": [str(path)]}


def _steps(trial: Trial, connection: Connection, steps: list[tuple[str, dict[str, Any]]]) -> Trial:
    """Run all steps in one process; if that fails, run the steps one by one, and name the first that fails."""
    last = steps[-1][1] | {"paths": [path for _, request in steps for path in request["paths"]]}
    whole, passed = _step(trial, "all", connection, last), list[str]()
    for name, request in steps if whole.reason else ():
        if (step := _step(trial, name, connection, request)).reason:
            return replace(step, passed=(*passed,))
        passed.append(name)
    return replace(whole, passed=tuple(name for name, _ in steps))


def _step(trial: Trial, name: str, connection: Connection, request: Mapping[str, Any]) -> Trial:
    """Run one step; if it failed, say why.

    `failed` stays empty if the cause lies in this machine, because the time or the memory ran out.
    """
    started = monotonic()
    try:
        ask(connection, _Ran, request, timeout_s=TIMEOUT_S)
    except AgentError as error:
        code = error.returncode or 0
        if code == -signal.SIGKILL or monotonic() - started >= TIMEOUT_S:
            return replace(trial, reason=str(error))
        killed_by = signal.Signals(-code).name if code < 0 else ""
        return replace(trial, reason=str(error), failed=name, signal=killed_by)
    return trial
