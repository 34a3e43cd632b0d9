"""A slowdown between two versions of a runtime, or between two commits -> the first version or commit that is slower.

    steps (what is between the good and the bad end) -> walk (which step is next) -> pairs -> evidence (slower or not)
        -> report.

Every step is compared with the good end in interleaved pairs of processes, by the statistical rule of a nightly run.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.deploy.survey import survey
from edgebench.deploy.targets import catalogue
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.progress import Notice
from edgebench.measure.plan import cases
from edgebench.measure.rounds import observe
from edgebench.nightly import history
from edgebench.nightly.arms import ACCEPTED, TONIGHT, Arm
from edgebench.nightly.bisect.evidence import Evidence, interim_analyses, weigh
from edgebench.nightly.bisect.report import Walk, write
from edgebench.nightly.bisect.steps import Step, Subject, adopted, installed, of_commits, of_versions
from edgebench.nightly.bisect.walk import Finding, conclude, next_step
from edgebench.nightly.pairs import PairedRun, take
from edgebench.nightly.rule.thresholds import RULE, Rule
from edgebench.nightly.waiting import held_when_free
from edgebench.schema.case import Purpose
from edgebench.schema.case import name as name_of
from edgebench.schema.names import is_model_file
from edgebench.schema.record import Failure, Session
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.sweep import Sweep

if TYPE_CHECKING:
    from edgebench.foundation.progress import Show
    from edgebench.schema.environment import Environment
    from edgebench.schema.record import Run
    from edgebench.schema.target import Target

RUNTIME = "onnxruntime"  # runtime of a model file if the user names none
LISTED = 5  # an error message lists this many configurations


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a user wants to know.

    Attributes:
        case: a configuration of the history, by its name, a part of it or a pattern with `*`; or a model file. In a
            walk over commits, the path of the model file that the command `build` writes, relative to the checkout's
            top.
        good, bad: the ends of the walk: versions of the runtime, or revisions of the repository.
        runtime: the runtime to measure with; empty for the runtime of the configuration, or for onnxruntime.
        repository, build: the repository of a walk over commits, and the command; None and an empty text for versions.
        shape: the shapes of the inputs of a model file with open axes; empty for other models.
        is_dry: whether the steps are only listed.
        every: whether all steps are measured, also those that the search does not need.
        wait_s: how long to wait for a target that another process uses, seconds.
    """

    case: str
    good: str
    bad: str
    runtime: str = ""
    history: Path
    folder: Path
    repository: Path | None = None
    build: str = ""
    target: str = ""
    address: str = ""
    threads: int = 1
    shape: str = ""
    is_dry: bool = False
    every: bool = False
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What the measurements of all steps share: the target, the session, and the good end with its first run."""

    request: Request
    target: Target
    environment: Environment
    session: Session
    good: tuple[Step, Subject]
    show: Show
    rule: Rule
    runs: list[Run] = field(default_factory=list)


def bisect(request: Request, show: Show, rule: Rule = RULE) -> Walk:
    """Measure steps between the good and the bad end until the first slower one is known; write the report.

    A dry request only lists the steps.

    Raises:
        RequestError: the request cannot be met, or one of the two ends cannot be measured.
    """
    pinned = None if request.repository or is_model_file(request.case) else _of_history(request)
    target = _target(request, pinned)
    named = _runtime(request, pinned)
    with held_when_free(target, show, request.wait_s) as held:
        environment = survey(held.connection, target, held.agent_sha256, [named])
    sessions = list[Session]()
    steps = _steps(request, pinned, named, environment, sessions, show)
    walk = Walk(name=_name(request, pinned, sessions), steps=tuple((step.label, step.words) for step in steps))
    if request.is_dry:
        return walk
    good = _prepared(steps[0])
    bench = _Bench(
        request=request,
        target=target,
        environment=environment,
        session=sessions[0],
        good=(steps[0], good),
        show=show,
        rule=rule,
    )
    return _walked(walk, steps, bench)


def _walked(walk: Walk, steps: tuple[Step, ...], bench: _Bench) -> Walk:
    """Measure step after step; write the report after each, so that an interruption leaves what was measured.

    Raises:
        RequestError: an end cannot be measured.
    """
    evidence, files, last = dict[int, Evidence](), {bench.good[1].sha256: 0}, len(steps) - 1
    findings = dict[int, Finding]()
    while (number := next_step(findings, len(steps), every=bench.request.every)) is not None:
        label = steps[number].label
        bench.show(Notice(text=f"comparing {label} with {steps[0].label}"))
        evidence[number] = _evidence(steps[number], number, evidence, files, bench, evidence.get(last))
        findings[number] = evidence[number].finding
        if findings[number] == Finding.SKIPPED:
            if number == last:
                raise RequestError(f"the bad end {label} cannot be measured: {evidence[number].why}")
            bench.show(Notice(text=f"skipped {label}: {evidence[number].why}"))
        walk = replace(walk, evidence=dict(sorted(evidence.items())), conclusion=conclude(findings, len(steps)))
        write(walk, bench.request.folder)
    return walk


def _evidence(
    step: Step,
    number: int,
    known: dict[int, Evidence],
    files: dict[str, int],
    bench: _Bench,
    bad: Evidence | None,
) -> Evidence:
    """Return the evidence on a step; if an earlier step had the same file, do not measure it again.

    In a walk over commits, `files` maps each file's hash to the step that first had the file; this function adds to it.

    Raises:
        RequestError: the good end cannot be measured.
    """
    try:
        subject = step.prepare()
    except (CaseError, RequestError) as error:
        return Evidence(finding=Finding.SKIPPED, why=str(error))
    same = number if step.version else files.setdefault(subject.sha256, number)
    if same == number:
        return _measured(step, subject, bench, bad)
    if same:
        return replace(known[same], why="its file is the same as that of a measured step")
    return Evidence(finding=Finding.NOT_SLOWER, change=0.0, why="its file is the same as that of the good end")


def _measured(step: Step, subject: Subject, bench: _Bench, bad: Evidence | None) -> Evidence:
    """Install a step and the good end, and compare them in pairs.

    Raises:
        RequestError: the good end cannot be measured, or the target is in use or does not answer.
    """
    with held_when_free(bench.target, bench.show, bench.request.wait_s) as held:
        try:
            good = installed(*bench.good, held, bench.environment, ACCEPTED, bench.runs)
        except CaseError as error:
            raise RequestError(f"the good end {bench.good[0].label} cannot be measured: {error}") from error
        _first_run(good, bench)
        try:
            other = installed(step, subject, held, bench.environment, TONIGHT, bench.runs)
        except (CaseError, RequestError) as error:
            return Evidence(finding=Finding.SKIPPED, why=str(error))
        good.job.runs[:] = bench.runs
        paired_run = PairedRun(name=step.label, accepted=good, tonight=other, pairs=0, slope=1.0)
        return _compared(paired_run, bad, bench)


def _first_run(good: Arm, bench: _Bench) -> None:
    """Run one process of the good end, which chooses the number of iterations of all processes.

    Raises:
        RequestError: the process failed.
    """
    if not bench.runs:
        record = observe(good.job, Purpose.LATENCY, good.connection, bench.session, 0, bench.show)
        if isinstance(record, Failure):
            raise RequestError(f"the good end {bench.good[0].label} cannot be measured: {record.reason}")
        bench.runs.append(record)


def _compared(paired_run: PairedRun, bad: Evidence | None, bench: _Bench) -> Evidence:
    """Run pairs until they show whether a step is slower; run at most as many as a night on a noisy host."""
    folder = bench.request.folder / "raw" / bench.session.id / paired_run.name
    evidence = Evidence(finding=Finding.UNCLEAR)
    for pairs in interim_analyses(bench.rule):
        first, paired_run.pairs = paired_run.pairs + 1, pairs
        take("confirm", [paired_run], bench.session, folder, bench.show, bench.rule, first)
        if paired_run.failure:
            return Evidence(finding=Finding.SKIPPED, why=paired_run.failure)
        evidence = weigh(paired_run.times, bad, bench.rule)
        if evidence.finding != Finding.UNCLEAR:
            break
    return evidence


def _of_history(request: Request) -> Subject:
    """Return the configuration that a request names, with the file of the last night that measured it.

    Raises:
        RequestError: the history has no such configuration, or several; or its file is missing.
    """
    nights, found = history.read(request.history).nights, dict[str, str]()
    for night in nights:
        found |= {entry.name: entry.pin for entry in night.entries if entry.pin and entry.is_measured}
    pattern = request.case
    meant = [name for name in found if name == pattern] or [
        name for name in found if pattern in name or fnmatchcase(name, pattern)
    ]
    if len(meant) != 1:
        listed = "; ".join((meant or list(found))[:LISTED]) or "none"
        raise RequestError(
            f"wanted one configuration of {request.history} or a model file, found {len(meant)} that match"
            f" {pattern!r}; choose from: {listed}"
        )
    pin = history.read_pin(request.history, found[meant[0]])
    file = (request.history / history.PINNED / pin.file).resolve()
    return Subject(case=pin.case, file=file, sha256=pin.artifact.sha256)


def _runtime(request: Request, pinned: Subject | None) -> RuntimeRequest:
    """Return the runtime to measure with.

    Raises:
        RequestError: the combination of options is impossible.
    """
    if (request.repository is None) == bool(request.build.strip()):
        raise RequestError("wanted --git with --build, or neither of them, found one; add the other, or leave it out")
    if request.repository and not is_model_file(request.case):
        raise RequestError(
            f"wanted the path of the model file that --build writes, such as model.onnx, found {request.case[:60]!r}"
        )
    measured = pinned.case.runtime.name if pinned else ""
    named = RuntimeRequest.parse(request.runtime or measured or RUNTIME)
    if measured and (named.name != measured or named.options):
        raise RequestError(f"this configuration was measured with {measured}, found --runtime {named}; leave it out")
    if named.version and not request.repository:
        raise RequestError(f"wanted --runtime {named.name}, whose versions --good and --bad name, found {named}")
    return named


def _target(request: Request, pinned: Subject | None) -> Target:
    name = request.target or (pinned.case.target if pinned else "cpu")
    return catalogue.targets_of((name,), request.address)[0]


def _steps(
    request: Request,
    pinned: Subject | None,
    runtime: RuntimeRequest,
    environment: Environment,
    sessions: list[Session],
    show: Show,
) -> tuple[Step, ...]:
    """Return the steps; add a session that can measure them to `sessions`, as soon as a file is known.

    Raises:
        RequestError: the request is impossible.
    """

    def adopt(path: Path) -> Subject:
        subject, session = adopted(path, str(runtime), environment, show, threads=request.threads, shape=request.shape)
        sessions.append(session)
        return subject

    if request.repository:
        logs = request.folder / "builds"
        return of_commits(request.repository, request.good, request.bad, request.build, request.case, adopt, logs)
    if pinned:
        sweep = Sweep(models=(), targets=(environment.target,), preset="nightly")
        sessions.append(cases.session(sweep, environment, (pinned.case,)))
    try:
        subject = pinned or adopt(Path(request.case))
    except CaseError as error:
        raise RequestError(f"{request.case} cannot be measured: {error}") from error
    return of_versions(subject, environment, request.good, request.bad)


def _prepared(good: Step) -> Subject:
    """Return the file of the good end.

    Raises:
        RequestError: the good end cannot be prepared.
    """
    try:
        return good.prepare()
    except (CaseError, RequestError) as error:
        raise RequestError(f"the good end {good.label} cannot be measured: {error}") from error


def _name(request: Request, pinned: Subject | None, sessions: list[Session]) -> str:
    """Return the name of what is measured: the configuration, or the model file with its runtime and target."""
    if pinned:
        return name_of(pinned.case)
    return name_of(sessions[0].cases[0]) if sessions else request.case
