"""The whole program on one page.

schema -> networks, images, train -> export -> deploy -> measure -> results -> analysis | nightly
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edgebench import train as training
from edgebench.deploy import Access, Held, hold, install
from edgebench.deploy.survey import survey
from edgebench.deploy.targets import catalogue
from edgebench.export.lookup import named, require_todays
from edgebench.foundation import cache, durations, ending
from edgebench.foundation.errors import Busy, CaseError, RequestError
from edgebench.foundation.lock import lock_folder
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.foundation.shelf import load
from edgebench.images import splits
from edgebench.measure import answer, budget, open_session, prepare, unprepared
from edgebench.measure.evaluate import album
from edgebench.measure.plan import cases, engines, sweeps
from edgebench.measure.plan import forecast as forecasting
from edgebench.measure.plan.check import check
from edgebench.measure.plan.remaining import Remaining
from edgebench.measure.plan.state import case_states
from edgebench.measure.plan.training import to_train
from edgebench.measure.stage import NO_FAILURES, Stage
from edgebench.networks.custom import channels
from edgebench.results import write_reports
from edgebench.results.folders import RESULTS, results_folder
from edgebench.results.journal import Journal
from edgebench.results.table.row import Table
from edgebench.schema.artifact import Artifact
from edgebench.schema.cards import Weights
from edgebench.schema.case import Case
from edgebench.schema.environment import Environment
from edgebench.schema.names import require_name
from edgebench.schema.record import Accuracy, Record, Session
from edgebench.schema.sweep import Sweep
from edgebench.schema.variant import Variant, parent
from edgebench.train import cohort


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """The table of a run, and the number of the signal that interrupted the run; 0 if no signal did."""

    table: Table
    interrupted: int


def run(sweep: Sweep, show: Show, address: str = "") -> RunOutcome:
    """Measure the cases of a sweep that are not measured yet, and return the table of the sweep's whole results folder.

    `address` replaces the target's address; the sweep must then have only one target.

    Raises:
        RequestError: the sweep is impossible; nothing was run.
    """
    check(sweep)
    require_name(sweep.name)
    _announce(sweep, address, show)
    with Access(*catalogue.targets_of(sweep.targets, address)) as access:
        sessions = [_session(sweep, held) for held in access.connect()]  # all targets are checked before any work
        folder = results_folder(sweep.name)
        with lock_folder(folder):
            remaining = Remaining(show=show, forecasts=_forecasts(sweep, sessions))
            try:
                return _answered(sweep, sessions, access, folder, remaining)
            finally:
                durations.keep(remaining.pairs)


def _announce(sweep: Sweep, address: str, show: Show) -> None:
    """Say what is downloaded or built before the first use of a target, and which targets answer slowly."""
    for target in catalogue.targets_of(sweep.targets, address):
        if first_use := getattr(load("connections", target.connection), "first_use", None):
            if text := first_use():
                show(Notice(text=f"target {target.name}: {text}"))
            show(Step(activity="ask", subject=f"target {target.name}, which is emulated and answers slowly"))


def _session(sweep: Sweep, held: Held) -> Session:
    """Query the environment of a target, and plan the session that measures the sweep there."""
    environment = survey(held.connection, held.target, held.agent_sha256, engines.requests(sweep, held.target))
    return open_session(sweep, environment)


def _answered(sweep: Sweep, sessions: Sequence[Session], access: Access, folder: Path, show: Show) -> RunOutcome:
    """Measure the unfinished cases, session by session; write the reports even after an interruption."""
    journal, interrupted = Journal(folder), 0
    try:
        failures = _prepared(sweep, sessions, access, tuple(journal), show)
        held = _locked(access, folder)
        sweeps.write_sweep(folder, sweep)
        for session, target, failed in zip(sessions, held, failures, strict=True):
            _measure(sweep, session, target, journal, show, failed)
    except KeyboardInterrupt as interruption:
        interrupted = ending.signal_of(interruption)
    except BaseException:
        with suppress(RequestError):  # a further error must not replace the first
            _table(folder, journal, show)
        raise
    return RunOutcome(table=_table(folder, journal, show), interrupted=interrupted)


def _prepared(
    sweep: Sweep, sessions: Sequence[Session], access: Access, records: Sequence[Record], show: Show
) -> list[Mapping[Case, Exception]]:
    """Train and export what the sessions need, while no target is locked; return the errors of each session's cases.

    With a budget, a session is divided into parts, which train and export in turn with measuring.
    """
    if sweep.budget:
        return [NO_FAILURES for _ in sessions]
    wanted = [unprepared(case_states(session, records)) for session in sessions]
    if any(wanted):
        access.release()
    return [prepare(session, states, show) for session, states in zip(sessions, wanted, strict=True)]


def _locked(access: Access, folder: Path) -> tuple[Held, ...]:
    """Lock the targets; if they are in use, remove a folder that has no results yet.

    Raises:
        Busy: another process measures on a target.
    """
    try:
        return access.lock()
    except Busy:
        with suppress(OSError):
            folder.rmdir()
        raise


def _table(folder: Path, journal: Journal, show: Show) -> Table:
    """Write the reports and return the table; add a note if the journal was damaged during the run.

    Raises:
        RequestError: the journal has no case to show, or a report cannot be written.
    """
    journal.settle()
    table = write_reports(folder)[0] if journal.path.exists() else Table(title=folder.name, rows=(), notes=())
    if journal.note:
        show(Notice(text=journal.note))
    return replace(table, notes=(*table.notes, *filter(None, [journal.note])))


def _measure(
    sweep: Sweep, session: Session, held: Held, journal: Journal, show: Show, failures: Mapping[Case, Exception]
) -> None:
    """Measure the cases of a session and append the records to the journal; a budget divides the session into parts."""
    records = list[Record]()
    try:
        for part, deadline in budget.rounds(sweep, session, journal, show):
            journal.settle()
            for record in answer(part, held, tuple(journal), show, deadline=deadline, failures=failures):
                journal.append(record)
                records.append(record)
                if isinstance(record, Accuracy):
                    album.copy(record.artifact_sha256, journal.path.parent)
    finally:
        durations.keep(forecasting.learned(session, records))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The trained weights, and the reason for each network whose training failed."""

    weights: tuple[Weights, ...]
    failures: tuple[str, ...]


def train(sweep: Sweep, options: training.Options, show: Show) -> Trained:
    """Train every network of the sweep that has no weights yet, and return the weights of all its networks.

    Raises:
        RequestError: the sweep is impossible; nothing was trained.
    """
    variants, weights, failures = to_train(sweep), list[Weights](), list[str]()
    splits.inspect(variants, show)
    cohort.train(variants, show, options)
    for variant in variants:
        try:
            weights.append(training.find(variant, options) or training.train(variant, show, options))
            _say_how_to_use(variant, weights[-1], options, show)
        except CaseError as error:
            failures.append(f"{variant.architecture}-{variant.width:g}@{variant.resolution}: {error}")
            show(Notice(text=failures[-1]))
    return Trained(weights=tuple(weights), failures=tuple(failures))


def _say_how_to_use(variant: Variant, card: Weights, options: training.Options, show: Show) -> None:
    """Show how to use weights that were trained with options, because `run` uses them only if they are named."""
    if not training.is_ordinary(variant, options):
        show(Notice(text=f"run uses weights trained without options; use these with --weights {cache.path_of(card)}"))


def evaluate(name: str, target: str, threads: int, show: Show) -> tuple[Artifact, Accuracy]:
    """Evaluate a cached artifact, and its float parent if it has one, on the test split.

    Raises:
        RequestError: no artifact has that name, its weights are no longer cached, or no runtime of the target opens
            its format.
        CaseError: the artifact could not be run.
    """
    artifact = named(name)
    if artifact.of and parent(artifact.of):
        require_todays(artifact)
    with hold(catalogue.chosen(target)) as (held,):
        environment = survey(held.connection, held.target, held.agent_sha256)
        case = _case(artifact, environment, threads)
        session = cases.session(Sweep(models=(), targets=(target,)), environment, (case,))
        deployed = install(held.connection, artifact, case.variant, case.runtime, environment)
        stage = Stage(session=session, connection=held.connection, show=show)
        return artifact, stage.accuracy(case, deployed, channels(case.variant))


def _case(artifact: Artifact, environment: Environment, threads: int) -> Case:
    """Return an artifact's case; its runtime is the one on the target that opens the artifact's format."""
    assert artifact.of is not None
    for name, runtime in environment.runtimes.items():
        if runtime.version and artifact.format == load("runtimes", name).FORMAT:
            return Case(variant=artifact.of, runtime=runtime, target=environment.target, threads=threads, batch=1)
    raise RequestError(f"no runtime on target {environment.target} opens {artifact.format}; install one there with pip")


def forecast(sweep: Sweep, show: Show, address: str = "") -> tuple[forecasting.Forecast, ...]:
    """Forecast what `run` would do, without training, exporting or measuring.

    Raises:
        RequestError: the sweep is impossible, for the same reasons as in `run`.
    """
    check(sweep)
    require_name(sweep.name)
    _announce(sweep, address, show)
    with Access(*catalogue.targets_of(sweep.targets, address)) as access:
        sessions = [_session(sweep, held) for held in access.connect()]
    return _forecasts(sweep, sessions)


def _forecasts(sweep: Sweep, sessions: Sequence[Session]) -> tuple[forecasting.Forecast, ...]:
    records = tuple(Journal(RESULTS / sweep.name))
    return tuple(forecasting.forecast(sweep, session, case_states(session, records)) for session in sessions)
