"""A case -> its artifact on the target, ready to be measured, and what it answers there.

exported -> installed -> evaluated
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgebench.deploy import Deployed, install
from edgebench.export import export
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Show, Step
from edgebench.foundation.shelf import load
from edgebench.images.splits import has_answers
from edgebench.measure import evaluate
from edgebench.measure.evaluate import stand_in
from edgebench.measure.plan.state import look_up
from edgebench.measure.rounds import Job
from edgebench.schema.record import Deployment, Failure
from edgebench.schema.variant import parent as parent_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.deploy.connections import Connection
    from edgebench.results.journal import Journal
    from edgebench.schema.artifact import Artifact
    from edgebench.schema.case import Case
    from edgebench.schema.record import Accuracy, Record, Session
    from edgebench.schema.variant import Variant


def stage(
    case: Case, session: Session, records: Sequence[Record], journal: Journal, connection: Connection, show: Show
) -> Job | None:
    """Export, install and evaluate a case; return what is to be measured, None where it failed."""
    try:
        artifact, deployed = _deployed(case, case.variant, connection, session, show)
    except CaseError as error:
        journal.append(_failure(case, session, "export", error))
        return None
    journal.append(Deployment(case=case, session=session.id, epoch=session.environment.epoch, artifact=artifact))
    seen = look_up(case, artifact, session, records)
    if seen.accuracy is None and has_answers(case.variant):
        journal.append(_evaluated(case, deployed, connection, session, show))
    return Job(case=case, deployed=deployed, runs=list(seen.runs))


def exported(case: Case, variant: Variant, show: Show) -> Artifact:
    """Return the variant's artifact in the format that the case's runtime opens.

    Raises:
        CaseError: the runtime cannot run it, or it cannot be written.
    """
    runtime = load("runtimes", case.runtime.name)
    if reason := runtime.refuses(variant, case.runtime.options):
        raise CaseError(reason)
    return export(variant, runtime.FORMAT, show)


def accuracy(case: Case, deployed: Deployed, connection: Connection, session: Session, show: Show) -> Accuracy:
    """Let the target answer, or this machine in a board's place, of whom the board then checks some answers.

    Raises:
        CaseError: it could not be run, or its float parent could not.
    """
    show(Step(activity="evaluate", subject=str(case.variant)))
    instead = stand_in.find(case, connection)
    if not instead:
        return evaluate.evaluate(case, deployed, _parent(case, connection, session, show), connection, session)
    mine, here = replace(case, runtime=instead.runtime), replace(session, environment=instead.environment)
    copy = _deployed(mine, case.variant, instead.connection, here, show)[1]
    parent = _parent(mine, instead.connection, here, show)
    answered = evaluate.evaluate(case, copy, parent, instead.connection, session, instead.runtime)
    return replace(answered, spot=stand_in.spot_check(case, deployed, copy, connection, instead))


def _deployed(
    case: Case, variant: Variant, connection: Connection, session: Session, show: Show
) -> tuple[Artifact, Deployed]:
    artifact = exported(case, variant, show)
    return artifact, install(connection, artifact, variant, case.runtime, session.environment)


def _parent(case: Case, connection: Connection, session: Session, show: Show) -> Deployed | None:
    parent = parent_of(case.variant)
    return _deployed(case, parent, connection, session, show)[1] if parent else None


def _evaluated(case: Case, deployed: Deployed, connection: Connection, session: Session, show: Show) -> Record:
    try:
        return accuracy(case, deployed, connection, session, show)
    except CaseError as error:
        return _failure(case, session, "evaluate", error)


def _failure(case: Case, session: Session, stage: str, error: CaseError) -> Failure:
    return Failure(case=case, session=session.id, epoch=session.environment.epoch, stage=stage, reason=str(error))
