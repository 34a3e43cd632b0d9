"""Train, export and evaluate what the unfinished cases of sessions need, before any session measures.

`work` keeps the order of the files. They are made by processes of this machine (`local`), or by the workers of a
cluster: `cluster` sends requests to them, `worker` is what runs there, and `parcel` packs files for the way. An
evaluation is such a file, too, if this host evaluates: in place of a board, or as the target itself.

A file that cannot be made here is left out. When its case is measured, the case tries once more to make the file, and
only then is a failure recorded.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from edgebench import train as training
from edgebench.foundation.errors import CaseError
from edgebench.foundation.shelf import load
from edgebench.measure.builders.local import Processes
from edgebench.measure.builders.work import Evaluation, File, Piece, Work
from edgebench.measure.evaluate import on_host, stand_in
from edgebench.measure.plan import engines
from edgebench.measure.plan.state import Progress, case_states
from edgebench.schema.variant import WeightSource, as_float, parent
from edgebench.train.course import device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edgebench.deploy.connections import Connection
    from edgebench.foundation.progress import Show
    from edgebench.measure.plan.state import CaseState
    from edgebench.schema.record import Record, Session


class Builders(Protocol):
    """What makes files: processes of this machine, or workers."""

    @property
    def count(self) -> int:
        """How many files are made at the same time."""

    def make(self, work: Work, show: Show) -> None:
        """Make files in the cache; show a notice for each that could not be made."""

    def close(self) -> None:
        """Leave this machine in peace; nothing more is to be made."""


@contextmanager
def opened(jobs: int, scheduler: str, show: Show) -> Iterator[Builders | None]:
    """Yield the workers of a scheduler, or `jobs` processes; None for one process, as the cases then make their files.

    Raises:
        RequestError: the scheduler cannot be reached, or none of its workers can be used.
    """
    if scheduler:
        from edgebench.measure.builders import cluster

        with cluster.connected(scheduler, show) as workers:
            yield workers
    else:
        yield Processes(count=jobs) if jobs > 1 else None


def build(
    sessions: Iterable[tuple[Session, Connection]], records: Sequence[Record], builders: Builders, show: Show
) -> None:
    """Let the builders train, export and evaluate what the unfinished cases of the sessions need.

    A session comes with the connection to its target. Workers evaluate only bundled images, and only in place of
    boards, which check a few of the outputs.

    Raises:
        RequestError: a network does not support its width or resolution.
    """
    work = [(session, connection, _unfinished(session, records)) for session, connection in sessions]
    unmade = [(session, state) for session, _, states in work for state in states if not state.artifact]
    weights = list(_weights(state for _, state in unmade))
    is_here = isinstance(builders, Processes)
    if weights and is_here and device() != "cpu":
        _train(weights, show)
    files = dict.fromkeys(file for session, state in unmade for file in _files(session, state))
    evaluations = dict.fromkeys(
        evaluation
        for session, connection, states in work
        for state in states
        for evaluation in _evaluations(session, connection, state, is_here=is_here)
    )
    pieces: list[Piece] = [*weights, *files, *evaluations]
    if pieces:
        builders.make(Work.of(pieces), show)


def _unfinished(session: Session, records: Sequence[Record]) -> list[CaseState]:
    states = case_states(session, records)
    return [state for state in states if state.progress == Progress.OPEN and not state.refusal]


def _weights(states: Iterable[CaseState]) -> Iterator[File]:
    """Yield the trainings that the cases need, the longest first."""
    variants = (state.case.variant for state in states)
    floats = dict.fromkeys(as_float(variant) for variant in variants if variant.weights == WeightSource.TRAINED)
    for variant in sorted(floats, key=training.estimate_s, reverse=True):
        yield from (File(variant=needed) for needed in training.lacking(variant))


def _train(weights: Iterable[File], show: Show) -> None:
    """Train here, one network after the other, because they share one GPU."""
    for file in weights:
        with suppress(CaseError):
            file.make(show)


def _files(session: Session, state: CaseState) -> Iterator[File]:
    """Yield the files of a case that can be made: the float file with which int8 is compared, and the case's own."""
    case = state.case
    for variant in (parent(case.variant), case.variant):
        if variant and not engines.refusal(replace(case, variant=variant), session.environment):
            yield File(variant=variant, format=load("runtimes", case.runtime.name).FORMAT)


def _evaluations(session: Session, connection: Connection, state: CaseState, *, is_here: bool) -> Iterator[Evaluation]:
    """Yield the evaluation of a case, if this host makes it; `is_here` says that the builders are on this machine."""
    case = state.case
    if not state.needs_evaluation or engines.refusal(case, session.environment):
        return
    host = stand_in.find(case, connection) if is_here or not case.variant.dataset_sha256 else None
    if is_here and not host:
        host = stand_in.itself(case, connection, session.environment)
    if host:
        yield Evaluation(question=on_host.Question.of(case, host, state.channels))
