"""Session and journal -> how far each of its cases has come.

What counts was seen of the very artifact that would be measured now, in the same environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edgebench.export import find
from edgebench.foundation.shelf import load
from edgebench.images.splits import has_answers
from edgebench.measure.evaluate import made_by
from edgebench.networks import build
from edgebench.results.measurement import needed
from edgebench.schema.artifact import Artifact
from edgebench.schema.case import Case
from edgebench.schema.record import Accuracy, Failure, Run, Session, Stop
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.schema.record import Record


class State(StrEnum):
    """How far a case has come under a session's preset and time limit."""

    OPEN = "open"
    SETTLED = "settled"  # precise, or all processes spent
    OUT_OF_TIME = "out of time"  # as far as it came within the same limit, among no more cases than now


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseState:
    """What the journal already has about one case in this session's epoch, and its artifact where it is cached."""

    case: Case
    artifact: Artifact | None
    runs: tuple[Run, ...]
    accuracy: Accuracy | None
    state: State


def known(session: Session, records: Sequence[Record]) -> tuple[CaseState, ...]:
    """Look up what the journal has about each of the session's cases.

    Raises:
        RequestError: a network that was never built takes no input of its resolution.
    """
    return tuple(_known(case, session, records) for case in session.cases)


def _known(case: Case, session: Session, records: Sequence[Record]) -> CaseState:
    artifact = find(case.variant, load("runtimes", case.runtime.name).FORMAT)
    of_shelf = case.variant.weights != WeightSource.CUSTOM
    if artifact is None and of_shelf:  # what has been built once needs no look: torch is slow to import
        build.check(case.variant.architecture, case.variant.width, case.variant.resolution)
    return look_up(case, artifact, session, records)


def look_up(case: Case, artifact: Artifact | None, session: Session, records: Sequence[Record]) -> CaseState:
    """Find what was seen of this very artifact in this environment."""
    mine = [
        record
        for record in records
        if isinstance(record, (Run, Accuracy))
        and record.case == case
        and (record.artifact_sha256, record.epoch) == (artifact.sha256 if artifact else "", session.environment.epoch)
    ]
    runs = tuple(record for record in mine if isinstance(record, Run) and record.preset == session.preset)
    todays = made_by(case.variant)  # a corrected way to read images answers anew
    answers = (record for record in reversed(mine) if isinstance(record, Accuracy))
    accuracy = next((record for record in answers if record.made_by == todays), None)
    is_evaluated = accuracy is not None or not has_answers(case.variant)
    state = _state(case, runs, session, records) if is_evaluated else State.OPEN
    return CaseState(case=case, artifact=artifact, runs=runs, accuracy=accuracy, state=state)


def _state(case: Case, runs: Sequence[Run], session: Session, records: Sequence[Record]) -> State:
    if not any(needed(runs, session)):
        return State.SETTLED
    spent = _spent(case, session, records)
    return State.OUT_OF_TIME if any(run.session in spent for run in runs) else State.OPEN


def _spent(case: Case, session: Session, records: Sequence[Record]) -> set[str]:
    """Name the earlier sessions in which this case had as much time as it would have now: the same again.

    They came to their own end, under no shorter limit, with no more cases than today's, and the case did not fail.
    """
    if not session.time_limit_s:
        return set()
    ended = {record.session for record in records if isinstance(record, Stop)}
    failed = {record.session for record in records if isinstance(record, Failure) and record.case == case}
    return {
        one.id
        for one in records
        if isinstance(one, Session)
        and one.id in ended - failed
        and one.time_limit_s >= session.time_limit_s
        and len(one.cases) <= len(session.cases)
    }
