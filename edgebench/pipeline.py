"""The whole program on one page.

spec -> build -> export -> deploy -> measure -> store -> report
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic

from edgebench import budget, plan, staging, store
from edgebench import forecast as forecasting
from edgebench import train as training
from edgebench.deploy import connect, install
from edgebench.deploy.survey import survey
from edgebench.deploy.targets import catalogue
from edgebench.foundation import cache
from edgebench.foundation.errors import CaseError, RequestError
from edgebench.foundation.lock import lock
from edgebench.foundation.progress import Notice, Show
from edgebench.foundation.shelf import load
from edgebench.images import splits
from edgebench.known import Known, State, known
from edgebench.lookup import named, require_todays
from edgebench.measure import measure
from edgebench.results import write_reports
from edgebench.results.folders import RESULTS, results_folder
from edgebench.results.journal import Journal
from edgebench.results.table.row import Table
from edgebench.schema.artifact import Artifact
from edgebench.schema.cards import Weights
from edgebench.schema.case import Case
from edgebench.schema.environment import Environment
from edgebench.schema.record import Accuracy, Session, Stop
from edgebench.schema.sweep import Sweep
from edgebench.schema.target import Target
from edgebench.schema.variant import Variant, parent
from edgebench.train import cohort

MOMENT_S = 1e-3  # what a session has left whose budget is spent: 0 would mean no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The table of a run, and whether it was interrupted."""

    table: Table
    interrupted: bool


def run(sweep: Sweep, show: Show, address: str = "") -> Outcome:
    """Answer whatever of the sweep has no answer yet, keep it, and return the table of all that its folder holds.

    An address is that of its only target.

    Raises:
        RequestError: the sweep cannot be; nothing was run.
    """
    plan.check(sweep)
    targets = catalogue.targets_of(sweep.targets, address)
    sessions = [(target, survey_cases(sweep, target)) for target in targets]
    folder = results_folder(sweep.name)
    with lock(str(folder.resolve())):
        journal = Journal(folder)
        interrupted = False
        try:
            for target, session in sessions:
                for part, deadline in budget.rounds(sweep, session, journal, show):
                    answer(part, target, journal, show, deadline=deadline)
            store.write_sweep(folder, sweep)
        except KeyboardInterrupt:
            interrupted = True
            show(Notice(text="interrupted: the table holds what was measured; the same command goes on from there"))
        finally:
            table = write_reports(folder) if journal.path.exists() else Table(title=folder.name, rows=(), notes=())
        return Outcome(table=table, interrupted=interrupted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Weights that were asked for, and why others are not there."""

    weights: tuple[Weights, ...]
    failures: tuple[str, ...]


def train(sweep: Sweep, options: training.Options, show: Show) -> Trained:
    """Train whatever of the sweep is not trained yet, each network once.

    Raises:
        RequestError: the sweep cannot be; nothing was trained.
    """
    variants, weights, failures = plan.to_train(sweep), list[Weights](), list[str]()
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
    """Say that `run` takes weights of a recipe of one's own by name only: a trial must not change what it measures."""
    if not training.is_ordinary(variant, options):
        show(Notice(text=f"run uses the ordinary recipe's weights; these with --weights {cache.path_of(card)}"))


def evaluate(name: str, target: str, threads: int, show: Show) -> tuple[Artifact, Accuracy]:
    """Run the test split through a cached artifact, and through its float parent where it has one.

    Raises:
        RequestError: no artifact has that name, it is of weights that are no longer there, or no runtime of the
            target opens it.
        CaseError: it could not be run.
    """
    artifact, machine = named(name), catalogue.target(target)
    if artifact.of and parent(artifact.of):
        require_todays(artifact)
    with lock(machine.machine, f"target {target}"), connect(machine) as (connection, agent):
        environment = survey(connection, machine, agent)
        case = _case(artifact, environment, threads)
        session = plan.session(Sweep(models=(), targets=(target,)), environment, (case,))
        deployed = install(connection, artifact, case.variant, case.runtime, environment)
        return artifact, staging.accuracy(case, deployed, connection, session, show)


def _case(artifact: Artifact, environment: Environment, threads: int) -> Case:
    """Find the target's runtime that opens the artifact."""
    assert artifact.of is not None
    for name, runtime in environment.runtimes.items():
        if runtime.version and artifact.format == load("runtimes", name).FORMAT:
            return Case(variant=artifact.of, runtime=runtime, target=environment.target, threads=threads, batch=1)
    raise RequestError(f"no runtime on target {environment.target} opens {artifact.format}; install one there with pip")


def forecast(sweep: Sweep, address: str = "") -> tuple[forecasting.Forecast, ...]:
    """Say what `run` would do, without training, exporting or measuring anything."""
    plan.check(sweep)
    sessions = [survey_cases(sweep, target) for target in catalogue.targets_of(sweep.targets, address)]
    records = tuple(Journal(RESULTS / sweep.name))
    return tuple(forecasting.forecast(session, known(session, records)) for session in sessions)


def survey_cases(sweep: Sweep, target: Target) -> Session:
    """Ask a target what it is, and complete the sweep's cases with that.

    Raises:
        RequestError: a case cannot be on this target.
        AgentError, Unreachable, Busy: it does not answer.
    """
    wanted = [cell for cell in sweep.wanted() if cell.target == target.name]
    with connect(target) as (connection, agent):
        environment = survey(connection, target, agent, plan.engines(wanted))
    return plan.session(sweep, environment, plan.cases(wanted, environment))


def answer(session: Session, target: Target, journal: Journal, show: Show, *, deadline: float = 0.0) -> None:
    """Measure the cases that are still open on one target, into the journal.

    With a deadline those too that ran out of time before, and all of them only until then.

    Raises:
        AgentError, Unreachable, Busy: the target, at any time; what was measured is in the journal.
    """
    with lock(target.machine, f"target {target.name}"), connect(target) as (connection, _):
        records = tuple(journal)
        every = known(session, records)
        over = (State.SETTLED,) if deadline else (State.SETTLED, State.OUT_OF_TIME)
        cases = [one.case for one in every if one.state not in over]
        if not cases:
            show(_nothing_to_measure(target, every))
            return
        if differs := plan.differs(session.environment, records):
            show(Notice(text=differs))
        journal.append(session)
        started = monotonic()
        splits.inspect((case.variant for case in cases), show)
        cohort.train((parent(case.variant) or case.variant for case in cases), show)
        jobs = [staging.stage(case, session, records, journal, connection, show) for case in cases]
        limited = replace(session, time_limit_s=max(deadline - monotonic(), MOMENT_S)) if deadline else session
        for record in measure([job for job in jobs if job], connection, limited, show):
            journal.append(record)
        journal.append(Stop(session=session.id, spent_s=monotonic() - started))


def _nothing_to_measure(target: Target, every: Sequence[Known]) -> Notice:
    spent = sum(one.state == State.OUT_OF_TIME for one in every)
    more = f"; {spent} of them ran out of time: a longer --time-limit goes on" if spent else ""
    return Notice(text=f"nothing to measure on {target.name}: all {len(every)} cases are answered{more}")
