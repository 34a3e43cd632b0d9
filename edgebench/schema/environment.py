"""The environment of a target as its agent reports it, and the differences between two environments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from edgebench.schema import STRICT
from edgebench.schema.runtime import Runtime
from edgebench.schema.target import MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


EXPECTED = "expected_board"  # the board that the target's file names; only another machine has this fact
SERIAL = "serial"  # the fact that tells two boards of a kind apart
UNREACHED = "unreached"  # the epoch of a target that did not answer, whose facts are not known
_NOT_LASTING = ("memory_bytes",)  # this fact varies a little between boots and affects no measurement


def lasting(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the facts that go into a machine's epoch, a hash of everything that can affect a measurement."""
    return {name: fact for name, fact in facts.items() if name not in _NOT_LASTING}


def name_of_machine(facts: Mapping[str, str]) -> str:
    """Return the name that a machine reports or, without one, the name of its processor."""
    return facts.get("board") or facts.get("cpu", "an unnamed processor")


def unexpected(facts: Mapping[str, str]) -> str:
    """Say that a machine is not the board that its target's file names; an empty text if it is that board."""
    if EXPECTED not in facts:
        return ""
    return f"this machine is {name_of_machine(facts)}, not {facts[EXPECTED]}, which the target's file names"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Facts about a target, as reported by the agent, which is edgebench's program on the target.

    Attributes:
        epoch: a hash of everything that can affect a measurement, such as CPU, kernel, governor, Python and the agent.
            Runs of different epochs are never pooled. The epoch does not depend on the versions of runtimes, because
            these are part of the case.
        agent_sha256: hash of the agent's code as copied to the target.
        runtimes: mapping from a runtime's name to its version and default options on the target; the version is empty
            if the runtime is not installed there.
        runtime_files: mapping from the name of an installed runtime to the hash of the list of the runtime's files;
            empty in journals that older versions wrote.
    """

    __pydantic_config__: ClassVar = STRICT

    target: str
    epoch: str
    agent_sha256: str
    facts: dict[str, str]
    packages: dict[str, str]
    runtimes: dict[str, Runtime]
    runtime_files: dict[str, str] = field(default_factory=dict)

    def name_of(self, runtime: Runtime) -> str:
        """Return name and version of a runtime, whatever its options; an empty text if this environment lacks it."""
        bare = replace(runtime, options=())
        return next((name for name, known in self.runtimes.items() if replace(known, options=()) == bare), "")

    @property
    def is_reached(self) -> bool:
        """Whether the target answered."""
        return self.epoch != UNREACHED

    @property
    def unexpected(self) -> str:
        """Words for a machine that is not the board that its target's file names; otherwise empty."""
        return unexpected(self.facts)

    @property
    def emulator(self) -> str:
        """The emulator's name, `qemu-aarch64`; empty on a real processor."""
        return self.facts.get("emulator", "")

    @property
    def compiles_for(self) -> str:
        """The device for which networks are only compiled, such as `ethos-u55`; empty if the target runs them."""
        device = self.facts.get("device", "")
        return "" if device in ("", *MEASURED) else device

    @property
    def has_times(self) -> bool:
        """Whether times are measured: on a real processor, for a device that is at hand."""
        return not self.emulator and not self.compiles_for

    @property
    def counts_instructions(self) -> bool:
        """Whether the emulator counts a process's instructions."""
        return bool(self.emulator and self.facts.get("counter"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A component, such as a package, that differs between two environments.

    Attributes:
        before, after: value of the component in the first and in the second environment; empty if the component is
            missing there.
    """

    what: str
    before: str
    after: str


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    """Yield the components that differ between two environments, sorted by name.

    `before` and `after` are environments in the form that the function `words` returns.
    """
    for name in sorted(before.keys() | after.keys()):
        if before.get(name, "") != after.get(name, ""):
            yield Difference(what=name, before=before.get(name, ""), after=after.get(name, ""))


def words(environment: Environment) -> dict[str, str]:
    """Map each component of an environment (fact, runtime, package or agent) to its value as text."""
    return (
        {"target": environment.target, "agent": environment.agent_sha256[:12]}
        | {f"machine {name}": str(fact) for name, fact in environment.facts.items()}
        | {
            f"runtime {name}": f"{runtime.version} {' '.join(runtime.options)}"
            for name, runtime in environment.runtimes.items()
        }
        | {f"package {name}": version for name, version in environment.packages.items()}
    )
