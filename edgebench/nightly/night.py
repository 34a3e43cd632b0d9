"""The values of a nightly run: figures and verdicts of a configuration, acceptances, decisions, pins, paired times."""

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

VERSION: Literal[2] = 2  # file format of a night

HARNESS, MODEL, RUNTIME, PACKAGES = "harness", "model", "runtime", "packages"

Place = tuple[int, str, str]  # in a history: number, time and id


class Outcome(StrEnum):
    """The verdict on one configuration in one night, in order of severity."""

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
        """Return the rank, 0 for OK; higher is worse."""
        return list(Outcome).index(self)


class State(StrEnum):
    """What is known about a change, and whether somebody reacted to it."""

    NEW = "new"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    INVALID = "invalid"
    MENDED = "mended"


# Nights with these verdicts enter the history for screening; others only after they are accepted.
QUIET = (Outcome.OK, Outcome.NEW, Outcome.UNDERPOWERED, Outcome.HOST_CHANGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one configuration in one night; None or empty if not measured.

    Attributes:
        latencies_s: median latency per process.
        ratios: log latency minus log time of the reference, per process; processes without a reference are left out.
        beat: the reference workload that was interleaved with the samples of each process. If empty, the reference is
            the mean log time of both reference workloads, each run in its own process of the same round.
        load_s, first_s, peak_bytes: medians over processes; `first_s` is the first inference.
        correct: correctly classified test images out of `images`.
        agreement: share in [0, 1] of images classified as the float parent does.
        instructions: per inference, the lowest count.
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
        """The logarithm of the time of the interleaved reference beats, per process; empty if there were none."""
        return _differences(logs(self.latencies_s), self.ratios) if self.beat else []

    @property
    def accuracy(self) -> float | None:
        """Top-1 accuracy, a share in [0, 1]."""
        return self.correct / self.images if self.images and self.correct is not None else None

    @property
    def p50_s(self) -> float | None:
        """The median over processes of their median latencies."""
        return median(self.latencies_s) if self.latencies_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A changed figure, the size of the change and its evidence.

    Attributes:
        change: relative change; for accuracy and agreement the difference. `low` and `high` are its 95 % interval.
        p: one-sided p-value; None if the figure is compared without statistics.
        confirmed_at: start of the earlier night whose pairs confirmed the change; empty for tonight.
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
        name: the case without the runtime version, so that the name survives upgrades.
        pin: name of the file in `pinned/` that describes the measured environment.
        components: what a pair can reproduce, by name: model, runtime, packages, harness.
        changed: differences from the accepted components, such as `runtime: onnxruntime 1.23.2 -> 1.31.1`.
        detectable: minimum detectable effect on the latency, a share.
        offset: log ratio of tonight's latency to the accepted one; None unless pairs measured it well enough.
        since: id of the accepted night; empty for a new configuration.
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
        """Whether the figures are usable, as they are in an INVALID entry that only lacks its pairs."""
        return self.verdict != Outcome.MISSING and (self.verdict != Outcome.INVALID or bool(self.since))

    @property
    def confirmed(self) -> tuple[Change, ...]:
        """The findings that pairs confirmed."""
        return tuple(change for change in self.findings if change.p is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AAPairs:
    """The difference between two identical installations of one environment: the noise of every confirmation.

    Attributes:
        change: relative difference of the latency; `low` and `high` are its 95 % interval.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    pairs: int
    change: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One night, identified by start time and id.

    Attributes:
        started_at: UTC, `2026-11-23T00:12:48+00:00`, as the clock was; `id` distinguishes nights that started at the
            same time elsewhere.
        number: its place in the history, from 1; 0 in the nights of older versions.
        hosts: per reached target, the facts that a pair cannot reproduce.
        gone: configurations of the night before that are no longer in the sweep.
        arms: the noise of the paired runs; None if not measured.
        measured_s: time to measure the sweep; `spent_s` is the whole night.
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
    number: int = 0

    @property
    def stem(self) -> str:
        """File name without suffix: `20261123T001248Z-0f3a...`."""
        return _stem(self.started_at, self.id)

    @property
    def place(self) -> Place:
        """Sort key of nights, by number first, because a board's clock may have been wrong."""
        return self.number, self.started_at, self.id


class NightEntry(NamedTuple):
    """An entry with the night it belongs to."""

    night: Night
    entry: Entry

    @property
    def facts(self) -> dict[str, str]:
        """The facts of the host that a pair cannot reproduce."""
        return self.night.hosts.get(self.entry.target, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The decision of a user that a night is the baseline of later ones.

    Attributes:
        night: id of the accepted night.
        configurations: their names; empty for all of that night.
        number: its place among the acceptances, from 1; 0 in those of older versions.
    """

    __pydantic_config__: ClassVar = STRICT

    id: str
    accepted_at: str
    night: str
    configurations: tuple[str, ...]
    reason: str
    number: int = 0

    @property
    def stem(self) -> str:
        """File name without suffix."""
        return _stem(self.accepted_at, self.id)

    @property
    def place(self) -> Place:
        """Sort key of acceptances, by number first, because a clock may have been wrong; the last one counts."""
        return self.number, self.accepted_at, self.id

    def covers(self, name: str) -> bool:
        """Return whether the acceptance applies to a configuration."""
        return not self.configurations or name in self.configurations


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The reaction of a reader to changes of one night.

    Attributes:
        decided_at: UTC, ISO 8601.
        night: id of the night whose changes are meant.
        configurations: the names of the configurations that changed.
        person: who takes care of an assigned change; else empty.
        link: address of an issue or a discussion; may be empty.
        number: its place among the decisions of the history, from 1.
    """

    __pydantic_config__: ClassVar = STRICT

    id: str
    decided_at: str
    night: str
    configurations: tuple[str, ...]
    state: State
    reason: str = ""
    person: str = ""
    link: str = ""
    number: int = 0

    @property
    def stem(self) -> str:
        """File name without suffix."""
        return _stem(self.decided_at, self.id)

    @property
    def place(self) -> Place:
        """Sort key of decisions, by number first, because a clock may have been wrong; the last one counts."""
        return self.number, self.decided_at, self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All readable nights, acceptances and decisions, in order.

    Attributes:
        notes: one line per skipped file, with the reason.
    """

    nights: tuple[Night, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """All that is needed to measure a configuration again as it was; files lie in `pinned/`, named by hash.

    Attributes:
        file: the model file.
        agent: the bundle of the agent.
        packages: zip of the runtime's packages, if edgebench brought them to the target; else empty.
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
    """The times of one arm, one value per process, in order.

    Attributes:
        latencies_s: median latency.
        levels: log latency minus log time of the interleaved reference beats; empty if the two arms have different
            beats.
        load_s: time to load the model.
        first_s: time of the first inference.
    """

    latencies_s: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    load_s: tuple[float, ...] = ()
    first_s: tuple[float, ...] = ()

    def at_one_pace(self, slope: float) -> list[float]:
        """Return the log latencies, corrected for the pace of the machine as the beats show it."""
        return at_one_pace(self.levels, _differences(logs(self.latencies_s), self.levels), slope)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTimes:
    """Times of interleaved pairs: each pair is one process of the accepted environment and one of tonight's.

    Attributes:
        slope: rise of log latency per rise of log beat.
        why_not: why no pairs were taken; then both arms are empty.
    """

    accepted: ArmTimes = field(default_factory=ArmTimes)
    tonight: ArmTimes = field(default_factory=ArmTimes)
    slope: float = 1.0
    why_not: str = ""

    @property
    def pairs(self) -> int:
        """The number of pairs taken."""
        return len(self.tonight.latencies_s)

    @property
    def paced_logs(self) -> tuple[list[float], list[float]]:
        """Log latencies of both arms, corrected for the pace of the machine if both arms have beats."""
        if self.accepted.levels and self.tonight.levels:
            return self.accepted.at_one_pace(self.slope), self.tonight.at_one_pace(self.slope)
        return both_logs(self.accepted.latencies_s, self.tonight.latencies_s)


def following(members: Sequence[Night] | Sequence[Acceptance] | Sequence[Decision]) -> int:
    """Return the number after those of all members of a history of one kind; members of older versions have none."""
    return max((member.number for member in members), default=0) + 1


def _stem(at: str, id: str) -> str:
    return f"{at[:19].replace('-', '').replace(':', '')}Z-{id}"


def logs(values: tuple[float, ...]) -> list[float]:
    """Return natural logarithms."""
    return [log(value) for value in values]


def both_logs(before: tuple[float, ...], after: tuple[float, ...]) -> tuple[list[float], list[float]]:
    """Return the logarithms of two arms; empty if a time is zero, as with the null runtime."""
    return (logs(before), logs(after)) if min((*before, *after), default=0.0) > 0 else ([], [])


def _differences(minuends: Sequence[float], subtrahends: Sequence[float]) -> list[float]:
    return [minuend - subtrahend for minuend, subtrahend in zip(minuends, subtrahends, strict=True)]
