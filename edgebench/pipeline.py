"""The whole program on one page.

spec -> build -> export -> deploy -> measure -> store -> report
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

from edgebench import forecast as forecasting
from edgebench import plan, report, store
from edgebench.connections import Connection
from edgebench.datasets import why_no_accuracy
from edgebench.deploy import connect, deploy
from edgebench.errors import CaseError
from edgebench.evaluate import Deployed, evaluate
from edgebench.export import export
from edgebench.journal import Journal
from edgebench.measure import Job, measure
from edgebench.progress import Notice, Show, Step
from edgebench.record import Artifact, Environment, Failure, Record, Session, Stop
from edgebench.reports import Table
from edgebench.shelf import load
from edgebench.spec import Case, Sweep, Target, Variant
from edgebench.survey import survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The table of a run, and whether it was interrupted."""

    table: Table
    interrupted: bool


def run(sweep: Sweep, show: Show) -> Outcome:
    """Answer whatever of the sweep has no answer yet, keep it, and return the table of all that its folder holds.

    Raises:
        RequestError: the sweep cannot be; nothing was run.
    """
    plan.check(sweep)
    targets = [store.target(name) for name in sweep.targets]
    folder = store.results_folder(sweep.name)
    with store.lock(str(folder.resolve())):
        journal = Journal(folder)
        store.write_sweep(folder, sweep)
        interrupted = False
        try:
            for target in targets:
                _answer(sweep, target, journal, show)
        except KeyboardInterrupt:
            interrupted = True
            show(Notice(text="interrupted: the table holds what was measured; the same command goes on from there"))
        return Outcome(table=report.write(folder), interrupted=interrupted)


def forecast(sweep: Sweep) -> tuple[forecasting.Forecast, ...]:
    """Say what `run` would do, without training, exporting or measuring anything."""
    plan.check(sweep)
    forecasts = list[forecasting.Forecast]()
    for target in (store.target(name) for name in sweep.targets):
        with connect(target) as (connection, agent):
            session = _open(sweep, target, survey(connection, target, agent))
        records = tuple(Journal(store.RESULTS / sweep.name))
        forecasts.append(forecasting.forecast(session, plan.known(session, records)))
    return tuple(forecasts)


def _open(sweep: Sweep, target: Target, environment: Environment) -> Session:
    wanted = [cell for cell in sweep.wanted() if cell.target == target.name]
    return plan.session(sweep, environment, plan.cases(wanted, environment))


def _answer(sweep: Sweep, target: Target, journal: Journal, show: Show) -> None:
    """Open a session on one target for the cases that are not finished there."""
    with store.lock(f"target {target.name}"), connect(target) as (connection, agent):
        session = _open(sweep, target, survey(connection, target, agent))
        known = plan.known(session, tuple(journal))
        if all(one.is_finished for one in known):
            show(Notice(text=f"nothing to measure on {target.name}: all {len(known)} cases are answered"))
            return
        journal.append(session)
        started = monotonic()
        for record in _measure(session, known, connection, show):
            journal.append(record)
        journal.append(Stop(session=session.id, spent_s=monotonic() - started))


def _measure(session: Session, known: Sequence[plan.Known], connection: Connection, show: Show) -> Iterator[Record]:
    """Export and evaluate what is not finished, then measure it all in interleaved rounds."""
    jobs = list[Job]()
    for one in known:
        if one.is_finished:
            continue
        try:
            artifact, deployed = _deployed(one.case, one.case.variant, connection, show)
        except CaseError as error:
            yield _failure(one.case, session, "export", error)
            continue
        yield artifact
        jobs.append(Job(case=one.case, path=deployed.path, sha256=deployed.sha256, runs=list(one.runs)))
        if one.accuracy is None and not why_no_accuracy(one.case.variant):
            yield _evaluate(one.case, deployed, connection, session, show)
    yield from measure(jobs, connection, session, show)


def _deployed(case: Case, variant: Variant, connection: Connection, show: Show) -> tuple[Artifact, Deployed]:
    artifact = export(variant, load("runtimes", case.runtime.name).FORMAT, show)
    return artifact, Deployed(variant=variant, path=deploy(connection, artifact), sha256=artifact.sha256)


def _evaluate(case: Case, deployed: Deployed, connection: Connection, session: Session, show: Show) -> Record:
    show(Step(activity="evaluate", subject=str(case.variant)))
    try:
        parent = plan.parent(case.variant)
        reference = _deployed(case, parent, connection, show)[1] if parent else None
        return evaluate(case, deployed, reference, connection, session)
    except CaseError as error:
        return _failure(case, session, "evaluate", error)


def _failure(case: Case, session: Session, stage: str, error: CaseError) -> Failure:
    return Failure(case=case, session=session.id, epoch=session.environment.epoch, stage=stage, reason=str(error))
