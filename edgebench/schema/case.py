"""What is measured: cases (variant, runtime, target, threads, batch), the purpose of a process, and the settings."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from edgebench.schema import STRICT
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Variant


class Purpose(StrEnum):
    """What a process measures.

    Latency and memory are measured in different processes, because memory runs need allocator settings that slow
    inference. On an emulated processor, instructions are counted instead of measuring latency. A sustained run lasts
    minutes without a pause and heats the board, so it comes after all other runs. Stages are the steps of an app before
    and after inference, such as decoding a picture. For a device that is not at hand, the process only compiles.
    """

    LATENCY = "latency"
    MEMORY = "memory"
    INSTRUCTIONS = "instructions"
    SUSTAINED = "sustained"
    STAGES = "stages"
    COMPILE = "compile"


class Workload(StrEnum):
    """The reference workloads: fixed computations in `agent/reference.py` that use no runtime under test."""

    COMPUTE = "compute"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one row of a table measures; all records from which the row is computed have the same case."""

    __pydantic_config__: ClassVar = STRICT

    variant: Variant
    runtime: Runtime
    target: str
    threads: int
    batch: int

    def __str__(self) -> str:
        return f"{self.variant} {self.runtime} {self.target} threads={self.threads} batch={self.batch}"


def names(cases: Iterable[Case]) -> dict[Case, str]:
    """Return a name for each case, without the runtime's version, so that an upgrade does not change the name.

    The runtime's version is added only if two cases would otherwise have the same name.
    """
    plain = {case: name(case) for case in cases}
    taken = Counter(plain.values())
    return {case: f"{text} {case.runtime.version}" if taken[text] > 1 else text for case, text in plain.items()}


def name(case: Case) -> str:
    """Return a case's name, without the version of the case's runtime."""
    runtime = "+".join((case.runtime.name, *case.runtime.options))
    return f"{case.variant} {runtime} {case.target} threads={case.threads} batch={case.batch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long and how precisely to measure; each preset, such as `quick`, is an instance of this class.

    Attributes:
        interim_analyses: the interval is checked whenever the number of measured processes reaches one of these
            numbers; when it reaches the last of them, measuring stops in any case.
        half_width: half-width of the 95 % interval, as a share of the median, at which measuring stops.
        half_width_noisy: the half-width that replaces `half_width` on a virtual machine.
        least_iterations, most_iterations: bounds of the number of timed iterations per process.
        memory_runs, instruction_runs, stage_runs: number of processes of each purpose.
    """

    __pydantic_config__: ClassVar = STRICT

    interim_analyses: tuple[int, ...]
    half_width: float
    half_width_noisy: float
    warmup_s: float
    warmup_iterations: int
    least_iterations: int
    most_iterations: int
    memory_runs: int
    instruction_runs: int
    stage_runs: int


_STANDARD = Settings(
    interim_analyses=(6, 9, 12, 16, 20, 30),
    half_width=0.01,
    half_width_noisy=0.02,
    warmup_s=0.5,
    warmup_iterations=10,
    least_iterations=5,
    most_iterations=200,
    memory_runs=2,
    instruction_runs=2,
    stage_runs=2,
)
PRESETS = {
    "standard": _STANDARD,
    # Six processes are the fewest that give an interval.
    # They are enough for a nightly run, because earlier nights show how much its results vary.
    # Besides, a suspected change is checked by running the old and the new version in turn.
    "nightly": replace(_STANDARD, interim_analyses=(6,), memory_runs=1, instruction_runs=1, stage_runs=1),
    # A first look, not a measurement: three processes give a range but no interval.
    "quick": replace(_STANDARD, interim_analyses=(3,), memory_runs=1, instruction_runs=1, stage_runs=1),
}
