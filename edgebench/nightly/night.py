"""The values of a nightly run: figures and verdicts of a configuration, acceptances, decisions, pins, paired times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import log
from statistics import median
from typing import ClassVar, Literal, NamedTuple

from edgebench.foundation.stats import median_interval
from edgebench.nightly.pace import at_one_pace
from edgebench.schema import STRICT
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import Case
from edgebench.schema.sound import MOST, MOST_S, within

VERSION: Literal[2] = 2  # version of the format of a night's file

HARNESS, MODEL, RUNTIME, PACKAGES = "harness", "model", "runtime", "packages"
COMPONENTS = (MODEL, RUNTIME, PACKAGES, HARNESS)

MOST_LOG = 100.0  # largest logarithm of a ratio of two times
# The largest possible value of each figure that is a single number.
BOUNDS = (
    *((name, MOST_S) for name in ("load_s", "first_s", "p90_s")),
    *((name, MOST) for name in ("peak_bytes", "file_bytes", "instructions", "images", "correct")),
    *((name, 1) for name in ("agreement", "score")),
)
BUDGET = " budget"  # ends the name of a figure that exceeds its budget
Place = tuple[int, str, str]  # sort key within a history: number, time and id


class Outcome(StrEnum):
    """The possible verdicts on one configuration in one night, in order of severity."""

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
        """Return the rank of the verdict: 0 for OK, and a higher number for a worse verdict."""
        return list(Outcome).index(self)


class State(StrEnum):
    """The state of a change: new, lasting or mended, and how a user reacted to it."""

    NEW = "new"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    INVALID = "invalid"
    MENDED = "mended"


class Severity(StrEnum):
    """How a night reports a regression: it fails, it warns, or it only mentions the regression."""

    FAIL = "fail"
    WARN = "warn"
    NOTE = "note"


# Later nights are screened against nights with these verdicts, and against accepted nights with any verdict.
QUIET = (Outcome.OK, Outcome.NEW, Outcome.UNDERPOWERED, Outcome.HOST_CHANGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one configuration in one night; a figure that was not measured is None or empty.

    Attributes:
        latencies_s: median latency of each process.
        ratios: log latency minus log reference time, per process; processes without a reference are left out.
        beat: the reference workload that ran between the samples of each process. If `beat` is empty, the log reference
            time is the mean over both reference workloads; each of them ran in a process of its own in the same round.
        load_s, first_s, peak_bytes: medians over processes; `first_s` is the time of the first inference.
        p90_s: 90th percentile of the latency over all processes.
        correct: number of correctly classified images among the `images` test images; None for other tasks.
        metric, score: name and value, as a share, of the main metric of another task, such as the mAP of a detector.
        agreement: share in [0, 1] of test images that this artifact and its float parent classify alike.
        instructions: the lowest number of instructions per inference in any process.
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
    p90_s: float | None = None
    metric: str = ""
    score: float | None = None

    @property
    def beats(self) -> list[float]:
        """The log time of the reference beats that ran between the samples, per process; an empty list if none ran."""
        return _differences(logs(self.latencies_s), self.ratios) if self.beat else []

    @property
    def accuracy(self) -> float | None:
        """Top-1 accuracy, a share in [0, 1]."""
        return self.correct / self.images if self.images and self.correct is not None else None

    @property
    def p50_s(self) -> float | None:
        """The median over processes of each process's median latency."""
        return median(self.latencies_s) if self.latencies_s else None

    @property
    def p50_interval_s(self) -> tuple[float, float] | tuple[None, None]:
        """The 95 % interval of `p50_s`; (None, None) if there are too few processes for an interval."""
        return median_interval(self.latencies_s) or (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A changed figure, the size of the change and its evidence.

    Attributes:
        change: relative change or, for accuracy and agreement, the difference; its 95 % interval is from `low` to
            `high`.
        p: one-sided p-value; None if the figure is compared without statistics.
        confirmed_at: start of the earlier night whose pairs confirmed the change; an empty text if this night's pairs
            confirmed it.
        severity: how the night reports the change, by the limits in `nightly.toml`.
        note: why a limit lowered the severity, and until when; an empty text if no limit did.
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
    severity: Severity = Severity.FAIL
    note: str = ""

    @property
    def is_budget(self) -> bool:
        """Whether this is an exceeded budget, in which case `before` is the budget."""
        return self.figure.endswith(BUDGET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The result of one configuration in one night.

    Attributes:
        name: the case without the version of its runtime, so that the name stays the same after an upgrade.
        pin: name of the file in `pinned/` that describes the measured environment.
        components: what paired runs can install again, by name: model, runtime, packages, harness (edgebench's agent).
        changed: differences from the accepted components and from the last night's host, such as
            `runtime: onnxruntime 1.23.2 -> 1.31.1`.
        detectable: minimum detectable effect on the latency, as a share.
        offset: log ratio of this night's latency to the accepted latency; None if no pairs measured it well enough.
        since: id of the accepted night that this night was compared with; an empty text for a new configuration.
        over_budget: figures that exceed a budget in `nightly.toml`. They do not change the verdict, because a budget
            says nothing about a change since the accepted night.
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
    over_budget: tuple[Change, ...] = ()

    @property
    def reported(self) -> tuple[Change, ...]:
        """All changes and all exceeded budgets."""
        return (*self.findings, *self.over_budget)

    @property
    def is_measured(self) -> bool:
        """Whether the figures are usable.

        They are also usable if the entry is INVALID only because its paired runs are missing.
        """
        return self.verdict != Outcome.MISSING and (self.verdict != Outcome.INVALID or bool(self.since))

    @property
    def confirmed(self) -> tuple[Change, ...]:
        """The changes that paired runs confirmed."""
        return tuple(change for change in self.findings if change.p is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AAPairs:
    """The measured difference between two identical installations of one environment: the noise of paired runs.

    Attributes:
        change: relative difference of the latencies; `low` and `high` bound its 95 % interval.
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    pairs: int
    change: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One night, identified by its start time and its id.

    Attributes:
        started_at: start in UTC by the machine's clock, such as `2026-11-23T00:12:48+00:00`; `id` distinguishes nights
            that started at the same time on different machines.
        number: place of the night in the history, counted from 1; 0 if an older version wrote the night.
        hosts: for each reached target, the facts that paired runs cannot restore.
        gone: configurations of the night before that are no longer in the sweep.
        arms: the noise of the paired runs; None if not measured.
        measured_s: time to measure the sweep; `spent_s` is the time of the whole night.
        notes: sentences about limits in `nightly.toml` that had no effect.
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
    notes: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """The file name without its suffix, such as `20261123T001248Z-0f3a...`."""
        return _stem(self.started_at, self.id)

    @property
    def place(self) -> Place:
        """The key by which nights are sorted: the number comes first, because a machine's clock may have been wrong."""
        return self.number, self.started_at, self.id


class NightEntry(NamedTuple):
    """An entry together with the night that it belongs to."""

    night: Night
    entry: Entry

    @property
    def facts(self) -> dict[str, str]:
        """The facts of the entry's host that paired runs cannot restore."""
        return self.night.hosts.get(self.entry.target, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A user's decision that a night is the baseline of later nights.

    Attributes:
        night: id of the accepted night.
        configurations: names of the accepted configurations; empty if the whole night is accepted.
        number: place of the acceptance among all acceptances, counted from 1; 0 if an older version wrote it.
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
        """The file name without its suffix."""
        return _stem(self.accepted_at, self.id)

    @property
    def place(self) -> Place:
        """The sort key of acceptances, the number first because a clock can be wrong; the last acceptance applies."""
        return self.number, self.accepted_at, self.id

    def covers(self, name: str) -> bool:
        """Return whether the acceptance applies to a configuration."""
        return not self.configurations or name in self.configurations


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A reader's reaction to changes that one night reported.

    Attributes:
        decided_at: time of the reaction in UTC, as ISO 8601.
        night: id of the night that reported the changes.
        configurations: the names of the changed configurations to which the decision applies.
        person: who takes care of an assigned change; an empty text for other reactions.
        link: address of an issue or a discussion; may be empty.
        number: place of the decision among all decisions of the history, counted from 1.
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
        """The file name without its suffix."""
        return _stem(self.decided_at, self.id)

    @property
    def place(self) -> Place:
        """The sort key of decisions, the number first because a clock can be wrong; the last decision applies."""
        return self.number, self.decided_at, self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The readable nights, acceptances and decisions of a history, each kind in order.

    Attributes:
        notes: one line for each file that was skipped, with the reason.
    """

    nights: tuple[Night, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A pin: the files with which a configuration can be measured again; they are in `pinned/`, named by hash.

    Attributes:
        file: name of the model file.
        agent: name of the agent's bundle.
        packages: name of the zip of the runtime's packages, if edgebench brought them to the target; else an empty
            text.
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
    """The times of one arm (one of the two environments that pairs compare); one value per process, in order.

    Attributes:
        latencies_s: median latency.
        levels: log latency minus log time of the reference beats, a small workload that runs between the samples; an
            empty tuple if the two environments have different beats.
        load_s: time to load the model.
        first_s: time of the first inference.
    """

    latencies_s: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    load_s: tuple[float, ...] = ()
    first_s: tuple[float, ...] = ()

    def at_one_pace(self, slope: float) -> list[float]:
        """Return the log latencies, corrected for the machine's speed, which is known from the reference beats."""
        return at_one_pace(self.levels, _differences(logs(self.latencies_s), self.levels), slope)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTimes:
    """Times of interleaved pairs. A pair is one process of the accepted environment and one of tonight's environment.

    Attributes:
        slope: how much log latency rises if the log time of the reference beats rises by 1.
        why_not: the reason if no pairs were run; there are no times then.
    """

    accepted: ArmTimes = field(default_factory=ArmTimes)
    tonight: ArmTimes = field(default_factory=ArmTimes)
    slope: float = 1.0
    why_not: str = ""

    @property
    def pairs(self) -> int:
        """The number of pairs that were run."""
        return len(self.tonight.latencies_s)

    @property
    def paced_logs(self) -> tuple[list[float], list[float]]:
        """The log latencies of both environments, corrected for the machine's speed if both have reference beats."""
        if self.accepted.levels and self.tonight.levels:
            return self.accepted.at_one_pace(self.slope), self.tonight.at_one_pace(self.slope)
        return both_logs(self.accepted.latencies_s, self.tonight.latencies_s)


def following(members: Sequence[Night] | Sequence[Acceptance] | Sequence[Decision]) -> int:
    """Return the number of the next night, acceptance or decision: one more than the highest number in `members`."""
    return max((member.number for member in members), default=0) + 1


def fault(night: Night) -> str:
    """Return the first impossible figure of a night, with its configuration; an empty text if all are possible."""
    return next((f"{entry.name}: {text}" for entry in night.entries for text in _faults(entry)), "")


def _faults(entry: Entry) -> Iterator[str]:
    figures = entry.figures
    times, ratios = figures.latencies_s, figures.ratios
    if times and not 0 < min(times) <= max(times) <= MOST_S:
        yield f"latencies_s is {min(times):g} to {max(times):g}, wanted more than 0"
    if figures.beat and len(times) != len(ratios):
        yield f"{len(times)} latencies_s and {len(ratios)} ratios do not fit"
    if max(map(abs, (*ratios, entry.offset or 0.0))) > MOST_LOG:
        yield f"ratios or offset is beyond {MOST_LOG:g}"
    for name, most in BOUNDS:
        yield from within(figures, most, name)
    if figures.correct is not None and figures.correct > (figures.images or 0):
        yield f"correct is {figures.correct}, wanted at most the {figures.images or 0} images"


def _stem(at: str, id: str) -> str:
    return f"{at[:19].replace('-', '').replace(':', '')}Z-{id}"


def logs(values: tuple[float, ...]) -> list[float]:
    """Return the natural logarithms of values."""
    return [log(value) for value in values]


def both_logs(before: tuple[float, ...], after: tuple[float, ...]) -> tuple[list[float], list[float]]:
    """Return the log times of two environments; return empty lists if a time is zero, as with the null runtime."""
    return (logs(before), logs(after)) if min((*before, *after), default=0.0) > 0 else ([], [])


def _differences(minuends: Sequence[float], subtrahends: Sequence[float]) -> list[float]:
    return [minuend - subtrahend for minuend, subtrahend in zip(minuends, subtrahends, strict=True)]
