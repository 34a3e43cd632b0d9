"""Find what is already measured and what is missing for each case of a session, from the journal's records.

A record is used only if it comes from the same environment and from the artifact that would be measured now.
`results.measurement.evidence` defines which records are used, and which of these the table shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from edgebench.export import find
from edgebench.foundation.shelf import load
from edgebench.images.splits import has_answers
from edgebench.measure.evaluate import made_by
from edgebench.measure.plan.custom import model_of, refusal
from edgebench.networks import build, cost
from edgebench.results.measurement import needed, times_stages
from edgebench.results.measurement.evidence import Evidence, by_case, gather, in_epoch, of_artifact
from edgebench.schema.case import Case
from edgebench.schema.record import Accuracy, Failure, Run, Session, Stop
from edgebench.schema.variant import WeightSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.schema.artifact import Artifact
    from edgebench.schema.cards import CustomModel
    from edgebench.schema.record import Record


class Progress(StrEnum):
    """The progress of a case under a session's preset and time limit."""

    OPEN = "open"
    SETTLED = "settled"  # precise enough, or measured by the maximum number of processes
    OUT_OF_TIME = "out of time"  # an earlier session gave the case at least as much time and did not complete it


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseState:
    """The journal's records of one case in the session's environment and with the session's preset.

    Attributes:
        model: the card of a user-supplied model; None for edgebench's own networks, or if the cache lost the model.
        artifact: the artifact that would be measured now; None if the cache does not have it.
        of_any: the runs and accuracies of every artifact of the case, in this epoch (hash of the environment) and with
            this preset; `runs` and `accuracy` belong to `artifact` alone.
        shown: the records behind the case's row in the table, in this epoch; None if no session in this epoch had the
            case.
        refusal: why the case cannot be measured; an empty text if no reason is known.
        times_stages: whether the session times what an app does before and after inference.
        is_run: whether the target runs the case; False if the case is only compiled for it.
    """

    case: Case
    of_any: tuple[Record, ...]
    model: CustomModel | None = None
    artifact: Artifact | None = None
    shown: Evidence | None = None
    progress: Progress = Progress.OPEN
    refusal: str = ""
    times_stages: bool = False
    is_run: bool = True

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs of this artifact."""
        return tuple(record for record in of_artifact(self.of_any, self.artifact) if isinstance(record, Run))

    @property
    def accuracy(self) -> Accuracy | None:
        """The last accuracy of this artifact.

        None if the artifact was never evaluated, or if the code that evaluated it has changed since.
        """
        accuracies = [record for record in of_artifact(self.of_any, self.artifact) if isinstance(record, Accuracy)]
        last = accuracies[-1] if accuracies else None
        return last if last and last.made_by == made_by(self.case.variant) else None

    @property
    def needs_evaluation(self) -> bool:
        """Whether the case can be evaluated and has no accuracy yet."""
        return self.is_run and has_answers(self.case.variant) and self.accuracy is None

    @property
    def channels(self) -> int:
        """The number of channels of the network's input: 3, or 1 for grey images."""
        return self.model.channels if self.model else build.channels(self.case.variant)

    @property
    def is_shown(self) -> bool:
        """Whether the table's row of the case shows this artifact, and not a failure."""
        if self.shown is None or self.shown.artifact is None or self.artifact is None:
            return False
        return self.shown.artifact.sha256 == self.artifact.sha256 and not self.shown.failures

    def of(self, artifact: Artifact) -> CaseState:
        """Return the state, completed with an artifact that was exported since."""
        return replace(self, artifact=artifact)


def case_states(session: Session, records: Sequence[Record]) -> tuple[CaseState, ...]:
    """Return the state of each of the session's cases.

    Raises:
        RequestError: a network does not support its width or resolution.
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
    state = CaseState(
        case=case,
        of_any=of_any,
        shown=shown,
        refusal=refusal(case),
        times_stages=times_stages(case.variant, session),
        is_run=not session.environment.compiles_for,
    )
    if state.refusal:
        return state
    artifact = find(case.variant, load("runtimes", case.runtime.name).FORMAT)
    is_custom = case.variant.weights == WeightSource.CUSTOM
    if artifact is None and not is_custom:
        cost.check(case.variant.architecture, case.variant.width, case.variant.resolution)
        if reason := cost.lacks_weights(case.variant):
            return replace(state, refusal=reason)
    state = replace(state, model=model_of(case.variant), artifact=artifact)
    return replace(state, progress=_progress(state, session, records))


def _progress(state: CaseState, session: Session, records: Sequence[Record]) -> Progress:
    """Return the progress of a case; if the table does not show the case's artifact, the case is unfinished."""
    if state.needs_evaluation or not state.is_shown:
        return Progress.OPEN
    if not any(needed(state.runs, session, times_stages=state.times_stages)):
        return Progress.SETTLED
    spent = _spent(state.case, session, records)
    return Progress.OUT_OF_TIME if any(run.session in spent for run in state.runs) else Progress.OPEN


def _spent(case: Case, session: Session, records: Sequence[Record]) -> set[str]:
    """Return the ids of earlier sessions that gave the case at least as much time as this session can give it.

    These earlier sessions were not interrupted, and the case did not fail in them. Compared with this session, they had
    at least as long a time limit, at most as many cases, and at least the same sustained runs and stages.
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
        and earlier.sustained_s >= session.sustained_s
        and earlier.stages >= session.stages
        and len(earlier.cases) <= len(session.cases)
    }
