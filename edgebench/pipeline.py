"""The whole program on one page.

spec -> build -> export -> deploy -> measure -> store -> report
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from edgebench import cache, cohort, datasets, plan, prediction, report, stand_in, store
from edgebench import evaluate as evaluating
from edgebench import forecast as forecasting
from edgebench import train as training
from edgebench.allot import allot
from edgebench.connections import Connection
from edgebench.datasets import has_answers
from edgebench.deploy import Deployed, connect, install
from edgebench.errors import CaseError, RequestError
from edgebench.export import export, named, require_todays
from edgebench.journal import Journal
from edgebench.measure import Job, measure
from edgebench.prediction import Outlook
from edgebench.progress import Notice, Show, Step
from edgebench.record import Accuracy, Artifact, Deployment, Environment, Failure, Record, Session, Stop, Weights
from edgebench.reports import Table
from edgebench.shelf import load
from edgebench.spec import Case, Sweep, Target, Variant
from edgebench.survey import survey
from edgebench.units import parse_duration

NEEDED_SHARE = 0.5  # of a budget, for the cells that predictions rest on
MOMENT_S = 1e-3  # what a session has left whose budget is spent: 0 would mean no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The table of a run, what a budget left to predict, and whether it was interrupted."""

    table: Table
    interrupted: bool
    outlook: Outlook | None = None


def run(sweep: Sweep, show: Show, address: str = "") -> Outcome:
    """Answer whatever of the sweep has no answer yet, keep it, and return the table of all that its folder holds.

    An address is that of its only target.

    Raises:
        RequestError: the sweep cannot be; nothing was run.
    """
    plan.check(sweep)
    targets = store.targets_of(sweep.targets, address)
    sessions = [(target, survey_cases(sweep, target)) for target in targets]
    folder = store.results_folder(sweep.name)
    with store.lock(str(folder.resolve())):
        journal = Journal(folder)
        interrupted, outlook = False, None
        try:
            for target, session in sessions:
                if sweep.budget:
                    _answer_within(sweep, session, target, journal, show)
                else:
                    answer(session, target, journal, show)
            store.write_sweep(folder, sweep)
            outlook = prediction.outlook(folder, sweep) if sweep.budget else None
        except KeyboardInterrupt:
            interrupted = True
            show(Notice(text="interrupted: the table holds what was measured; the same command goes on from there"))
        finally:
            table = report.write(folder) if journal.path.exists() else Table(title=folder.name, rows=(), notes=())
        return Outcome(table=table, interrupted=interrupted, outlook=outlook)


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
    datasets.inspect(variants, show)
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
    artifact, machine = named(name), store.target(target)
    if artifact.of and plan.parent(artifact.of):
        require_todays(artifact)
    with store.lock(machine.machine, f"target {target}"), connect(machine) as (connection, agent):
        environment = survey(connection, machine, agent)
        case = _case(artifact, environment, threads)
        session = plan.session(Sweep(models=(), targets=(target,)), environment, (case,))
        deployed = install(connection, artifact, case.variant, case.runtime, environment)
        return artifact, _accuracy(case, deployed, connection, session, show)


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
    sessions = [survey_cases(sweep, target) for target in store.targets_of(sweep.targets, address)]
    records = tuple(Journal(store.RESULTS / sweep.name))
    return tuple(forecasting.forecast(session, plan.known(session, records)) for session in sessions)


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


def _answer_within(sweep: Sweep, whole: Session, target: Target, journal: Journal, show: Show) -> None:
    """Spend a budget on one target: first on what predictions need, then on what they leave most in doubt.

    It ends with the process, or the training or export, in which the budget does.
    """
    started, budget_s, tried = monotonic(), parse_duration(sweep.budget), list[Case]()
    while (left_s := budget_s - (monotonic() - started)) > 0:
        allotted = allot(whole, tuple(journal), tried)
        if not allotted.cases:
            return
        share_s = min(left_s, NEEDED_SHARE * budget_s) if allotted.is_needed else left_s
        pace_s = (budget_s - left_s) / max(len(tried), 1)
        most = len(allotted.cases) if allotted.is_needed else max(1, int(left_s / pace_s))
        before = monotonic()
        cases = tuple(_made(allotted.cases[:most], before + share_s / 2, show))
        show(Notice(text=f"measuring {len(cases)} of {len(whole.cases)} cells {_why(allotted.is_needed)}"))
        session = replace(plan.session(sweep, whole.environment, cases), time_limit_s=share_s)
        answer(session, target, journal, show, deadline=before + share_s)
        tried += cases


def _why(is_needed: bool) -> str:
    return "that tell most about the others" if is_needed else "near the front, or out of line"


def _made(cases: Sequence[Case], until: float, show: Show) -> Iterator[Case]:
    """Train and export cases, at least one, until it is time to measure; one that fails does so again on record."""
    for case in cases:
        try:
            _exported(case, case.variant, show)
        except CaseError as error:
            show(Notice(text=f"{case.variant}: {error}"))
        yield case
        if monotonic() > until:
            return


def answer(session: Session, target: Target, journal: Journal, show: Show, *, deadline: float = 0.0) -> None:
    """Measure the cases that are still open on one target, into the journal.

    With a deadline those too that ran out of time before, and all of them only until then.

    Raises:
        AgentError, Unreachable, Busy: the target, at any time; what was measured is in the journal.
    """
    with store.lock(target.machine, f"target {target.name}"), connect(target) as (connection, _):
        records = tuple(journal)
        known = plan.known(session, records)
        over = (plan.State.SETTLED,) if deadline else (plan.State.SETTLED, plan.State.OUT_OF_TIME)
        cases = [one.case for one in known if one.state not in over]
        if not cases:
            show(_nothing_to_measure(target, known))
            return
        if differs := plan.differs(session.environment, records):
            show(Notice(text=differs))
        journal.append(session)
        started = monotonic()
        datasets.inspect((case.variant for case in cases), show)
        cohort.train((plan.parent(case.variant) or case.variant for case in cases), show)
        jobs = [_prepare(case, session, records, journal, connection, show) for case in cases]
        limited = replace(session, time_limit_s=max(deadline - monotonic(), MOMENT_S)) if deadline else session
        for record in measure([job for job in jobs if job], connection, limited, show):
            journal.append(record)
        journal.append(Stop(session=session.id, spent_s=monotonic() - started))


def _nothing_to_measure(target: Target, known: Sequence[plan.Known]) -> Notice:
    spent = sum(one.state == plan.State.OUT_OF_TIME for one in known)
    more = f"; {spent} of them ran out of time: a longer --time-limit goes on" if spent else ""
    return Notice(text=f"nothing to measure on {target.name}: all {len(known)} cases are answered{more}")


def _prepare(
    case: Case, session: Session, records: Sequence[Record], journal: Journal, connection: Connection, show: Show
) -> Job | None:
    """Export, deploy and evaluate a case; return what is to be measured, None where it failed."""
    try:
        artifact, deployed = _deployed(case, case.variant, connection, session, show)
    except CaseError as error:
        journal.append(_failure(case, session, "export", error))
        return None
    journal.append(Deployment(case=case, session=session.id, epoch=session.environment.epoch, artifact=artifact))
    seen = plan.look_up(case, artifact, session, records)
    if seen.accuracy is None and has_answers(case.variant):
        journal.append(_evaluate(case, deployed, connection, session, show))
    return Job(case=case, deployed=deployed, runs=list(seen.runs))


def _deployed(
    case: Case, variant: Variant, connection: Connection, session: Session, show: Show
) -> tuple[Artifact, Deployed]:
    artifact = _exported(case, variant, show)
    return artifact, install(connection, artifact, variant, case.runtime, session.environment)


def _exported(case: Case, variant: Variant, show: Show) -> Artifact:
    runtime = load("runtimes", case.runtime.name)
    if reason := runtime.refuses(variant, case.runtime.options):
        raise CaseError(reason)
    return export(variant, runtime.FORMAT, show)


def _evaluate(case: Case, deployed: Deployed, connection: Connection, session: Session, show: Show) -> Record:
    try:
        return _accuracy(case, deployed, connection, session, show)
    except CaseError as error:
        return _failure(case, session, "evaluate", error)


def _accuracy(case: Case, deployed: Deployed, connection: Connection, session: Session, show: Show) -> Accuracy:
    """Let the target answer, or this machine in a board's place, of whom the board then checks some answers."""
    show(Step(activity="evaluate", subject=str(case.variant)))
    instead = stand_in.find(case, connection)
    if not instead:
        return evaluating.evaluate(case, deployed, _parent(case, connection, session, show), connection, session)
    mine, here = replace(case, runtime=instead.runtime), replace(session, environment=instead.environment)
    copy = _deployed(mine, case.variant, instead.connection, here, show)[1]
    parent = _parent(mine, instead.connection, here, show)
    accuracy = evaluating.evaluate(case, copy, parent, instead.connection, session, instead.runtime)
    return replace(accuracy, spot=stand_in.spot_check(case, deployed, copy, connection, instead))


def _parent(case: Case, connection: Connection, session: Session, show: Show) -> Deployed | None:
    parent = plan.parent(case.variant)
    return _deployed(case, parent, connection, session, show)[1] if parent else None


def _failure(case: Case, session: Session, stage: str, error: CaseError) -> Failure:
    return Failure(case=case, session=session.id, epoch=session.environment.epoch, stage=stage, reason=str(error))
