"""A request -> the agent's answer as a typed value: decoded strictly, and verified to belong to this request.

An answer comes from another machine, another Python or a broken library. Any fault in it raises an AgentError of one
line, which becomes the failure of one case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import uuid4

from edgebench.deploy.exchange import decoded
from edgebench.foundation.errors import AgentError
from edgebench.schema import STRICT
from edgebench.schema.record import Beats, MemoryMarks, Stages, Window
from edgebench.schema.sound import fault_of_facts

if TYPE_CHECKING:
    from edgebench.deploy.connections import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The field of every answer: the request's id; agents older than this field omit it."""

    __pydantic_config__: ClassVar = STRICT

    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfArtifact(Answer):
    """An answer computed with an artifact: hashes of the opened files; older agents omit them."""

    __pydantic_config__: ClassVar = STRICT

    artifact_sha256: str = ""
    runtime_version: str = ""
    runtime_files: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(OfArtifact):
    """The measurements of a process; `schema.record.Run` defines the fields."""

    __pydantic_config__: ClassVar = STRICT

    start_s: float
    load_s: float
    first_s: float
    samples_s: tuple[float, ...]
    wall_s: float
    cpu_s: float
    others_cpu: float
    steal: float
    memory: MemoryMarks | None
    conditions: dict[str, str]
    beats: Beats | None = None
    instructions: tuple[int, ...] = ()
    windows: tuple[Window, ...] = ()
    stages: Stages | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred(OfArtifact):
    """The number of inputs, their hash, and the outputs in base64, empty if a file holds them."""

    __pydantic_config__: ClassVar = STRICT

    count: int
    outputs: str = ""
    inputs_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An operator of a profile: its number type, the bytes it reads and writes, its median time."""

    __pydantic_config__: ClassVar = STRICT

    name: str
    operator: str
    type: str
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled(OfArtifact):
    """The times of an artifact's operators, in order of execution; `why` is the reason if there are none."""

    __pydantic_config__: ClassVar = STRICT

    why: str
    whole_s: float
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledRuntime:
    """A runtime's version, empty if not installed because the package `missing` is absent; a hash of its files."""

    __pydantic_config__: ClassVar = STRICT

    version: str
    files: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts(Answer):
    """Facts about a target, and its current conditions."""

    __pydantic_config__: ClassVar = STRICT

    machine: dict[str, str]
    conditions: dict[str, str]
    disk_free_bytes: int
    missing_device: str
    packages: dict[str, str]
    runtimes: dict[str, InstalledRuntime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed(Answer):
    """The peak of a machine, 10^9 operations and bytes per second."""

    __pydantic_config__: ClassVar = STRICT

    gflops: float
    gbytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked(Answer):
    """The folder of unpacked packages on the target; `damaged` says that an earlier folder was damaged and replaced."""

    __pydantic_config__: ClassVar = STRICT

    folder: str
    damaged: bool


# Facts that this program reads without checking that they exist.
NEEDED = ("machine", "memory_bytes", "usable_cores", "bits", "kernel", "python")
A = TypeVar("A", bound=Answer)


def ask(connection: Connection, kind: type[A], request: Mapping[str, Any], *, timeout_s: float) -> A:
    """Run a request in a fresh agent process and return its answer.

    Raises:
        AgentError: the process failed or ran out of time, or its answer is malformed, or belongs to a different
            request, artifact or runtime.
    """
    id = uuid4().hex
    answer = decoded(kind, connection.run({**request, "id": id}, timeout_s=timeout_s))
    if answer.id != id and (answer.id or connection.has_own_agent):
        raise AgentError("the agent's answer is to another request: is something else writing to its output?")
    return answer


def facts(connection: Connection, request: Mapping[str, Any], *, timeout_s: float) -> Facts:
    """Query a target's facts, conditions and versions of the requested runtimes.

    Raises:
        AgentError: the target does not answer, or its answer is malformed.
    """
    report = ask(connection, Facts, {"do": "facts", **request}, timeout_s=timeout_s)
    for known in (report.machine, report.conditions):
        if fault := fault_of_facts(known):
            raise AgentError(f"the agent's answer is impossible: {fault}")
    parts = ("machine", report.machine, NEEDED), ("runtimes", report.runtimes, request["runtimes"])
    for part, entries, needed in parts:
        if missing := [name for name in needed if name not in entries]:
            raise AgentError(f"the agent's answer is malformed: {part} has no {missing[0]}")
    return report
