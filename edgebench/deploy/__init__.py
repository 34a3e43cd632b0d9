"""Access to a target: edgebench copies the agent and artifacts there, and sends requests to the agent.

The steps are:

    targets (find a target by its name) -> connections (connect to it) -> survey (query its environment)
        -> the functions here (copy artifacts to it).

The module `bundle` packs the agent into one file, `wheels` gathers the packages of requested runtime versions,
`exchange` is the agent's protocol, and `emulation` emulates a board.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgebench.deploy.answers import OfArtifact, Unpacked, ask
from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import Connection
from edgebench.deploy.exchange import printable
from edgebench.deploy.locking import locked
from edgebench.deploy.wheels import Platform, gather, platform, public
from edgebench.foundation import cache
from edgebench.foundation.errors import AgentError, CaseError
from edgebench.foundation.progress import warn
from edgebench.foundation.shelf import load
from edgebench.schema.artifact import Artifact
from edgebench.schema.cards import FedData
from edgebench.schema.environment import Environment
from edgebench.schema.runtime import Runtime, RuntimeRequest
from edgebench.schema.target import THIS_MACHINE, Target
from edgebench.schema.variant import Variant

SHORT = 12  # length of a hash or version in a message
UNPACK_S = 300.0  # seconds to unpack packages, enough for 100 MB on a slow SD card


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An artifact on a target.

    Attributes:
        path: the artifact's path on the target.
        packages: the folder on the target with the packages of the artifact's runtime; empty if the runtime is
            installed there.
        data: the path on the target of the variant's input arrays; empty if the inputs are random.
        runtime_files: the hash of the file lists of the artifact's runtime on the target; empty if that hash is
            unknown.
    """

    variant: Variant
    path: str
    sha256: str
    packages: str = ""
    data: str = ""
    runtime_files: str = ""

    def request(self, runtime: Runtime, threads: int, batch: int) -> dict[str, Any]:
        """Return the fields of a request that tell the agent which artifact to open, with which runtime and options."""
        request: dict[str, Any] = {
            "runtime": runtime.name,
            "options": runtime.options,
            "path": self.path,
            "packages": self.packages,
            "threads": threads,
            "batch": batch,
        }
        return request | ({"feed": asdict(self.variant.feed) | {"path": self.data}} if self.variant.feed else {})

    def require(self, answer: OfArtifact, runtime: Runtime, connection: Connection) -> None:
        """Refuse an answer that was computed with a different artifact or runtime.

        Raises:
            AgentError: a hash or the version in the answer is missing, or differs from what was deployed.
        """
        for what, wanted, found in (
            ("artifact", self.sha256, answer.artifact_sha256),
            ("version of the runtime", runtime.version, answer.runtime_version),
            ("set of runtime files", self.runtime_files, answer.runtime_files),
        ):
            if wanted and found != wanted and (found or connection.has_own_agent):
                raise AgentError(
                    f"the process did not open the deployed {what}: wanted {wanted[:SHORT]},"
                    f" found {printable(found)[:SHORT] or 'none'}; it was replaced during the run, run again"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A connected target with the agent on it; its machine is locked, unless `Access` only connected to it."""

    target: Target
    connection: Connection
    agent_sha256: str


@contextmanager
def hold(*targets: Target) -> Iterator[tuple[Held, ...]]:
    """Lock the targets' machines for this process and connect to each target; at the end of the block, release all.

    Targets on one machine share its lock.

    Raises:
        Busy: another process holds a machine's lock; nothing was started on any target.
        Unreachable, AgentError: a target does not answer.
    """
    with Access(*targets) as access:
        yield access.lock()


class Access:
    """Access to targets in two phases: connected to be queried, then locked to be measured on.

    This machine is locked only in the second phase. A board is locked as long as it is connected; `release` ends the
    connection, so that other hosts can use the board while this host trains and exports.
    """

    def __init__(self, *targets: Target) -> None:
        self._targets, self._stack, self._held = targets, ExitStack(), tuple[Held, ...]()

    def __enter__(self) -> "Access":
        """Return this object; nothing is connected yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release all targets."""
        self._close()

    def connect(self) -> tuple[Held, ...]:
        """Connect to the targets in order to query them.

        Raises:
            Busy: another process holds a board's lock.
            Unreachable, AgentError: a target does not answer.
        """
        return self._hold(target for target in self._targets if target.machine != THIS_MACHINE)

    def release(self) -> None:
        """Disconnect from all targets if one of them is a board, so that the board is unlocked."""
        if any(target.machine != THIS_MACHINE for target in self._targets):
            self._close()

    def lock(self) -> tuple[Held, ...]:
        """Lock all targets for this process, and connect again to those that were released.

        Raises:
            Busy: another process holds a machine's lock.
            Unreachable, AgentError: a target does not answer.
        """
        return self._hold(target for target in self._targets if not self._held or target.machine == THIS_MACHINE)

    def _hold(self, unlocked: Iterable[Target]) -> tuple[Held, ...]:
        """Lock the machines of some targets; connect to all targets, unless they are connected."""
        with ExitStack() as stack:
            _lock_all(stack, unlocked)
            self._held = self._held or tuple(_held(target, stack) for target in self._targets)
            self._stack.push(stack.pop_all())
        return self._held

    def _close(self) -> None:
        self._held = ()
        self._stack.close()


def _lock_all(stack: ExitStack, targets: Iterable[Target]) -> None:
    """Lock the targets' machines until the stack is closed; an error message names the first target of a machine."""
    for machine, name in {target.machine: target.name for target in reversed([*targets])}.items():
        stack.enter_context(locked(machine, f"target {name}"))


def _held(target: Target, stack: ExitStack) -> Held:
    connection, agent_sha256 = stack.enter_context(connect(target))
    return Held(target=target, connection=connection, agent_sha256=agent_sha256)


@contextmanager
def connect(target: Target) -> Iterator[tuple[Connection, str]]:
    """Connect to the target and put the agent there; yield the connection and the agent's hash, then disconnect."""
    path, digest = bundle()
    connection: Connection = load("connections", target.connection).open(target, path)
    try:
        yield connection, digest
    finally:
        connection.close()


def install(
    connection: Connection, artifact: Artifact, variant: Variant, runtime: Runtime, environment: Environment
) -> Deployed:
    """Copy a variant's artifact to the target, with the packages of its runtime.

    Raises:
        CaseError: the file in the cache no longer has the hash that was recorded for it.
        RequestError: the runtime's version does not exist, or has no wheel for the target.
        AgentError: the packages could not be unpacked.
    """
    packages = _furnish(connection, runtime, environment)
    if not cache.is_intact(artifact):
        raise CaseError(f"{artifact.file} in the cache changed after it was made; run again to remake it")
    path = connection.push(cache.path_of(artifact), artifact.sha256)
    data = _push_data(connection, variant)
    files = environment.runtime_files.get(environment.name_of(runtime), "")
    return Deployed(
        variant=variant, path=path, sha256=artifact.sha256, packages=packages, data=data, runtime_files=files
    )


def _push_data(connection: Connection, variant: Variant) -> str:
    """Copy a variant's input arrays to the target; return the path there, or an empty path if the inputs are random."""
    if variant.feed is None or not variant.feed.data_sha256:
        return ""
    card = next((card for card in cache.cards(FedData) if card.sha256 == variant.feed.data_sha256), None)
    if card is None or not cache.is_intact(card):
        raise CaseError(f"the arrays of {variant.feed.data} are no longer in the cache; run again with --input-data")
    return connection.push(cache.path_of(card), card.sha256)


def _furnish(connection: Connection, runtime: Runtime, environment: Environment) -> str:
    """Copy a runtime's packages to the target; return the folder there, or an empty path for an installed runtime."""
    if not runtime.packages:
        return ""
    request = RuntimeRequest.parse(environment.name_of(runtime))
    request = replace(request, version=request.version or public(runtime.version))
    return unpack(connection, request, platform(environment.facts))


@lru_cache
def unpack(connection: Connection, request: RuntimeRequest, machine: Platform) -> str:
    """Copy the packages of a runtime's version to the target, and unpack them; return the folder on the target."""
    packages = gather(request.name, request.version, machine)
    return unpacked(connection, cache.path_of(packages), packages.sha256, request.name)


def unpacked(connection: Connection, packages: Path, sha256: str, runtime: str) -> str:
    """Copy a zip of packages to the target; let the agent unpack it, and return the folder on the target.

    If the agent has already unpacked the zip, it only verifies the unpacked folder.

    Raises:
        AgentError: the packages could not be unpacked.
    """
    pushed = connection.push(packages, sha256)
    answer = ask(connection, Unpacked, {"do": "unpack", "path": pushed, "runtime": runtime}, timeout_s=UNPACK_S)
    if answer.damaged:
        warn(f"the unpacked packages of {runtime} on the target were damaged: unpacked again")
    return answer.folder
