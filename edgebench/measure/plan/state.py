"""Session and journal -> how far each of its cases has come.

What counts was seen of the very artifact that would be measured now, in the same environment, and is what the table
shows of it: both go by `results.measurement.evidence`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from edgebench.export import find
from edgebench.foundation.shelf import load
from edgebench.images.splits import has_answers
from edgebench.measure.evaluate import made_by
from edgebench.networks import build
from edgebench.results.measurement import needed
from edgebench.results.measurement.evidence import Evidence, by_case, gather, in_epoch, of_artifact
from edgebench.schema.case import Case
from edgebench.schema.record import Accuracy, Failure, Run, Session, Stop
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.schema.artifact import Artifact
    from edgebench.schema.record import Record


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
        of_any: what counts in this epoch under this preset, of whichever artifact of the case.
        shown: what the table shows of the case in this epoch; None where it was never requested there.
        runs, accuracy: of this artifact.
    """

    case: Case
    of_any: tuple[Record, ...]
    artifact: Artifact | None = None
    shown: Evidence | None = None
    progress: Progress = Progress.OPEN

    @property
    def runs(self) -> tuple[Run, ...]:
        """The processes that measured this very artifact."""
        return tuple(record for record in of_artifact(self.of_any, self.artifact) if isinstance(record, Run))

    @property
    def accuracy(self) -> Accuracy | None:
        """What this very artifact answered last; None where images were read otherwise then, or it has not yet."""
        answers = [one for one in of_artifact(self.of_any, self.artifact) if isinstance(one, Accuracy)]
        return answers[-1] if answers and answers[-1].made_by == made_by(self.case.variant) else None

    @property
    def needs_evaluation(self) -> bool:
        """Tell whether running images would say something that is not known yet."""
        return has_answers(self.case.variant) and self.accuracy is None

    @property
    def is_shown(self) -> bool:
        """Tell whether the table shows this very artifact, and no failure in its place."""
        if self.shown is None or self.shown.artifact is None or self.artifact is None:
            return False
        return self.shown.artifact.sha256 == self.artifact.sha256 and not self.shown.failures

    def of(self, artifact: Artifact) -> CaseState:
        """Return the state with the artifact that was made meanwhile."""
        return replace(self, artifact=artifact)


def case_states(session: Session, records: Sequence[Record]) -> tuple[CaseState, ...]:
    """Look up what the journal has about each of the session's cases.

    Raises:
        RequestError: a network that was never built takes no input of its resolution.
    """
    epoch, seen = session.environment.epoch, by_case(records)
    shown = {
        one.case: one
        for one in gather(records)
        if (one.session.environment.epoch, one.session.preset) == (epoch, session.preset)
    }
    return tuple(
        _state(case, tuple(in_epoch(seen.get(case, ()), epoch, session.preset)), shown.get(case), session, records)
        for case in session.cases
    )


def _state(
    case: Case, of_any: tuple[Record, ...], shown: Evidence | None, session: Session, records: Sequence[Record]
) -> CaseState:
    artifact = find(case.variant, load("runtimes", case.runtime.name).FORMAT)
    of_shelf = case.variant.weights != WeightSource.CUSTOM
    if artifact is None and of_shelf:  # what has been built once needs no check: torch is slow to import
        build.check(case.variant.architecture, case.variant.width, case.variant.resolution)
    state = CaseState(case=case, of_any=of_any, artifact=artifact, shown=shown)
    return replace(state, progress=_progress(state, session, records))


def _progress(state: CaseState, session: Session, records: Sequence[Record]) -> Progress:
    """Tell how far a case has come: what the table does not show is no answer."""
    if state.needs_evaluation or not state.is_shown:
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
