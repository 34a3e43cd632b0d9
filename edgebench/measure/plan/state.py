"""Session and journal -> how far each of its cases has come.

What counts was seen of the very artifact that would be measured now, in the same environment.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from edgebench.export import find
from edgebench.foundation.shelf import load
from edgebench.images.splits import has_answers
from edgebench.measure.evaluate import made_by
from edgebench.measure.plan.custom import refusal
from edgebench.networks import build
from edgebench.results.measurement import needed
from edgebench.schema.case import Case
from edgebench.schema.record import Accuracy, Failure, Run, Session, Stop
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.schema.artifact import Artifact
    from edgebench.schema.record import Record

    Evidence = tuple[Run | Accuracy, ...]


class Progress(StrEnum):
    """How far a case has come under a session's preset and time limit."""

    OPEN = "open"
    SETTLED = "settled"  # precise, or all processes spent
    OUT_OF_TIME = "out of time"  # as far as it came within the same limit, among no more cases than now


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseState:
    """What the journal has about one case in this session's environment and under its preset.

    Attributes:
        artifact: that would be measured now; None where it is not in the cache.
        runs, accuracy: of this artifact; `of_any` are those of whichever artifact of the case.
    """

    case: Case
    of_any: Evidence
    artifact: Artifact | None = None
    progress: Progress = Progress.OPEN

    @property
    def runs(self) -> tuple[Run, ...]:
        """The processes that measured this very artifact."""
        return tuple(record for record in self._of_artifact() if isinstance(record, Run))

    @property
    def accuracy(self) -> Accuracy | None:
        """What this very artifact answered last, read as images are read today; None where it has not yet."""
        answers = [record for record in reversed(self._of_artifact()) if isinstance(record, Accuracy)]
        todays = made_by(self.case.variant) if answers else ""  # a corrected way to read images answers anew
        return next((accuracy for accuracy in answers if accuracy.made_by == todays), None)

    @property
    def needs_evaluation(self) -> bool:
        """Tell whether running images would say something that is not known yet."""
        return has_answers(self.case.variant) and self.accuracy is None

    def of(self, artifact: Artifact) -> CaseState:
        """Return the state with the artifact that was made meanwhile."""
        return replace(self, artifact=artifact)

    def _of_artifact(self) -> Evidence:
        sha256 = self.artifact.sha256 if self.artifact else ""
        return tuple(record for record in self.of_any if record.artifact_sha256 == sha256)


def case_states(session: Session, records: Sequence[Record]) -> tuple[CaseState, ...]:
    """Look up what the journal has about each of the session's cases.

    Raises:
        RequestError: a network that was never built takes no input of its resolution.
    """
    evidence = defaultdict[object, list[Run | Accuracy]](list)
    for record in records:
        if not isinstance(record, (Run, Accuracy)) or record.epoch != session.environment.epoch:
            continue
        if isinstance(record, Accuracy) or record.preset == session.preset:
            evidence[record.case].append(record)
    return tuple(_state(case, tuple(evidence[case]), session, records) for case in session.cases)


def _state(case: Case, of_any: Evidence, session: Session, records: Sequence[Record]) -> CaseState:
    if refusal(case):
        return CaseState(case=case, of_any=of_any)
    artifact = find(case.variant, load("runtimes", case.runtime.name).FORMAT)
    of_shelf = case.variant.weights != WeightSource.CUSTOM
    if artifact is None and of_shelf:  # what has been built once needs no check: torch is slow to import
        build.check(case.variant.architecture, case.variant.width, case.variant.resolution)
    state = CaseState(case=case, of_any=of_any, artifact=artifact)
    return replace(state, progress=_progress(state, session, records))


def _progress(state: CaseState, session: Session, records: Sequence[Record]) -> Progress:
    if state.needs_evaluation:
        return Progress.OPEN
    if not any(needed(state.runs, session)):
        return Progress.SETTLED
    spent = _spent(state.case, session, records)
    return Progress.OUT_OF_TIME if any(run.session in spent for run in state.runs) else Progress.OPEN


def _spent(case: Case, session: Session, records: Sequence[Record]) -> set[str]:
    """Name the earlier sessions in which this case had as much time as it would have now: the same again.

    They came to their own end, under no shorter limit, with no more cases than today's, and the case did not fail.
    """
    if not session.time_limit_s:
        return set()
    ended = {record.session for record in records if isinstance(record, Stop)}
    failed = {record.session for record in records if isinstance(record, Failure) and record.case == case}
    return {
        earlier.id
        for earlier in records
        if isinstance(earlier, Session)
        and earlier.id in ended - failed
        and earlier.time_limit_s >= session.time_limit_s
        and len(earlier.cases) <= len(session.cases)
    }
