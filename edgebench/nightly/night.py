"""The nouns of a nightly: what one night saw of each configuration, what it was judged, and what somebody accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import log
from statistics import median
from typing import ClassVar, Literal, NamedTuple

from edgebench.nightly.pace import at_one_pace
from edgebench.schema import STRICT
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import Case

VERSION: Literal[2] = 2  # of a night's file

HARNESS, MODEL, RUNTIME, PACKAGES = "harness", "model", "runtime", "packages"


class Outcome(StrEnum):
    """What a night says of a configuration, the worst last."""

    OK = "OK"
    NEW = "NEW"
    IMPROVEMENT = "IMPROVEMENT"
    UNDERPOWERED = "UNDERPOWERED"
    HOST_CHANGE = "HOST_CHANGE"
    MISSING = "MISSING"
    INVALID = "INVALID"
    REGRESSION = "REGRESSION"

    @property
    def severity(self) -> int:
        """Order by how soon somebody should look."""
        return list(Outcome).index(self)


# What moves no level; the others count only once somebody has accepted them.
QUIET = (Outcome.OK, Outcome.NEW, Outcome.UNDERPOWERED, Outcome.HOST_CHANGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one night saw of one configuration; None or empty where there is no such figure.

    Attributes:
        latencies_s: every latency process's median; `ratios` its logarithm less that of a reference workload.
        beat: which one: that which beat between the process's own samples, by its name; else, where this is empty, the
            mean logarithm of both that had processes of their own in the round, for the processes that have them.
        load_s, first_s: medians over processes; `peak_bytes` too.
        correct: test images of `images` that were answered correctly; `agreement` a share.
        instructions: of an inference, the least counted.
    """

    __pydantic_config__: ClassVar = STRICT

    latencies_s: tuple[float, ...] = ()
    ratios: tuple[float, ...] = ()
    beat: str = ""
    load_s: float | None = None
    first_s: float | None = None
    peak_bytes: float | None = None
    file_bytes: int | None = None
    correct: int | None = None
    images: int | None = None
    agreement: float | None = None
    instructions: int | None = None

    @property
    def beats(self) -> list[float]:
        """What a beat took in each process, a logarithm; nothing where `ratios` are over something else."""
        return _differences(logs(self.latencies_s), self.ratios) if self.beat else []

    @property
    def accuracy(self) -> float | None:
        """The share of the test images that were answered correctly."""
        return self.correct / self.images if self.images and self.correct is not None else None

    @property
    def p50_s(self) -> float | None:
        """The median over processes of each one's median."""
        return median(self.latencies_s) if self.latencies_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure that changed, by how much and with what evidence.

    Attributes:
        change: as a share, with its 95 % interval where it has one; of accuracies in points, as a share of 1.
        p: one-sided; None for a rule without statistics.
        confirmed_at: when the night began whose pairs say so; empty for tonight's.
    """

    __pydantic_config__: ClassVar = STRICT

    figure: str
    verdict: Outcome
    before: float
    after: float
    change: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    pairs: int = 0
    confirmed_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One configuration in one night.

    Attributes:
        name: the case without versions: what stays the same when a runtime is upgraded.
        pin: of what was measured, so that it can be measured again: a file below `pinned/`.
        components: those that a pair can hold fixed, by name: model, runtime, packages, harness.
        changed: components that are not the accepted ones, `runtime: onnxruntime 1.23.2 -> 1.31.1`.
        detectable: the least change of the latency, a share, that this night would have found.
        offset: log change of the latency against the accepted environment, where pairs said enough of it.
        since: the night whose environment is the accepted one; empty for a new configuration.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    target: str
    pin: str = ""
    components: dict[str, str] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
    verdict: Outcome = Outcome.OK
    findings: tuple[Change, ...] = ()
    changed: tuple[str, ...] = ()
    why: str = ""
    detectable: float | None = None
    offset: float | None = None
    since: str = ""

    @property
    def is_measured(self) -> bool:
        """Whether its figures are worth something, also where pairs could not confirm what they say."""
        return self.verdict != Outcome.MISSING and (self.verdict != Outcome.INVALID or bool(self.since))

    @property
    def confirmed(self) -> tuple[Change, ...]:
        """The findings that rest on pairs."""
        return tuple(change for change in self.findings if change.p is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AAPairs:
    """What two installations of one accepted environment differed by: the noise that every confirmation rests on.

    Attributes:
        change: as a share, with its 95 % interval.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    pairs: int
    change: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One night; keyed by when it started.

    Attributes:
        started_at: UTC, `2026-11-23T00:12:48+00:00`; its `id` makes it unique among runners.
        hosts: of each target that answered, the facts that pairs cannot hold fixed.
        gone: configurations of the night before that the sweep no longer has.
        measured_s: what the measuring took of `spent_s`.
    """

    __pydantic_config__: ClassVar = STRICT

    version: Literal[2] = VERSION
    id: str
    started_at: str
    edgebench: str
    sweep: str
    hosts: dict[str, dict[str, str]]
    entries: tuple[Entry, ...]
    gone: tuple[str, ...] = ()
    arms: AAPairs | None = None
    measured_s: float = 0.0
    spent_s: float = 0.0

    @property
    def stem(self) -> str:
        """Its file's name without the ending, in the order of time: `20261123T001248Z-0f3a...`."""
        return _stem(self.started_at, self.id)


class NightEntry(NamedTuple):
    """One configuration in one night, with that night."""

    night: Night
    entry: Entry

    @property
    def facts(self) -> dict[str, str]:
        """Facts of the host that pairs cannot hold fixed."""
        return self.night.hosts.get(self.entry.target, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Somebody's decision that a night is what later ones are compared with.

    Attributes:
        night: its id; `configurations` are names, all of that night where empty.
    """

    __pydantic_config__: ClassVar = STRICT

    id: str
    accepted_at: str
    night: str
    configurations: tuple[str, ...]
    reason: str

    @property
    def stem(self) -> str:
        """Its file's name without the ending, in the order of time."""
        return _stem(self.accepted_at, self.id)

    def covers(self, name: str) -> bool:
        """Tell whether it is about a configuration."""
        return not self.configurations or name in self.configurations


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Every night that can be read, in order of time, and what was wrong with other files.

    Attributes:
        notes: a line per file that was left out, with the reason.
    """

    nights: tuple[Night, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What it takes to measure a configuration again as it was: files below `pinned/`, by hash, and a version.

    Attributes:
        file: the artifact's, `packages` a brought runtime's zip where it had one, `agent` the bundle.
    """

    __pydantic_config__: ClassVar = STRICT

    case: Case
    artifact: Artifact
    file: str
    agent: str
    agent_sha256: str
    packages: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTimes:
    """What the processes of one arm took, seconds, in order.

    Attributes:
        latencies_s: each process's median inference.
        levels: logarithms of these over the beats between each process's samples; empty where the two agents of a pair
            do not beat alike.
    """

    latencies_s: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    load_s: tuple[float, ...] = ()
    first_s: tuple[float, ...] = ()

    def at_one_pace(self, slope: float) -> list[float]:
        """Return the logarithms of the latencies without what the beats' own differences make of them."""
        return at_one_pace(self.levels, _differences(logs(self.latencies_s), self.levels), slope)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTimes:
    """Interleaved pairs of the accepted environment and tonight's, one process of each per pair.

    Attributes:
        slope: how the latencies follow the beats.
        why_not: what kept the pairs from being taken; then both arms are empty.
    """

    accepted: ArmTimes = field(default_factory=ArmTimes)
    tonight: ArmTimes = field(default_factory=ArmTimes)
    slope: float = 1.0
    why_not: str = ""

    @property
    def pairs(self) -> int:
        """How many were taken."""
        return len(self.tonight.latencies_s)

    @property
    def paced_logs(self) -> tuple[list[float], list[float]]:
        """Logarithms of both arms' latencies, at one pace of the beats where both arms have these."""
        if self.accepted.levels and self.tonight.levels:
            return self.accepted.at_one_pace(self.slope), self.tonight.at_one_pace(self.slope)
        return both_logs(self.accepted.latencies_s, self.tonight.latencies_s)


def _stem(at: str, id: str) -> str:
    return f"{at[:19].replace('-', '').replace(':', '')}Z-{id}"


def logs(values: tuple[float, ...]) -> list[float]:
    """Return natural logarithms."""
    return [log(value) for value in values]


def both_logs(before: tuple[float, ...], after: tuple[float, ...]) -> tuple[list[float], list[float]]:
    """Return the logarithms of two arms; nothing where a time is zero, as the null runtime's may be."""
    return (logs(before), logs(after)) if min((*before, *after), default=0.0) > 0 else ([], [])


def _differences(minuends: Sequence[float], subtrahends: Sequence[float]) -> list[float]:
    return [minuend - subtrahend for minuend, subtrahend in zip(minuends, subtrahends, strict=True)]
