"""The way to a target: the agent and artifacts go there by content hash, requests and answers through a connection.

    targets (what a name stands for) -> connections (how it is reached) -> survey (what is there) -> installed artifacts

`bundle` is the agent as one file, `wheels` are the packages of pinned runtimes, `exchange` is the agent's protocol, and
`emulation` is a board in place of one.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import Connection
from edgebench.deploy.wheels import Platform, gather, platform, public
from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError
from edgebench.foundation.lock import lock
from edgebench.foundation.shelf import load
from edgebench.schema.artifact import Artifact
from edgebench.schema.environment import Environment
from edgebench.schema.runtime import Runtime, RuntimeRequest
from edgebench.schema.target import Target
from edgebench.schema.variant import Variant

UNPACK_S = 300.0  # a slow card takes 100 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An artifact on a target: whose it is, where it lies there, its hash, and where its runtime's own packages lie."""

    variant: Variant
    path: str
    sha256: str
    packages: str = ""

    def request(self, runtime: Runtime, threads: int, batch: int) -> dict[str, Any]:
        """Say what the agent is to open, and how: the same words whatever is asked of it."""
        return {
            "runtime": runtime.name,
            "options": runtime.options,
            "path": self.path,
            "packages": self.packages,
            "threads": threads,
            "batch": batch,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A target whose machine this process has for itself, connected, with the agent on it."""

    target: Target
    connection: Connection
    agent_sha256: str


@contextmanager
def hold(*targets: Target) -> Iterator[tuple[Held, ...]]:
    """Lock the machines of targets for this process and connect to each target; let go of all at the end.

    Targets on one machine share its lock.

    Raises:
        Busy: another process holds a machine; nothing was started on any.
        Unreachable, AgentError: a target does not answer.
    """
    with ExitStack() as stack:
        for machine, name in {target.machine: target.name for target in reversed(targets)}.items():
            stack.enter_context(lock(machine, f"target {name}"))
        yield tuple(_held(target, stack) for target in targets)


def _held(target: Target, stack: ExitStack) -> Held:
    connection, agent_sha256 = stack.enter_context(connect(target))
    return Held(target=target, connection=connection, agent_sha256=agent_sha256)


@contextmanager
def connect(target: Target) -> Iterator[tuple[Connection, str]]:
    """Open the target's connection with the agent on it; give it and the agent's hash, and close it."""
    path, digest = bundle()
    connection: Connection = load("connections", target.connection).open(target, path)
    try:
        yield connection, digest
    finally:
        connection.close()


def install(
    connection: Connection, artifact: Artifact, variant: Variant, runtime: Runtime, environment: Environment
) -> Deployed:
    """Put a variant's artifact on the target, with the packages of the runtime that is to open it.

    Raises:
        CaseError: the file is no longer what its card says.
        RequestError: the runtime's version does not exist, or has no wheel for the target.
        AgentError: its packages could not be unpacked.
    """
    packages = _furnish(connection, runtime, environment)
    if not cache.is_intact(artifact):
        raise CaseError(f"{artifact.file} in the cache changed after it was made; run again to make it anew")
    path = connection.push(cache.path_of(artifact), artifact.sha256)
    return Deployed(variant=variant, path=path, sha256=artifact.sha256, packages=packages)


def _furnish(connection: Connection, runtime: Runtime, environment: Environment) -> str:
    """Bring a runtime's packages to the target; return their folder there, empty for a runtime it has itself."""
    if not runtime.packages:
        return ""
    bare = replace(runtime, options=())
    named = next(name for name, one in environment.runtimes.items() if replace(one, options=()) == bare)
    asked = RuntimeRequest.parse(named)
    asked = replace(asked, version=asked.version or public(runtime.version))
    return unpack(connection, asked, platform(environment.facts))


@lru_cache
def unpack(connection: Connection, asked: RuntimeRequest, machine: Platform) -> str:
    """Push a pinned runtime's packages, and let the agent unpack them; return their folder there."""
    packages = gather(asked.name, asked.version, machine)
    pushed = connection.push(cache.path_of(packages), packages.sha256)
    folder: str = connection.run({"do": "unpack", "path": pushed}, timeout_s=UNPACK_S)["folder"]
    return folder
