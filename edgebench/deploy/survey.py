"""A target's connection -> its Environment, as its own agent finds it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from typing import Any

from edgebench.deploy import unpack
from edgebench.deploy.connections import Connection
from edgebench.deploy.wheels import platform, public
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.schema.environment import Environment, lasting
from edgebench.schema.runtime import Runtime, RuntimeRequest
from edgebench.schema.target import Target

TIMEOUT_S = 180.0  # an emulated machine on a busy one takes half a minute


def survey(
    connection: Connection, target: Target, agent_sha256: str, asked: Iterable[RuntimeRequest] = ()
) -> Environment:
    """Ask the target what it is, and bring there what is asked for and not installed.

    Raises:
        AgentError: it does not answer.
        RequestError: a pinned version does not exist or has no wheel for the target, or that has not the device it is
            to compute on.
    """
    seen = ask(connection, target.runtimes, device=target.device)
    if why := seen["missing_device"]:
        raise RequestError(f"no {target.device.upper()} device on this target ({why}); see targets/gpu.toml")
    facts = seen["machine"]
    of_epoch = lasting(facts) | {"agent": agent_sha256}
    return Environment(
        target=target.name,
        epoch=hashlib.sha256(json.dumps(of_epoch, sort_keys=True).encode()).hexdigest()[:16],
        agent_sha256=agent_sha256,
        facts=facts,
        packages=seen["packages"],
        runtimes={name: _runtime(name, one["version"], target) for name, one in seen["runtimes"].items()}
        | {name: bring(one, connection, target, facts) for name, one in _missing(asked, seen, connection)},
    )


def ask(connection: Connection, runtimes: Sequence[str], **more: str) -> Mapping[str, Any]:
    """Ask a target what it is, how it is, and which versions of these runtimes it has.

    Raises:
        AgentError: it does not answer.
    """
    seen: Mapping[str, Any] = connection.run({"do": "facts", "runtimes": runtimes, **more}, timeout_s=TIMEOUT_S)
    return seen


def _missing(
    asked: Iterable[RuntimeRequest], seen: Mapping[str, Any], connection: Connection
) -> Iterator[tuple[str, RuntimeRequest]]:
    """Yield what is to be brought: every pinned version, and what a board has none of as it is installed here."""
    for one in asked:
        if one.version:
            yield one.pinned, one
        elif connection.brings_runtimes and not seen["runtimes"].get(one.name, {"version": "?"})["version"]:
            version = offered(one.name)
            if version:  # else it is missing there, which is said when a case asks for it
                yield one.name, replace(one, version=version)


def offered(runtime: str) -> str:
    """Return the version of a runtime that is installed here, which is the one that goes to a board; empty for none."""
    try:
        return public(load("runtimes", runtime).version())
    except PackageNotFoundError:
        return ""


def bring(asked: RuntimeRequest, connection: Connection, target: Target, facts: Mapping[str, str]) -> Runtime:
    """Bring a runtime's version, and ask for it in its own packages, beside nothing else.

    Raises:
        RequestError: it does not exist, or has no wheel for the target.
        AgentError: the target does not answer.
    """
    folder = unpack(connection, asked, platform(facts))
    seen = ask(connection, (asked.name,), packages=folder)
    packages = tuple(sorted(f"{name}=={version}" for name, version in seen["packages"].items()))
    return replace(_runtime(asked.name, seen["runtimes"][asked.name]["version"], target), packages=packages)


def _runtime(name: str, version: str, target: Target) -> Runtime:
    runtime = load("runtimes", name)
    usual = [word for word, device in runtime.DEVICES.items() if device == target.device]
    return Runtime(name=name, version=version, options=RuntimeRequest(name=name).resolve(runtime.OPTIONS, usual))
