"""The whole program on one page.

schema -> networks, images, train -> export -> deploy -> measure -> results -> analysis | nightly
"""

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edgebench import train as training
from edgebench.deploy import hold, install
from edgebench.deploy.survey import survey
from edgebench.deploy.targets import catalogue
from edgebench.export.lookup import named, require_todays
from edgebench.foundation import cache, ending
from edgebench.foundation.errors import Busy, CaseError, RequestError
from edgebench.foundation.lock import lock_folder
from edgebench.foundation.progress import Notice, Show, Step
from edgebench.foundation.shelf import load
from edgebench.images import splits
from edgebench.measure import builders, fleet
from edgebench.measure.evaluate import album
from edgebench.measure.plan import cases, sweeps
from edgebench.measure.plan import forecast as forecasting
from edgebench.measure.plan.check import check
from edgebench.measure.plan.remaining import with_time_left
from edgebench.measure.plan.shard import ALL, Shard
from edgebench.measure.plan.training import to_train
from edgebench.measure.stage import Stage
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
from edgebench.schema.record import Accuracy
from edgebench.schema.sweep import Sweep
from edgebench.schema.target import Target
from edgebench.schema.variant import Variant, parent
from edgebench.train import cohort


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """The table of a run, and the number of the signal that interrupted the run; 0 if no signal did."""

    table: Table
    interrupted: int


def run(
    sweep: Sweep, show: Show, address: str = "", shard: Shard = ALL, jobs: int = 1, scheduler: str = ""
) -> RunOutcome:
    """Measure the cases of a sweep that are not measured yet, and return the table of the sweep's whole results folder.

    `address` replaces the target's address; the sweep must then have only one target. Only the cases of the shard are
    measured. The workers of a scheduler, or `jobs` processes if these are more than 1, make the files of all targets
    before anything is measured.

    Raises:
        RequestError: the sweep is impossible; nothing was run.
    """
    check(sweep)
    require_name(sweep.name)
    targets = catalogue.targets_of(sweep.targets, address)
    _announce(targets, show)
    with (
        builders.opened(jobs, scheduler, show) as makers,
        fleet.opened(sweep, targets, show, shard) as lab,  # every target is queried before any measurement
        lock_folder(folder := results_folder(sweep.name)),
    ):
        return _measured(sweep, lab, folder, show, makers)


def _announce(targets: Sequence[Target], show: Show) -> None:
    """Say what is downloaded or built before the first use of a target, and which targets answer slowly."""
    for target in targets:
        if first_use := getattr(load("connections", target.connection), "first_use", None):
            if text := first_use():
                show(Notice(text=f"target {target.name}: {text}"))
            show(Step(activity="ask", subject=f"target {target.name}, which is emulated and answers slowly"))


def _measured(sweep: Sweep, lab: fleet.Lab, folder: Path, show: Show, makers: builders.Builders | None) -> RunOutcome:
    """Measure the unfinished cases on all machines; write the reports even after an interruption."""
    journal, interrupted = Journal(folder), 0
    sweeps.write_sweep(folder, sweep)
    try:
        if makers:
            _build(sweep, lab, journal, show, makers)
        with closing(fleet.measured(sweep, lab, journal, show)) as records:
            for record in records:  # only this loop writes the journal
                journal.append(record)
                if isinstance(record, Accuracy):
                    album.copy(record.artifact_sha256, folder)
    except KeyboardInterrupt as interruption:
        interrupted = ending.signal_of(interruption)
    except Busy:
        _remove_without_results(folder)
        raise
    except BaseException:
        with suppress(RequestError):  # a further error must not replace the first
            _table(folder, journal, show)
        raise
    return RunOutcome(table=_table(folder, journal, show), interrupted=interrupted)


def _remove_without_results(folder: Path) -> None:
    """Remove the folder of a run that was refused before its first result."""
    if not Journal(folder).path.exists():
        (folder / sweeps.SWEEP).unlink(missing_ok=True)
        with suppress(OSError):  # the user's own files are kept
            folder.rmdir()


def _build(sweep: Sweep, lab: fleet.Lab, journal: Journal, show: Show, makers: builders.Builders) -> None:
    """Make the files and evaluations of all sessions in several processes, before anything is measured."""
    records = journal.current()
    sessions = [(session, held.connection) for machine in lab.machines for session, held in machine.sessions]
    with with_time_left(show, fleet.forecasts(sweep, lab.sessions, records, makers.count)) as remaining:
        builders.build(sessions, records, makers, remaining)
    makers.close()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The trained weights, and the reason for each network whose training failed.

    `interrupted` is the number of the signal that interrupted the training; 0 if no signal did.
    """

    weights: tuple[Weights, ...]
    failures: tuple[str, ...]
    interrupted: int = 0


def train(sweep: Sweep, options: training.Options, show: Show) -> Trained:
    """Train every network of the sweep that has no weights yet, and return the weights of all its networks.

    After an interruption, return the weights that were finished before it.

    Raises:
        RequestError: the sweep is impossible; nothing was trained.
    """
    variants = to_train(sweep)
    splits.inspect(variants, show)
    try:
        with with_time_left(show, [forecasting.of_trainings(variants, options)]) as remaining:
            return _trained(variants, options, remaining)
    except KeyboardInterrupt as interruption:
        finished = (training.find(variant, options) for variant in variants)
        signal = ending.signal_of(interruption)
        return Trained(weights=tuple(filter(None, finished)), failures=(), interrupted=signal)


def _trained(variants: Sequence[Variant], options: training.Options, show: Show) -> Trained:
    weights, failures = list[Weights](), list[str]()
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
        if environment.compiles_for:
            raise RequestError(f"target {target} only compiles and runs nothing; evaluate on another, such as cpu")
        case = _case(artifact, environment, threads)
        session = cases.session(Sweep(models=(), targets=(target,)), environment, (case,))
        deployed = install(held.connection, artifact, case.variant, case.runtime, environment)
        stage = Stage(session=session, connection=held.connection, show=show)
        return artifact, stage.accuracy(case, artifact, deployed, channels(case.variant))


def _case(artifact: Artifact, environment: Environment, threads: int) -> Case:
    """Return an artifact's case; its runtime is the one on the target that opens the artifact's format."""
    assert artifact.of is not None
    for name, runtime in environment.runtimes.items():
        if runtime.version and artifact.format == load("runtimes", name).FORMAT:
            return Case(variant=artifact.of, runtime=runtime, target=environment.target, threads=threads, batch=1)
    raise RequestError(f"no runtime on target {environment.target} opens {artifact.format}; install one there with pip")


def forecast(
    sweep: Sweep, show: Show, address: str = "", shard: Shard = ALL, jobs: int = 1
) -> tuple[forecasting.Forecast, ...]:
    """Forecast what `run` would do, without training, exporting or measuring.

    Raises:
        RequestError: the sweep is impossible, for the same reasons as in `run`.
    """
    check(sweep)
    require_name(sweep.name)
    targets = catalogue.targets_of(sweep.targets, address)
    _announce(targets, show)
    with fleet.opened(sweep, targets, show, shard, is_measured=False) as lab:
        sessions = lab.sessions
    return fleet.forecasts(sweep, sessions, tuple(Journal(RESULTS / sweep.name)), jobs)
