"""Decode the agent's answers strictly into typed values, and refuse answers whose values are impossible.

An answer may come from another machine, another version of Python or a broken library. Any fault in an answer raises an
AgentError with a message of one line, so that only the case that needed the answer fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from uuid import uuid4

from edgebench.deploy.exchange import decoded
from edgebench.foundation.errors import AgentError
from edgebench.foundation.units import counted
from edgebench.schema import STRICT
from edgebench.schema.case import Purpose
from edgebench.schema.record import Beats, MemoryMarks, Stages, Window
from edgebench.schema.sound import fault, fault_of_facts

if TYPE_CHECKING:
    from edgebench.deploy.connections import Connection
    from edgebench.schema.record import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The base class of all answers, with the request's id, which agents of older versions omit."""

    __pydantic_config__: ClassVar = STRICT

    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfArtifact(Answer):
    """An answer computed with an artifact; it has the hashes of the opened files, which older agents omit."""

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
    """The number and hash of the inputs, and the outputs in base64; `outputs` is empty if a file contains them."""

    __pydantic_config__: ClassVar = STRICT

    count: int
    outputs: str = ""
    inputs_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An operator in a profile: its number type, the bytes that it reads and writes, and its median time."""

    __pydantic_config__: ClassVar = STRICT

    name: str
    operator: str
    type: str
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled(OfArtifact):
    """The times of an artifact's operators, in order of execution; if there are none, `why` is the reason."""

    __pydantic_config__: ClassVar = STRICT

    why: str
    whole_s: float
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledRuntime:
    """A runtime's version, and a hash of its files.

    If the runtime is not installed, `version` is empty and `missing` names the absent package.
    """

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
    """The measured peak speed of a machine, in 10^9 operations and 10^9 bytes per second."""

    __pydantic_config__: ClassVar = STRICT

    gflops: float
    gbytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked(Answer):
    """The folder of unpacked packages on the target; `damaged` says that an earlier folder was damaged and replaced."""

    __pydantic_config__: ClassVar = STRICT

    folder: str
    damaged: bool


# Facts that an answer must contain, because other modules read them without checking that they exist.
NEEDED = ("machine", "memory_bytes", "usable_cores", "bits", "kernel", "python")
# A time is refused if it exceeds its bound by more than this share of the bound plus this many seconds.
# The kernel counts a process's start in ticks of 10 ms, and the clocks of two machines differ by about 10 ppm.
SLACK, SLACK_S = 0.01, 0.1
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
        raise AgentError("the agent's answer belongs to another request: is something else writing to its output?")
    return answer


def facts(connection: Connection, request: Mapping[str, Any], *, timeout_s: float) -> Facts:
    """Query a target's facts, its current conditions and the versions of the requested runtimes.

    Raises:
        AgentError: the target does not answer, or its answer is malformed.
    """
    report = ask(connection, Facts, {"do": "facts", **request}, timeout_s=timeout_s)
    for known in (report.machine, report.conditions):
        if why := fault_of_facts(known):
            raise AgentError(f"the agent's answer is impossible: {why}")
    parts = ("machine", report.machine, NEEDED), ("runtimes", report.runtimes, request["runtimes"])
    for part, entries, needed in parts:
        if missing := [name for name in needed if name not in entries]:
            raise AgentError(f"the agent's answer is malformed: {part} has no {missing[0]}")
    return report


def require_possible(run: Run, request: Mapping[str, Any], machine: Mapping[str, str]) -> None:
    """Refuse a run that contradicts the request or this host's own measurements.

    `machine` is the target's facts.

    Raises:
        AgentError: the run is impossible; the message has the first reason.
    """
    why = fault(run) or next(chain(_of_counts(run, request), _of_time(run), _of_machine(run, machine)), "")
    if why:
        raise AgentError(f"the agent's answer is impossible: {why}")


def _of_counts(run: Run, request: Mapping[str, Any]) -> Iterator[str]:
    """Compare the number of samples with the requested number, or with the requested limits on the number."""
    if run.purpose != Purpose.LATENCY:
        return
    least = request["iterations"] or request["least_iterations"]
    most = request["iterations"] or request["most_iterations"]
    if not least <= len(run.samples_s) <= most:
        wanted = f"{least}" if least == most else f"{least} to {most}"
        yield f"{counted(len(run.samples_s), 'sample')}, although {wanted} were requested"


def _of_time(run: Run) -> Iterator[str]:
    """Compare each time with the time that this host waited, and the sum of the partial times with the total."""
    assert run.took_s is not None
    beats_s = sum(run.beats.took_s) if run.beats else 0.0
    windows_s = run.windows[-1].at_s if run.windows else 0.0
    parts = (
        ("load and first inference", run.load_s + run.first_s, "the process's start took", run.start_s),
        ("the process", run.start_s + run.wall_s + beats_s + windows_s, "this host waited for it", run.took_s),
    )
    for part, part_s, whole, whole_s in parts:
        if part_s > whole_s * (1 + SLACK) + SLACK_S:
            yield f"{part} took {part_s:g} s, but {whole} {whole_s:g} s"


def _of_machine(run: Run, facts: Mapping[str, str]) -> Iterator[str]:
    """Compare the process's memory with the machine's memory, and its CPU time with the machine's number of cores."""
    memory_bytes, cores = int(facts.get("memory_bytes", 0)), int(facts.get("cores", 0))
    if run.memory and memory_bytes:
        marks = run.memory
        most = max(marks.baseline_bytes, marks.load_peak_bytes, marks.loaded_bytes, marks.run_peak_bytes)
        if most > memory_bytes:
            yield f"{most / 2**20:.0f} MiB of memory, but the machine has {memory_bytes / 2**20:.0f} MiB"
    assert run.took_s is not None
    if cores and run.cpu_s > cores * (run.wall_s * (1 + SLACK) + SLACK_S):
        yield f"{run.cpu_s:g} s of CPU time in {run.wall_s:g} s on {cores} cores"
    if cores and run.others_cpu * run.wall_s > cores * (run.took_s + SLACK_S):
        yield f"other processes used {run.others_cpu:g} of {cores} cores"
