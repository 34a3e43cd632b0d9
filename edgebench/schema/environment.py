"""A target as its own agent found it, and in what two of them differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from edgebench.schema import STRICT
from edgebench.schema.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


_NOT_LASTING = ("memory_bytes",)  # it varies by some pages from boot to boot and changes no number


def lasting(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the facts of a machine that make an epoch."""
    return {name: fact for name, fact in facts.items() if name not in _NOT_LASTING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A target as its own agent found it.

    Attributes:
        epoch: a hash of what may change a number: CPU, kernel, governor, Python, the agent; runs of different epochs
            are never pooled. A runtime's version is part of the case instead.
        agent_sha256: of the bundle that measured.
        runtimes: version of every runtime, empty where it is not installed; and the options it has there by itself.
    """

    __pydantic_config__: ClassVar = STRICT

    target: str
    epoch: str
    agent_sha256: str
    facts: dict[str, str]
    packages: dict[str, str]
    runtimes: dict[str, Runtime]

    @property
    def emulator(self) -> str:
        """What runs there in place of a processor, `qemu-aarch64`; empty on a real one."""
        return self.facts.get("emulator", "")

    @property
    def counts_instructions(self) -> bool:
        """Whether the emulator counts the instructions of a process."""
        return bool(self.emulator and self.facts.get("counter"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that the two environments do not share; empty where one of them has nothing of the kind."""

    what: str
    before: str
    after: str


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    """Yield what two environments, each as words by name, do not share, in the order of the names."""
    for name in sorted(before.keys() | after.keys()):
        if before.get(name, "") != after.get(name, ""):
            yield Difference(what=name, before=before.get(name, ""), after=after.get(name, ""))


def words(environment: Environment) -> dict[str, str]:
    """Lay out an environment as words: its facts, runtimes, packages and agent."""
    return (
        {"target": environment.target, "agent": environment.agent_sha256[:12]}
        | {f"machine {name}": str(fact) for name, fact in environment.facts.items()}
        | {f"runtime {name}": f"{one.version} {' '.join(one.options)}" for name, one in environment.runtimes.items()}
        | {f"package {name}": version for name, version in environment.packages.items()}
    )
