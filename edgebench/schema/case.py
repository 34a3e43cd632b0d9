"""One question: a variant on a runtime and a target; what its processes are for, and how long they measure."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from edgebench.schema import STRICT
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Variant


class Purpose(StrEnum):
    """What a process was started for: allocator settings of memory runs slow others, so they never mix.

    Instructions are counted where the processor is emulated, in place of both. A sustained run, of minutes without a
    pause, heats a board: it comes after all else.
    """

    LATENCY = "latency"
    MEMORY = "memory"
    INSTRUCTIONS = "instructions"
    SUSTAINED = "sustained"


class Workload(StrEnum):
    """The reference workloads of `agent/reference.py`, which use no runtime under test."""

    COMPUTE = "compute"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one row of a table is about: the key everything is joined on."""

    __pydantic_config__: ClassVar = STRICT

    variant: Variant
    runtime: Runtime
    target: str
    threads: int
    batch: int

    def __str__(self) -> str:
        return f"{self.variant} {self.runtime} {self.target} threads={self.threads} batch={self.batch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long and how precisely to measure; a preset's name stands for one of these."""

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
)
PRESETS = {
    "standard": _STANDARD,
    # As many processes as an interval needs: the nights say how much they vary, and a suspect gets pairs.
    "nightly": replace(_STANDARD, interim_analyses=(6,), memory_runs=1, instruction_runs=1),
    # A look, not a measurement: three processes give a range and no interval.
    "quick": replace(_STANDARD, interim_analyses=(3,), memory_runs=1, instruction_runs=1),
}
