"""A journal's records -> the evidence on each case (a row of the table): its runs, artifact, accuracy, failures."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from statistics import median
from typing import TypeVar

from edgebench.foundation import stats
from edgebench.foundation.shelf import literal, names
from edgebench.schema import compilation
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import PRESETS, Case, Purpose, Settings
from edgebench.schema.compilation import Compilation
from edgebench.schema.record import (
    Accuracy,
    Beats,
    Deployment,
    Failure,
    MemoryMarks,
    Record,
    Reference,
    Run,
    Session,
    Stop,
)
from edgebench.schema.variant import Variant

SHORT = 6  # number of hexadecimal digits of the hash of a file that tell files of one name apart
BEAT = "beat "  # a reference workload is a beat if its name begins with this text
INSPECTED_ON = "x86_64"  # the type of processor on which edgebench inspects int8 graphs
Key = tuple[Case, str, str]  # a case, its preset, and the epoch of its environment
FileName = tuple[str, float, str]  # a network, its width, and the name of its weights
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integers:
    """What an int8 graph computes in integers.

    Attributes:
        share: share of the multiply-adds; None if unknown.
        left: number of operators that compute in float.
        named: some of these operators, each as its type and its name.
    """

    share: float | None
    left: int
    named: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)  # no slots: `timed` and `medians`, which reports read often, are cached
class Evidence:
    """Everything known about one case under one preset in one epoch (state of the target's machine).

    Attributes:
        session: the last session in this epoch that requested the case.
        runs: the runs of the artifact deployed last in this epoch.
        sustained: the sustained runs of the artifact deployed last in this epoch.
        is_latest: whether this is the last epoch in which a session requested the case.
        set_aside: number of runs of the case and preset that are not used in any epoch; only the latest epoch has this
            number, and earlier epochs have 0.
        failures: the case's failures in `session`.
        stop: the record of the regular end of `session`; None if the session was interrupted or still runs.
        others: runs of the case and preset in this epoch that used another artifact or no artifact.
        unread: number of the journal's invalid lines; they may belong to any case.
        halved: the latency runs of the same case at half the batch, in the same environment.
    """

    case: Case
    session: Session
    runs: tuple[Run, ...] = ()
    sustained: tuple[Run, ...] = ()
    artifact: Artifact | None = None
    accuracy: Accuracy | None = None
    failures: tuple[Failure, ...] = ()
    is_latest: bool = True
    set_aside: int = 0
    stop: Stop | None = None
    others: tuple[Run, ...] = ()
    unread: int = 0
    halved: tuple[Run, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The words by which a query can name the case: of its name, preset, epoch, and the hashes of file and data."""
        variant, environment = self.case.variant, self.session.environment
        hashes = (variant.weights_sha256, *(sha256 for _, sha256 in data_of(variant)))
        return *str(self.case).split(), self.session.preset, environment.epoch, *(one[:SHORT] for one in hashes if one)

    @cached_property
    def timed(self) -> tuple[Run, ...]:
        """The latency runs, in order; empty if an emulator ran the case, because its times are not the board's."""
        return () if not self.has_times else tuple(run for run in self.runs if run.purpose == Purpose.LATENCY)

    @cached_property
    def medians(self) -> Sequence[float]:
        """The median sample of each latency run in seconds, in the order of the runs."""
        return process_medians(self.timed)

    @property
    def weighed(self) -> tuple[Run, ...]:
        """The memory runs, in order; empty if an emulator ran the case."""
        return () if not self.has_times else tuple(run for run in self.runs if run.memory)

    @staticmethod
    def loaded(runs: Sequence[Run]) -> tuple[Run, ...]:
        """Return the runs whose load is typical: leave out runs that wrote a weight cache, unless all of them did."""
        read = tuple(run for run in runs if run.conditions.get("weight_cache") != "written")
        return read or tuple(runs)

    @property
    def marks(self) -> tuple[MemoryMarks, ...]:
        """The memory readings (marks) of the memory runs, in order."""
        return tuple(run.memory for run in self.loaded(self.weighed) if run.memory)

    @property
    def counts(self) -> tuple[int, ...]:
        """The lowest instruction count per inference, for each process that counted instructions, in their order."""
        return tuple(min(run.instructions) for run in self.runs if run.instructions)

    @property
    def lost(self) -> str:
        """Why the session lost its target, as a single reason, without a semicolon; an empty text if it did not."""
        return self.stop.lost.replace("; ", ", ") if self.stop else ""

    @property
    def is_cut_off(self) -> bool:
        """Whether the session lost its target before the case was complete."""
        settings = PRESETS[self.session.preset]
        return bool(self.lost) and not is_settled(self.medians, settings, self.allowed_half_width)

    @property
    def emulator(self) -> str:
        """The name of the emulator that ran the case; an empty text if a real processor ran it."""
        return self.session.environment.emulator

    @property
    def compiles_for(self) -> str:
        """The device for which the case is only compiled; an empty text if the target runs it."""
        return self.session.environment.compiles_for

    @property
    def has_times(self) -> bool:
        """Whether the target's times and memory are measured."""
        return self.session.environment.has_times

    @property
    def compilation(self) -> Compilation | None:
        """The compiler's last report about the case; None if the case is not only compiled, or not compiled yet."""
        reports = [run.conditions for run in self.runs if run.purpose == Purpose.COMPILE]
        return compilation.read(reports[-1]) if reports else None

    @property
    def is_on_gpu(self) -> bool:
        """Whether the target computes on a GPU."""
        return self.session.environment.facts.get("device") == "cuda"

    @property
    def was_inspected(self) -> bool:
        """Whether the int8 graph was inspected on the target's type of processor, for which runtimes optimise it."""
        return self.session.environment.facts.get("machine", INSPECTED_ON) == INSPECTED_ON

    @property
    def integers(self) -> Integers | None:
        """What the graph computes in integers, as its runtime or the writer of its format reports; None if unknown."""
        if facts := next((run.conditions for run in self.runs if "float_operators" in run.conditions), None):
            share = float(facts["integer_share"]) if "integer_share" in facts else None
            named = tuple(filter(None, facts.get("float_operator_names", "").split(", ")))
            return Integers(share=share, left=int(facts["float_operators"]), named=named)
        artifact = self.artifact
        if self.compiles_for:
            return None
        if artifact is None or _inspects(self.case.runtime.name) or not self.was_inspected:
            return None
        return Integers(share=artifact.integer_share, left=len(artifact.float_nodes), named=artifact.float_nodes)

    @property
    def allowed_half_width(self) -> float:
        """The widest half-width of an interval that counts as precise.

        It is larger on a virtual machine, which is noisy.
        """
        return allowed_half_width(self.session)


@cache
def _inspects(runtime: str) -> bool:
    """Return whether a runtime reports itself what its graph computes in integers; false if it is unknown here."""
    return runtime in names("runtimes") and bool(literal("runtimes", runtime, "INSPECTS"))


def allowed_half_width(session: Session) -> float:
    """Return the widest half-width that counts as precise in a session; it is larger on a noisy virtual machine."""
    settings = PRESETS[session.preset]
    return settings.half_width_noisy if session.environment.facts.get("hypervisor") else settings.half_width


def process_medians(runs: Sequence[Run]) -> list[float]:
    """Return the median sample of each latency process in seconds, in the order of the processes."""
    return [median(run.samples_s) for run in runs if run.purpose == Purpose.LATENCY]


def reference_medians(records: Iterable[Record]) -> dict[str, list[float]]:
    """Return the median seconds of each process that ran a reference workload or beats, grouped by workload."""
    found = defaultdict[str, list[float]](list)
    for record in records:
        match record:
            case Run(case=Reference(workload=workload), samples_s=samples_s) if samples_s:
                found[workload].append(median(samples_s))
            case Run(beats=Beats() as beats):
                found[f"{BEAT}{beats.workload}"].append(median(beats.took_s))
    return found


def file_name(variant: Variant) -> FileName:
    """Return the name of a network and of its weights; a network of another width has a file of its own."""
    return variant.architecture, variant.width, variant.weights


def data_of(variant: Variant) -> Iterator[tuple[str, str]]:
    """Yield name and hash of the data set, and of the calibration data if they are others; a hash may be empty."""
    yield variant.dataset, variant.dataset_sha256
    if variant.quantization and variant.quantization.calibration:
        yield variant.quantization.calibration, variant.quantization.calibration_sha256


def files_of_one_name(evidence: Iterable[Evidence]) -> dict[FileName, dict[str, str]]:
    """Map each name that stands for several files to their hashes, each with the start of the file's last session."""
    files = ((file_name(one.case.variant), one.case.variant.weights_sha256, one) for one in evidence)
    return _of_one_name(files)


def data_of_one_name(evidence: Iterable[Evidence]) -> dict[str, dict[str, str]]:
    """Map each name that stands for several data sets to their hashes, each with the start of its last session."""
    return _of_one_name((name, sha256, one) for one in evidence for name, sha256 in data_of(one.case.variant))


def _of_one_name(contents: Iterable[tuple[Name, str, Evidence]]) -> dict[Name, dict[str, str]]:
    last = defaultdict[Name, dict[str, str]](dict)
    for name, sha256, one in contents:
        last[name][sha256] = max(one.session.started_at, last[name].get(sha256, ""))
    return {name: of_name for name, of_name in last.items() if len(of_name) > 1}


def median_condition(runs: Sequence[Run], name: str) -> float | None:
    """Return the median over processes of a recorded numeric condition; None if no process recorded it."""
    values = [float(run.conditions[name]) for run in runs if name in run.conditions]
    return median(values) if values else None


def half_width(medians: Sequence[float]) -> float | None:
    """Return half the 95 % interval's width as a share of the median; None without an interval."""
    interval = stats.median_interval(medians)
    return None if interval is None else stats.relative_half_width(interval[0], median(medians), interval[1])


def is_settled(medians: Sequence[float], settings: Settings, allowed: float) -> bool:
    """Return whether a case needs no more processes.

    The interval is examined only after fixed numbers of processes. The case is finished if an examination finds its
    interval narrow enough, or after the last examination.
    """
    if len(medians) >= settings.interim_analyses[-1]:
        return True
    width = half_width(medians)
    return len(medians) in settings.interim_analyses and width is not None and width <= allowed


def in_epoch(records: Iterable[Record], epoch: str, preset: str) -> Iterator[Record]:
    """Yield an epoch's records without the runs under other presets; only runs depend on the preset."""
    for record in records:
        if isinstance(record, (Session, Stop)) or record.epoch != epoch:
            continue
        if not isinstance(record, Run) or record.preset == preset:
            yield record


def of_artifact(records: Iterable[Record], artifact: Artifact | None) -> tuple[Run | Accuracy, ...]:
    """Return the runs and the accuracies of one artifact; an empty tuple without an artifact.

    A process is left out if it reports the hash of a file other than this artifact. Older journals have no such hash;
    their processes are kept.
    """
    sha256 = artifact.sha256 if artifact else None
    return tuple(
        one
        for one in records
        if isinstance(one, (Run, Accuracy)) and one.artifact_sha256 == sha256 and one.opened_sha256 in ("", sha256)
    )


def by_case(records: Iterable[Record]) -> dict[Case, list[Record]]:
    """Group records by their case; records of reference workloads have no case and are left out."""
    parts = defaultdict[Case, list[Record]](list)
    for record in records:
        if not isinstance(record, (Session, Stop)) and isinstance(record.case, Case):
            parts[record.case].append(record)
    return parts


def gather(records: Iterable[Record], unread: int = 0) -> tuple[Evidence, ...]:
    """Group records into the evidence on each case, preset and epoch, in the order of the first requests.

    An epoch in which a case failed or has no result is left out if the case was requested in a later epoch. Likewise,
    a case of a target that did not answer is left out if the target answered later.
    `unread` is the number of the journal's invalid lines.
    """
    every = tuple(records)
    sessions = [record for record in every if isinstance(record, Session)]
    stops = {record.session: record for record in every if isinstance(record, Stop)}
    asked: dict[Key, Session] = {key: session for session in sessions for key in _keys(session)}
    latest = {(case, session.preset): session.environment.epoch for session in sessions for case in session.cases}
    seen = by_case(every)
    found = {
        key: _evidence(
            key, session, seen.get(key[0], ()), stop=stops.get(session.id), is_latest=key[2] == latest[key[:2]]
        )
        for key, session in asked.items()
    }
    last = {session.environment.target: session.environment for session in sessions}
    kept = {
        key: one
        for key, one in found.items()
        if (one.is_latest and (one.session.environment.is_reached or not last[key[0].target].is_reached))
        or _is_answered(one)
    }
    aside = _set_aside(kept, seen)
    return tuple(
        _completed(one, _halved(one, kept), aside[key[:2]] if one.is_latest else 0, unread) for key, one in kept.items()
    )


def _completed(evidence: Evidence, halved: tuple[Run, ...], set_aside: int, unread: int) -> Evidence:
    if not halved and not set_aside and not unread:
        return evidence
    return replace(evidence, halved=halved, set_aside=set_aside, unread=unread)


def answered(records: Iterable[Record]) -> frozenset[Case]:
    """Return the cases that have a result in any epoch."""
    return frozenset(one.case for one in gather(records) if _is_answered(one))


def _is_answered(evidence: Evidence) -> bool:
    return not evidence.failures and bool(evidence.runs or evidence.emulator) and not evidence.is_cut_off


def _keys(session: Session) -> Iterator[Key]:
    for case in session.cases:
        yield case, session.preset, session.environment.epoch


def _set_aside(kept: Mapping[Key, Evidence], seen: Mapping[Case, Sequence[Record]]) -> dict[tuple[Case, str], int]:
    """Return, per case and preset, the number of runs that are not used in any epoch."""
    made = {key[:2]: sum(isinstance(one, Run) and one.preset == key[1] for one in seen.get(key[0], ())) for key in kept}
    for key, one in kept.items():
        made[key[:2]] -= len(one.runs) + len(one.sustained)
    return made


def _halved(whole: Evidence, found: Mapping[Key, Evidence]) -> tuple[Run, ...]:
    """Find the runs of the same case at half the batch, in the same epoch.

    At half the batch, a large network takes about half the time.
    """
    batch, odd = divmod(whole.case.batch, 2)
    if odd:
        return ()
    session = whole.session
    key = (replace(whole.case, batch=batch), session.preset, session.environment.epoch)
    return found[key].timed if key in found else ()


def _evidence(key: Key, session: Session, mine: Sequence[Record], *, stop: Stop | None, is_latest: bool) -> Evidence:
    """Select the records of the artifact that was deployed last in the session's environment."""
    case, preset, epoch = key
    here = tuple(in_epoch(mine, epoch, preset))
    deployed = [one.artifact for one in here if isinstance(one, Deployment)]
    artifact = deployed[-1] if deployed else None
    pooled = of_artifact(here, artifact)
    runs, counted = [one for one in pooled if isinstance(one, Run)], {id(one) for one in pooled}
    accuracies = [one for one in pooled if isinstance(one, Accuracy)]
    return Evidence(
        case=case,
        session=session,
        runs=tuple(run for run in runs if not run.windows),
        sustained=tuple(run for run in runs if run.windows),
        artifact=artifact,
        accuracy=accuracies[-1] if accuracies else None,
        failures=tuple(one for one in here if isinstance(one, Failure) and one.session == session.id),
        stop=stop,
        others=tuple(one for one in here if isinstance(one, Run) and id(one) not in counted),
        is_latest=is_latest,
    )
