"""What is measured: a case (variant, runtime, target, threads, batch), a process's purpose, and the settings."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from edgebench.schema import STRICT
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Variant


class Purpose(StrEnum):
    """What a process measures. Memory runs need allocator settings that slow inference, so no process measures both.

    On an emulated processor instructions are counted instead of latency and memory. A sustained run lasts minutes
    without a pause and heats the board, so it runs after all others. Stages are what an app does around inference.
    """

    LATENCY = "latency"
    MEMORY = "memory"
    INSTRUCTIONS = "instructions"
    SUSTAINED = "sustained"
    STAGES = "stages"


class Workload(StrEnum):
    """The reference workloads of `agent/reference.py`, which use no runtime under test."""

    COMPUTE = "compute"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The subject of one table row; records are joined by it."""

    __pydantic_config__: ClassVar = STRICT

    variant: Variant
    runtime: Runtime
    target: str
    threads: int
    batch: int

    def __str__(self) -> str:
        return f"{self.variant} {self.runtime} {self.target} threads={self.threads} batch={self.batch}"


def names(cases: Iterable[Case]) -> dict[Case, str]:
    """Name each case without its runtime version, so that the name survives upgrades; add it where names collide."""
    plain = {case: name(case) for case in cases}
    taken = Counter(plain.values())
    return {case: f"{text} {case.runtime.version}" if taken[text] > 1 else text for case, text in plain.items()}


def name(case: Case) -> str:
    """Name a case without the version of its runtime."""
    runtime = "+".join((case.runtime.name, *case.runtime.options))
    return f"{case.variant} {runtime} {case.target} threads={case.threads} batch={case.batch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long and how precisely to measure; each preset is one such set of rules.

    Attributes:
        interim_analyses: numbers of processes after which the interval is checked; the last is the maximum.
        half_width: half-width of the 95 % interval, as a share of the median, at which measuring stops.
        half_width_noisy: the same on a virtual machine.
        least_iterations, most_iterations: bounds of the timed iterations per process.
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
    # The fewest processes that give an interval: past nights show the variation, and a suspect case gets paired runs.
    "nightly": replace(_STANDARD, interim_analyses=(6,), memory_runs=1, instruction_runs=1, stage_runs=1),
    # A first look, not a measurement: three processes give a range but no interval.
    "quick": replace(_STANDARD, interim_analyses=(3,), memory_runs=1, instruction_runs=1, stage_runs=1),
}
