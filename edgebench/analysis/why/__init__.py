"""Rows of results folders -> why they take as long as they do, and what sets two of them apart, as sheets."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from edgebench.analysis.why.roofline import Roof, position
from edgebench.deploy import hold, install
from edgebench.deploy.survey import survey
from edgebench.deploy.targets import catalogue
from edgebench.export import find
from edgebench.foundation.errors import CaseError, RequestError, UnknownName
from edgebench.foundation.progress import Step
from edgebench.foundation.sheet import Sheet
from edgebench.foundation.shelf import load
from edgebench.foundation.units import millions, milliseconds, number
from edgebench.measure.budget import kinds as prediction
from edgebench.results.folders import RESULTS
from edgebench.results.journal import existing
from edgebench.results.measurement import summarize
from edgebench.results.measurement.evidence import gather
from edgebench.schema.environment import differences, words
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision, WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgebench.deploy.connections import Connection
    from edgebench.foundation.progress import Show
    from edgebench.results.measurement.evidence import Evidence
    from edgebench.schema.environment import Environment
    from edgebench.schema.target import Target

TEXTS = frozenset({"", "what", "operator", "name", "type", "before", "after", "this", "other"})
TIMEOUT_S = 600.0
SHOWN, NAMED = 12, 6  # operators of the table, and rows that a refusal names
VALUE_BYTES = {Precision.FP32: 4, Precision.FP16: 2, Precision.BF16: 2, Precision.INT8: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTimes:
    """What each operator of a case takes, in order; none where `why` says so."""

    why: str
    whole_s: float
    operators: tuple[Mapping[str, Any], ...]


def why(row: str, other: str, address: str, show: Show) -> tuple[Sheet, ...]:
    """Explain a row; with another one, say what sets them apart.

    Raises:
        InvalidFile, UnknownName, RequestError: there is no such row, or more than one.
        AgentError: the target does not answer.
    """
    mine = evidence(row)
    theirs = evidence(other) if other else None
    profile, roof = _asked(mine, address, show)
    sheets = [_summary(mine, profile, roof), *_operators(mine, profile)]
    return tuple(sheets + ([_apart(mine, theirs)] if theirs else []))


def evidence(asked: str) -> Evidence:
    """Find a row: `results/mine:mobilenet_v1-0.25@96/int8`, and more of its words where several are called so.

    Raises:
        InvalidFile: there is no such folder.
        UnknownName, RequestError: no row, or more than one, has all these words.
    """
    left, colon, right = asked.partition(":")
    is_module = Path(left).suffix == ".py"  # `nets.py:build` is a network's name
    folder, said = (Path(left), right) if colon and not is_module else (RESULTS / "default", asked)
    rows = gather(existing(folder))
    found = [one for one in rows if set(said.split()) <= _names(one)]
    if not said.split() or not found:
        known = dict.fromkeys(str(one.case.variant) for one in rows)
        raise UnknownName(f"row of {folder}", said, tuple(known))
    if len(found) > 1:
        listed = "; ".join(f"{one.case} {one.session.preset}" for one in found[:NAMED])
        raise RequestError(f"wanted one row of {folder}, found {len(found)} of {said!r}; add words of one: {listed}")
    return found[0]


def _names(one: Evidence) -> set[str]:
    return {*str(one.case).split(), one.session.preset}


def _asked(mine: Evidence, address: str, show: Show) -> tuple[OperatorTimes, Roof | None]:
    """Profile the case where it was measured, and find what the machine could do."""
    with hold(*catalogue.targets_of((mine.case.target,), address)) as (held,):
        show(Step(activity="profile", subject=str(mine.case)))
        runtime = mine.case.runtime
        wanted = (RuntimeRequest(name=runtime.name, version=runtime.version if runtime.packages else ""),)
        environment = survey(held.connection, held.target, held.agent_sha256, wanted)
        if environment.emulator:
            return OperatorTimes(
                why=f"{environment.emulator} runs it: times mean nothing", whole_s=0, operators=()
            ), None
        return _profile(mine, held.connection, environment), _roof(mine, held.target, held.connection)


def _profile(mine: Evidence, connection: Connection, environment: Environment) -> OperatorTimes:
    """Ask for the operators of the very file and runtime that were measured."""
    case = mine.case
    artifact = find(case.variant, load("runtimes", case.runtime.name).FORMAT)
    installed = [replace(one, options=()) for one in environment.runtimes.values()]
    if mine.artifact is None or artifact is None or artifact.sha256 != mine.artifact.sha256:
        return OperatorTimes(why="its file is not in the cache; measure it again", whole_s=0, operators=())
    if replace(case.runtime, options=()) not in installed:
        return OperatorTimes(why=f"the target no longer has {case.runtime}", whole_s=0, operators=())
    try:
        deployed = install(connection, artifact, case.variant, case.runtime, environment)
        request = {"do": "profile"} | deployed.request(case.runtime, case.threads, case.batch)
        seen = connection.run(request, timeout_s=TIMEOUT_S)
    except CaseError as error:
        return OperatorTimes(why=str(error), whole_s=0, operators=())
    return OperatorTimes(why=seen["why"], whole_s=seen["whole_s"], operators=tuple(seen["operators"]))


def _roof(mine: Evidence, target: Target, connection: Connection) -> Roof | None:
    """Take the target's facts; without any, what the machine itself reaches now, in fp32."""
    threads = mine.case.threads
    if target.device != "cpu":
        return None
    if (peak := target.peak) is None:
        try:
            seen = connection.run({"do": "probe", "threads": threads}, timeout_s=TIMEOUT_S)
        except CaseError:
            return None
        source = "measured now: numpy's fp32 matrix product on as many threads, and copying 64 MiB on one"
        source += "; int8 may exceed it" if mine.case.variant.precision == Precision.INT8 else ""
        return Roof(gops=seen["gflops"], gbytes=seen["gbytes"], source=source)
    is_int8 = mine.case.variant.precision == Precision.INT8
    per_core = peak.gops_int8 if is_int8 else peak.gflops
    return Roof(gops=per_core * threads, gbytes=peak.gbytes, source=peak.source) if per_core else None


def _summary(mine: Evidence, profile: OperatorTimes, roof: Roof | None) -> Sheet:
    found = summarize(mine)
    rows = [("p50", _interval(found.p50_s, found.low_s, found.high_s)), ("verdict", found.verdict.name)]
    rows += [("reason", reason.text) for reason in found.reasons]
    rows += [*_threads(mine), *_integers(mine), *_under(mine, profile, roof)]
    return Sheet(title=str(mine.case), headings=("what", ""), rows=tuple(rows), texts=TEXTS)


def _interval(middle: float | None, low: float | None, high: float | None) -> str:
    if middle is None or low is None or high is None:
        return "none"
    return f"{milliseconds(middle * 1e3)} ms [{milliseconds(low * 1e3)}, {milliseconds(high * 1e3)}]"


def _threads(mine: Evidence) -> Iterator[tuple[str, str]]:
    """Say how many cores its processes kept busy: CPU time over wall time."""
    cores = [run.cpu_s / run.wall_s for run in mine.timed if run.wall_s]
    if cores:
        yield "effective threads", f"{median(cores):.2f} of {mine.case.threads}"


def _integers(mine: Evidence) -> Iterator[tuple[str, str]]:
    artifact = mine.artifact
    if artifact and mine.case.variant.precision == Precision.INT8 and mine.was_inspected:
        share = "not known" if artifact.integer_share is None else f"{artifact.integer_share:.1%}"
        yield "multiply-adds in integers", share
        yield "float nodes", f"{len(artifact.float_nodes)} {', '.join(artifact.float_nodes[:NAMED])}".rstrip()


def _under(mine: Evidence, profile: OperatorTimes, roof: Roof | None) -> Iterator[tuple[str, str]]:
    """Place the row under the target's roof."""
    time_s, macs = summarize(mine).p50_s, mine.artifact.macs if mine.artifact else 0
    moved = _moved(mine, profile)
    if not time_s or not macs or not moved:
        return
    if roof is None:
        yield "roofline", f"none: nothing says what {mine.case.target} could do in {mine.case.variant.precision}"
        return
    batch = mine.case.batch
    found = position(macs=macs * batch, moved_bytes=moved, time_s=time_s, roof=roof)
    yield "reached", f"{found.gops:.2f} GOP/s of {millions(macs * batch, 1)} M multiply-adds"
    yield "intensity", f"{found.intensity:.1f} operations a byte, {moved / 1e6:.2f} MB moved"
    yield "roof", f"{found.attainable_gops:.1f} GOP/s by {found.bound}: {roof.gops:.1f} GOP/s, {roof.gbytes:.1f} GB/s"
    yield "share of the roof", f"{found.share:.1%}"
    yield "roof's source", roof.source


def _moved(mine: Evidence, profile: OperatorTimes) -> float:
    """Return the bytes of all that operators read and write: as profiled, else weights and twice the activations."""
    if profile.operators:
        return float(sum(one["bytes"] for one in profile.operators))
    variant = mine.case.variant
    if mine.artifact is None or variant.weights in (WeightSource.CUSTOM, WeightSource.NONE):
        return 0.0
    values = prediction.work(variant).activations * mine.case.batch
    return mine.artifact.size_bytes + 2 * values * VALUE_BYTES[variant.precision]


def _operators(mine: Evidence, profile: OperatorTimes) -> Iterator[Sheet]:
    """Lay out the operators that take longest, and all of them by kind."""
    if not profile.operators:
        note = f"No time of an operator: {profile.why}."
        yield Sheet(title="operators", headings=("name",), rows=(), texts=TEXTS, notes=(note,))
        return
    total_s = sum(one["seconds"] for one in profile.operators)
    kinds = defaultdict[tuple[str, str], list[float]](list)
    for one in profile.operators:
        kinds[one["operator"], one["type"]].append(one["seconds"])
    by_kind = sorted(kinds.items(), key=lambda kind: -sum(kind[1]))
    yield Sheet(
        title="operators by kind",
        headings=("operator", "type", "nodes", "ms", "%"),
        rows=tuple((*kind, str(len(spent)), *_time(sum(spent), total_s)) for kind, spent in by_kind),
        texts=TEXTS,
        notes=(
            f"Under the profiler an inference takes {milliseconds(profile.whole_s * 1e3)} ms, of which operators"
            f" {milliseconds(total_s * 1e3)}: shares say more than times.",
        ),
    )
    slowest = sorted(profile.operators, key=lambda one: -one["seconds"])[:SHOWN]
    yield Sheet(
        title=f"the {len(slowest)} slowest of {len(profile.operators)} operators",
        headings=("name", "operator", "type", "ms", "%"),
        rows=tuple((one["name"], one["operator"], one["type"], *_time(one["seconds"], total_s)) for one in slowest),
        texts=TEXTS,
    )


def _time(seconds: float, total_s: float) -> tuple[str, str]:
    return milliseconds(seconds * 1e3), number(100 * seconds / total_s if total_s else None, 1)


def _apart(mine: Evidence, theirs: Evidence) -> Sheet:
    """Lay out everything recorded that the two rows do not share."""
    found = differences(_fingerprint(mine), _fingerprint(theirs))
    rows = tuple((one.what, one.before or "-", one.after or "-") for one in found)
    notes = () if rows else ("Nothing recorded sets the two apart.",)
    title = f"apart from {theirs.case}"
    return Sheet(title=title, headings=("what", "this", "other"), rows=rows, texts=TEXTS, notes=notes)


def _fingerprint(one: Evidence) -> dict[str, str]:
    """Lay out a row's case, file and environment as words."""
    case, found, artifact = one.case, summarize(one), one.artifact
    mine = {
        "case variant": str(case.variant),
        "case weights": case.variant.weights,
        "case runtime": str(case.runtime),
        "case packages": " ".join(case.runtime.packages),
        "case threads": str(case.threads),
        "case batch": str(case.batch),
        "case preset": one.session.preset,
        "p50": _interval(found.p50_s, found.low_s, found.high_s),
        "verdict": found.verdict.name,
    }
    if artifact:
        mine |= {"file sha256": artifact.sha256[:12], "file bytes": str(artifact.size_bytes)}
        mine |= {f"file made by {name}": value for name, value in artifact.made_by.items()}
    return mine | words(one.session.environment)
