"""A connection to a target -> the target's Environment, as reported by the agent on the target."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError

from edgebench.deploy import unpack
from edgebench.deploy.answers import Facts
from edgebench.deploy.answers import facts as facts_of
from edgebench.deploy.connections import Connection
from edgebench.deploy.exchange import LAST_CHARACTERS, printable
from edgebench.deploy.trial import remembered, require_legal
from edgebench.deploy.wheels import Platform, gather, platform, public
from edgebench.foundation.errors import AgentError, RequestError, Unreachable
from edgebench.foundation.shelf import load
from edgebench.schema.environment import EXPECTED, SERIAL, UNREACHED, Environment, lasting
from edgebench.schema.runtime import PIN, Runtime, RuntimeRequest
from edgebench.schema.target import Target

PATIENCE_S = 60.0  # seconds; after a failure that took longer, the target has possibly stopped answering
TIMEOUT_S = 180.0  # seconds to wait for an answer; an emulated target on a busy host needs 30 s


def survey(
    connection: Connection, target: Target, agent_sha256: str, requests: Iterable[RuntimeRequest] = ()
) -> Environment:
    """Query the target's environment, and copy to the target every requested runtime that it lacks.

    Raises:
        AgentError: the target does not answer.
        RequestError: a requested version does not exist or has no wheel for the target, or the target's device is
            missing.
    """
    report = ask(connection, target.runtimes, device=target.device)
    if why := printable(report.missing_device)[:LAST_CHARACTERS]:
        raise RequestError(f"no {target.device.upper()} device on this target ({why}); see targets/gpu.toml")
    facts = _numbered(target) | report.machine | ({EXPECTED: target.board} if target.is_not(report.machine) else {})
    of_epoch = lasting(facts) | {"agent": agent_sha256}
    missing = tuple(_missing(requests, report, connection))
    brought = {name: come for name, request in missing if (come := _brought(request, connection, target, facts))}
    runtimes = {name: _runtime(name, entry.version, target) for name, entry in report.runtimes.items()}
    files = {name: entry.files for name, entry in report.runtimes.items() if entry.version}
    return Environment(
        target=target.name,
        epoch=hashlib.sha256(json.dumps(of_epoch, sort_keys=True).encode()).hexdigest()[:16],
        agent_sha256=agent_sha256,
        facts=facts,
        packages=report.packages,
        runtimes=runtimes | {name: runtime for name, (runtime, _) in brought.items()},
        runtime_files=files | {name: hash_of_files for name, (_, hash_of_files) in brought.items()},
    )


def _numbered(target: Target) -> dict[str, str]:
    """Return a stand-in for the serial number of one of several boards of a kind, in case the board reports none."""
    return {SERIAL: f"number {target.number}"} if target.number else {}


def expected(target: Target, requests: Iterable[RuntimeRequest] = ()) -> Environment:
    """Return the environment that a target would probably have, for the rows of a target that does not answer.

    The runtimes are those that this host would copy to the target.
    """
    versions = {request.pinned: request.version for request in requests if request.version}
    versions |= {name: offered(name) for name in target.runtimes}
    runtimes = {name: _runtime(name.partition("==")[0], version, target) for name, version in versions.items()}
    return Environment(target=target.name, epoch=UNREACHED, agent_sha256="", facts={}, packages={}, runtimes=runtimes)


def require_answer(connection: Connection, target: str, failed_after_s: float) -> None:
    """After a slow failure, check that the target still answers; otherwise, every further case would fail as slowly.

    Raises:
        Unreachable: the target does not answer.
    """
    if failed_after_s > PATIENCE_S:
        try:
            ask(connection, ("null",))
        except AgentError as error:
            raise Unreachable(f"target {target} no longer answers: {error}; run the same command to go on") from error


def ask(connection: Connection, runtimes: Sequence[str], **more: str) -> Facts:
    """Query a target's facts, its current conditions and the versions of the given runtimes.

    Raises:
        AgentError: the target does not answer.
    """
    return facts_of(connection, {"runtimes": runtimes, **more}, timeout_s=TIMEOUT_S)


def _missing(
    requests: Iterable[RuntimeRequest], report: Facts, connection: Connection
) -> Iterator[tuple[str, RuntimeRequest]]:
    """Yield the runtimes to copy to the target: every requested version, and each runtime that only this host has.

    A runtime with an environment of its own is made on this machine, unless `all` runtimes are requested.

    Raises:
        RequestError: a board is to get a runtime that needs installed packages.
    """
    for request in requests:
        has_environment = hasattr(load("runtimes", request.name), "ENVIRONMENT")
        if has_environment and connection.brings_runtimes:
            if request.is_optional:
                continue
            raise RequestError(_unbringable(request.name))
        if request.version:
            yield request.pinned, request
        elif _lacks(report, request.name) and (
            connection.brings_runtimes or (has_environment and not request.is_optional)
        ):
            version = offered(request.name)
            if version:  # without a version to copy, each case that needs this runtime fails
                yield request.name, replace(request, version=version)


def _unbringable(runtime: str) -> str:
    needs = " and ".join(load("runtimes", runtime).NEEDS[1:])
    return f"runtime {runtime} needs {needs} beside it, which edgebench does not copy to boards: use --target cpu"


def _lacks(report: Facts, name: str) -> bool:
    return name in report.runtimes and not report.runtimes[name].version


def offered(runtime: str) -> str:
    """Return the version of a runtime that this host can copy to a board; an empty text if it is not installed here.

    For a runtime with an environment of its own, return that environment's version.
    """
    plugin = load("runtimes", runtime)
    if hasattr(plugin, "ENVIRONMENT"):
        return str(plugin.ENVIRONMENT[0].partition(PIN)[2])
    try:
        return public(plugin.version())
    except PackageNotFoundError:
        return ""


def bring(
    request: RuntimeRequest, connection: Connection, target: Target, facts: Mapping[str, str]
) -> tuple[Runtime, str]:
    """Copy a runtime's packages to the target; return the runtime that they contain, and a hash of its files.

    Raises:
        RequestError: the version does not exist, has no wheel for the target, or died in a trial on the target's
            emulated processor.
        AgentError: the target does not answer.
    """
    require_legal(request, remembered(request, target, platform(facts)))
    folder = unpack(connection, request, platform(facts))
    report = ask(connection, (request.name,), packages=folder)
    installed = report.runtimes[request.name]
    packages = _packages(request, report, platform(facts))
    return replace(_runtime(request.name, installed.version, target), packages=packages), installed.files


def _packages(request: RuntimeRequest, report: Facts, machine: Platform) -> tuple[str, ...]:
    """Return the packages that a process of a copied runtime uses, each as `name==version`.

    A process beside installed packages sees all of these, so only those that the runtime needs are returned.
    """
    plugin, found = load("runtimes", request.name), report.packages
    if not hasattr(plugin, "ENVIRONMENT"):
        return tuple(sorted(f"{name}=={version}" for name, version in found.items()))
    if missing := [name for name in plugin.NEEDS if name not in found]:
        raise RequestError(f"runtime {request.name} needs {missing[0]}, which is not installed here; install it")
    beside = (f"{name}=={found[name]}" for name in plugin.NEEDS[1:])
    return tuple(sorted((*gather(request.name, request.version, machine).packages, *beside)))


def _brought(
    request: RuntimeRequest, connection: Connection, target: Target, facts: Mapping[str, str]
) -> tuple[Runtime, str] | None:
    """Copy a runtime's packages to the target as `bring` does; None if an optional runtime has no wheels for it."""
    try:
        return bring(request, connection, target, facts)
    except RequestError:
        if not request.is_optional:
            raise
        return None


def _runtime(name: str, version: str, target: Target) -> Runtime:
    runtime = load("runtimes", name)
    usual = [option for option, device in runtime.DEVICES.items() if device == target.device]
    return Runtime(name=name, version=version, options=RuntimeRequest(name=name).resolve(runtime.OPTIONS, usual))
