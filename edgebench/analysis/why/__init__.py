"""One row or two rows of results folders -> tables that explain the latency, and how the two rows differ."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from edgebench.analysis.why.roofline import Roof, position
from edgebench.deploy import hold, install
from edgebench.deploy.answers import Probed, Profiled, ask
from edgebench.deploy.survey import survey
from edgebench.deploy.targets import catalogue
from edgebench.export import find
from edgebench.foundation.errors import CaseError, RequestError, UnknownName
from edgebench.foundation.progress import Step
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Fact, Sheet
from edgebench.foundation.shelf import load
from edgebench.foundation.units import KIB, millions, milliseconds, number
from edgebench.measure.budget import kinds as prediction
from edgebench.results import folders
from edgebench.results.folders import RESULTS
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import gather
from edgebench.schema.environment import Difference, differences, words
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision, WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench.deploy.connections import Connection
    from edgebench.foundation.progress import Show
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.compilation import Compilation
    from edgebench.schema.environment import Environment
    from edgebench.schema.target import Target

TIMEOUT_S = 600.0
SHOWN, NAMED = 12, 6  # largest number of operators in a table, and of rows or operators that a sentence lists
VALUE_BYTES = {Precision.FP32: 4, Precision.FP16: 2, Precision.BF16: 2, Precision.INT8: 1}

TABLES = ("summary", "operators_by_kind", "operators", "differences")
_SUMMARY: tuple[Column[Fact], ...] = (
    Column.text("what", lambda fact: fact.what, IDENTITY),
    Column.text("", lambda fact: fact.text, OBJECTIVE),
)
_DIFFERENCES: tuple[Column[Difference], ...] = (
    Column.text("what", lambda difference: difference.what, IDENTITY),
    Column.text("this", lambda difference: difference.before or None, OBJECTIVE),
    Column.text("other", lambda difference: difference.after or None, OBJECTIVE),
)
# Columns of the tables of operators and of kinds of operators; a row is a mapping, as the agent on the target sends it.
_NAME: Column[Mapping[str, Any]] = Column.text("name", itemgetter("name"), IDENTITY)
_OPERATOR: Column[Mapping[str, Any]] = Column.text("operator", itemgetter("operator"), IDENTITY)
_TYPE: Column[Mapping[str, Any]] = Column.text("type", itemgetter("type"), IDENTITY)
_NODES: Column[Mapping[str, Any]] = Column.figure("nodes", itemgetter("nodes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTimes:
    """The time of each operator of a case, in the order of execution. If there are no times, `why` gives the reason.

    Attributes:
        whole_s: the time of a whole inference under the profiler.
    """

    why: str
    whole_s: float
    operators: tuple[Mapping[str, Any], ...]


def why(row: str, other: str, address: str, show: Show) -> tuple[Sheet, ...]:
    """Explain the latency of a row. If another row is named, list the differences between the two.

    Raises:
        InvalidFile, UnknownName, RequestError: no row or more than one matches.
        AgentError: the target does not answer.
    """
    measured = evidence(row)
    other_evidence = evidence(other) if other else None
    profile, roof = _profile_and_roof(measured, address, show)
    summary = _summary(measured, profile, roof).closed([_reason(measured, profile, roof, other_evidence)])
    sheets = [summary, *_operators(measured, profile)]
    return tuple(sheets + ([_apart(measured, other_evidence)] if other_evidence else []))


def evidence(query: str) -> Evidence:
    """Find the row that has all words of a query, such as `results/mine:mobilenet_v1-0.25@96/int8`.

    If several rows match, more words select one of them. If a case was measured in several environments, the row from
    the latest environment is returned, unless the query names an epoch (the hash that identifies a machine's state).

    Raises:
        InvalidFile: the folder does not exist.
        UnknownName, RequestError: no row or more than one has all these words.
    """
    left, colon, right = query.partition(":")
    is_module = Path(left).suffix == ".py"  # `nets.py:build` is the name of a user's network and has no folder
    folder, terms = (Path(left), right) if colon and not is_module else (RESULTS / "default", query)
    rows = gather(folders.records(folder))
    matches = [row for row in rows if set(terms.split()) <= {*row.words}] or [
        row for row in rows if all(_is_meant(term, row) for term in terms.split())
    ]
    matches = [row for row in matches if row.is_latest] or matches
    if not terms.split() or not matches:
        known = dict.fromkeys(str(row.case.variant) for row in rows)
        raise UnknownName(f"row of {folder}", terms, tuple(known))
    if len(matches) > 1:
        listed = _candidates(matches)
        raise RequestError(
            f"expected one row of {folder}, found {len(matches)} for {terms!r}; add words of one row: {listed}"
        )
    return matches[0]


def artifact_of(query: str) -> str:
    """Return the name of a row's artifact, if the query names a row, such as `results/mine:lenet5-1@32/int8`.

    Any other query is returned unchanged.

    Raises:
        UnknownName, RequestError: no row or more than one matches, or the row has no artifact.
    """
    folder, colon, _ = query.partition(":")
    if not colon or not Path(folder).is_dir():
        return query
    if (artifact := evidence(query).artifact) is None:
        raise RequestError(
            f"wanted a row with an artifact, found no artifact for {query}: its export failed; measure it again"
        )
    return Path(artifact.file).stem


def _is_meant(term: str, row: Evidence) -> bool:
    """Return whether one of the row's words contains the term, as `lenet5-1@32/int8-per_channel` contains `int8`."""
    ends = tuple(f"{term}{mark}" for mark in "-/@+")
    return any(word == term or word.startswith(ends) or term in re.split("[/@+-]", word) for word in row.words)


def _candidates(matches: Sequence[Evidence]) -> str:
    """List several rows, each by the words that are not common to all these rows."""
    shared = set(matches[0].words).intersection(*(row.words for row in matches))
    listed = [" ".join(word for word in row.words if word not in shared) for row in matches]
    more = f"; and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return "; ".join(dict.fromkeys(listed[:NAMED])) + more


def _profile_and_roof(measured: Evidence, address: str, show: Show) -> tuple[OperatorTimes, Roof | None]:
    """Profile the case on its target; return the times of its operators and the machine's peak speeds (its roof)."""
    with hold(*catalogue.targets_of((measured.case.target,), address)) as (held,):
        show(Step(activity="profile", subject=str(measured.case)))
        runtime = measured.case.runtime
        requests = (RuntimeRequest(name=runtime.name, version=runtime.version if runtime.packages else ""),)
        environment = survey(held.connection, held.target, held.agent_sha256, requests)
        if not environment.has_times:
            emulated = f"{environment.emulator} emulates the target: times have no meaning"
            compiled = f"networks are only compiled for {environment.compiles_for}, which is not at hand"
            why = compiled if environment.compiles_for else emulated
            return OperatorTimes(why=why, whole_s=0, operators=()), None
        return _profile(measured, held.connection, environment), _roof(measured, held.target, held.connection)


def _profile(measured: Evidence, connection: Connection, environment: Environment) -> OperatorTimes:
    """Profile the operators of the artifact that was measured, with the same runtime."""
    case = measured.case
    artifact = find(case.variant, load("runtimes", case.runtime.name).FORMAT)
    installed = [replace(runtime, options=()) for runtime in environment.runtimes.values()]
    if measured.artifact is None or artifact is None or artifact.sha256 != measured.artifact.sha256:
        return OperatorTimes(why="the artifact is not in the cache; measure it again", whole_s=0, operators=())
    if replace(case.runtime, options=()) not in installed:
        return OperatorTimes(why=f"the target no longer has {case.runtime}", whole_s=0, operators=())
    try:
        deployed = install(connection, artifact, case.variant, case.runtime, environment)
        request = {"do": "profile"} | deployed.request(case.runtime, case.threads, case.batch)
        answer = ask(connection, Profiled, request, timeout_s=TIMEOUT_S)
        if not answer.why:
            deployed.require(answer, case.runtime, connection)
    except CaseError as error:
        return OperatorTimes(why=str(error), whole_s=0, operators=())
    return OperatorTimes(why=answer.why, whole_s=answer.whole_s, operators=tuple(map(asdict, answer.operators)))


def _roof(measured: Evidence, target: Target, connection: Connection) -> Roof | None:
    """Return the target's documented peak speeds, or else its fp32 peak, measured now.

    Return None if this measurement fails.
    """
    threads = measured.case.threads
    if target.device != "cpu":
        return None
    if (peak := target.peak) is None:
        try:
            answer = ask(connection, Probed, {"do": "probe", "threads": threads}, timeout_s=TIMEOUT_S)
        except CaseError:
            return None
        source = "measured now: numpy's fp32 matrix product on the same threads, and copying 64 MiB on one thread"
        source += "; int8 may be faster than this peak" if measured.case.variant.precision == Precision.INT8 else ""
        return Roof(gops=answer.gflops, gbytes=answer.gbytes, source=source)
    is_int8 = measured.case.variant.precision == Precision.INT8
    per_core = peak.gops_int8 if is_int8 else peak.gflops
    return Roof(gops=per_core * threads, gbytes=peak.gbytes, source=peak.source) if per_core else None


def _summary(measured: Evidence, profile: OperatorTimes, roof: Roof | None) -> Sheet:
    measurement = summarize(measured)
    reasons = [reason.text for reason in measurement.reasons]
    rows = [
        Fact.of(
            "p50",
            _interval(measurement.p50_s, measurement.low_s, measurement.high_s),
            p50_ms=_ms(measurement.p50_s),
            p50_low_ms=_ms(measurement.low_s),
            p50_high_ms=_ms(measurement.high_s),
        ),
        Fact.of("verdict", measurement.verdict.name, verdict=measurement.verdict.name, reasons=reasons),
        *(Fact.of("reason", reason) for reason in reasons),
    ]
    rows += [
        *_threads(measured),
        *_integers(measured),
        *_compiled(measurement.compilation),
        *_under(measured, profile, roof),
    ]
    return Sheet.of_facts(str(measured.case), _SUMMARY, rows, name="summary")


def _reason(measured: Evidence, profile: OperatorTimes, roof: Roof | None, other: Evidence | None) -> str:
    """Say the main reason for the row's latency, and how many times faster or slower the row is than the other row."""
    sentences = [_spent(profile)]
    time_s, macs, moved = (
        summarize(measured).p50_s,
        measured.artifact and measured.artifact.macs,
        _moved(measured, profile),
    )
    if roof and time_s and macs and moved:
        place = position(macs=macs * measured.case.batch, moved_bytes=moved, time_s=time_s, roof=roof)
        sentences.append(f"It reaches {place.share:.0%} of the speed that the machine's {place.bound} allows.")
    other_s = summarize(other).p50_s if other else None
    if time_s and other_s:
        word = "slower" if time_s > other_s else "faster"
        times = max(time_s, other_s) / min(time_s, other_s)
        sentences.append(f"It is {times:.2f} times {word} than the other row; their differences are listed below.")
    return " ".join(sentences)


def _spent(profile: OperatorTimes) -> str:
    """Name the kind of operator that takes most of the time, and its share."""
    if not profile.operators:
        return f"The main reason is not known, because there are no operator times: {profile.why}."
    spent = defaultdict[str, float](float)
    for operator in profile.operators:
        spent[operator["operator"]] += operator["seconds"]
    kind = max(spent, key=lambda name: spent[name])
    share = spent[kind] / (sum(spent.values()) or 1)
    return f"Main reason: {kind} takes {share:.0%} of the time in operators."


def _ms(time_s: float | None) -> float | None:
    return None if time_s is None else time_s * 1e3


def _interval(middle: float | None, low: float | None, high: float | None) -> str:
    if middle is None or low is None or high is None:
        return "none"
    return f"{milliseconds(middle * 1e3)} ms [{milliseconds(low * 1e3)}, {milliseconds(high * 1e3)}]"


def _threads(measured: Evidence) -> Iterator[Fact]:
    """Yield the number of cores that the row kept busy: CPU time over wall time."""
    cores = [run.cpu_s / run.wall_s for run in measured.timed if run.wall_s]
    if cores:
        used, threads = median(cores), measured.case.threads
        yield Fact.of("effective threads", f"{used:.2f} of {threads}", effective_threads=used, threads=threads)


def _integers(measured: Evidence) -> Iterator[Fact]:
    if (integers := measured.integers) and measured.case.variant.precision == Precision.INT8:
        text = "not known" if integers.share is None else f"{integers.share:.1%}"
        per_cent = None if integers.share is None else 100 * integers.share
        yield Fact.of("multiply-adds in integers", text, integer_share_per_cent=per_cent)
        text = f"{integers.left} {', '.join(integers.named[:NAMED])}".rstrip()
        yield Fact.of("float nodes", text, float_nodes=integers.named)


def _compiled(report: Compilation | None) -> Iterator[Fact]:
    """Yield which operators and multiply-adds of a compiled file run on the NPU, and how much memory it uses."""
    if report is None:
        return
    yield Fact.of("compiled for", report.configuration, compiled_for=report.configuration)
    for what, part, whole in (
        ("operators", report.npu_operators, report.operators),
        ("multiply-adds", report.npu_macs, report.macs),
    ):
        facts = {f"npu_{what.replace('-', '_')}": part, what.replace("-", "_"): whole}
        yield Fact.of(f"{what} on the NPU", f"{part} of {whole}", **facts)
    if report.host_operator_names:
        yield Fact.of("on the processor", report.host_operator_names, host_operators=report.host_operator_names)
    for area in ("sram", "flash", "dram"):
        if used := getattr(report, f"{area}_bytes"):
            yield Fact.of(f"{area} used", f"{used / KIB:.1f} KiB", **{f"{area}_bytes": used})


def _under(measured: Evidence, profile: OperatorTimes, roof: Roof | None) -> Iterator[Fact]:
    """Yield how near the row is to its target's roof, the highest speed that the processor and the memory allow."""
    time_s, macs = summarize(measured).p50_s, measured.artifact.macs if measured.artifact else 0
    moved = _moved(measured, profile)
    if not time_s or not macs or not moved:
        return
    if roof is None:
        text = f"none: the peak of {measured.case.target} in {measured.case.variant.precision} is unknown"
        yield Fact.of("roofline", text)
        return
    yield from _position(macs * measured.case.batch, moved, time_s, roof)


def _position(macs: int, moved: float, time_s: float, roof: Roof) -> Iterator[Fact]:
    place = position(macs=macs, moved_bytes=moved, time_s=time_s, roof=roof)
    text = f"{place.gops:.2f} GOP/s at {millions(macs, 1)} M multiply-adds"
    yield Fact.of("reached", text, reached_gop_per_s=place.gops, macs=macs)
    text = f"{place.intensity:.1f} operations per byte, {moved / 1e6:.2f} MB moved"
    yield Fact.of("intensity", text, operations_per_byte=place.intensity, moved_mb=moved / 1e6)
    yield Fact.of(
        "roof",
        f"{place.attainable_gops:.1f} GOP/s by {place.bound}: {roof.gops:.1f} GOP/s, {roof.gbytes:.1f} GB/s",
        roof_gop_per_s=place.attainable_gops,
        bound=place.bound,
        compute_gop_per_s=roof.gops,
        memory_gb_per_s=roof.gbytes,
    )
    yield Fact.of("share of the roof", f"{place.share:.1%}", roof_share_per_cent=100 * place.share)
    yield Fact.of("roof's source", roof.source, roof_source=roof.source)


def _moved(measured: Evidence, profile: OperatorTimes) -> float:
    """Return the number of bytes that all operators read and write.

    The number comes from the profile. Without operator times, the size of the weights plus twice the size of the
    activations is returned.
    """
    if profile.operators:
        return float(sum(operator["bytes"] for operator in profile.operators))
    variant = measured.case.variant
    if measured.artifact is None or variant.weights in (WeightSource.CUSTOM, WeightSource.NONE):
        return 0.0
    values = prediction.work(variant).activations * measured.case.batch
    return measured.artifact.size_bytes + 2 * values * VALUE_BYTES[variant.precision]


def _operators(measured: Evidence, profile: OperatorTimes) -> Iterator[Sheet]:
    """Yield tables of the kinds of operators and of the slowest operators; without times, a table that says why."""
    if not profile.operators:
        yield Sheet.of("operators", (_NAME,), (), (f"There are no operator times: {profile.why}.",), name="operators")
        return
    total_s = sum(operator["seconds"] for operator in profile.operators)
    yield _by_kind(profile, total_s)
    slowest = sorted(profile.operators, key=lambda operator: -operator["seconds"])[:SHOWN]
    columns = (_NAME, _OPERATOR, _TYPE, *_times(total_s))
    title = f"the {len(slowest)} slowest of {len(profile.operators)} operators"
    yield Sheet.of(title, columns, slowest, name="operators")


def _by_kind(profile: OperatorTimes, total_s: float) -> Sheet:
    """Return a table of the total time of each kind of operator, the slowest kind first."""
    kinds = defaultdict[tuple[str, str], list[float]](list)
    for timed in profile.operators:
        kinds[timed["operator"], timed["type"]].append(timed["seconds"])
    added: list[Mapping[str, Any]] = [
        {"operator": operator, "type": type, "nodes": len(spent), "seconds": sum(spent)}
        for (operator, type), spent in kinds.items()
    ]
    note = (
        f"Under the profiler an inference takes {milliseconds(profile.whole_s * 1e3)} ms, of which"
        f" {milliseconds(total_s * 1e3)} ms are in operators. The profiler itself takes time, so trust the shares more"
        " than the times."
    )
    columns = (_OPERATOR, _TYPE, _NODES, *_times(total_s))
    slowest_first = sorted(added, key=lambda kind: -kind["seconds"])
    return Sheet.of("operators by kind", columns, slowest_first, (note,), name="operators_by_kind")


def _times(total_s: float) -> tuple[Column[Mapping[str, Any]], ...]:
    """Return the columns of operators' times and of their shares of the total."""
    return (
        Column.figure("ms", lambda operator: operator["seconds"] * 1e3, milliseconds, OBJECTIVE, key="time_ms"),
        Column.figure(
            "%",
            lambda operator: 100 * operator["seconds"] / total_s if total_s else None,
            partial(number, digits=1),
            OBJECTIVE,
            key="share_per_cent",
        ),
    )


def _apart(measured: Evidence, other_evidence: Evidence) -> Sheet:
    """Return a table of all recorded differences between two rows."""
    listed = tuple(differences(_fingerprint(measured), _fingerprint(other_evidence)))
    notes = () if listed else ("No difference between the two rows is recorded.",)
    return Sheet.of(f"differences from {other_evidence.case}", _DIFFERENCES, listed, notes, name="differences")


def _fingerprint(row: Evidence) -> dict[str, str]:
    """Return the properties of a row's case, artifact and environment, as a mapping from names to texts."""
    case, measurement, artifact = row.case, summarize(row), row.artifact
    fingerprint = {
        "case variant": str(case.variant),
        "case weights": case.variant.weights,
        "case runtime": str(case.runtime),
        "case packages": " ".join(case.runtime.packages),
        "case threads": str(case.threads),
        "case batch": str(case.batch),
        "case preset": row.session.preset,
        "p50": _interval(measurement.p50_s, measurement.low_s, measurement.high_s),
        "verdict": measurement.verdict.name,
    }
    if artifact:
        fingerprint |= {"file sha256": artifact.sha256[:12], "file bytes": str(artifact.size_bytes)}
        fingerprint |= {f"file made by {name}": value for name, value in artifact.made_by.items()}
    return fingerprint | words(row.session.environment)
