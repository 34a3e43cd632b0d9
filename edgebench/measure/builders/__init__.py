"""Train and export what the unfinished cases of sessions need, before any session measures.

`work` keeps the order of the files. They are made by processes of this machine (`local`), or by the workers of a
cluster: `cluster` sends requests to them, `worker` is what runs there, and `parcel` packs files for the way.

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
from edgebench.measure.builders.work import File, Work, make
from edgebench.measure.plan import engines
from edgebench.measure.plan.state import Progress, case_states
from edgebench.schema.variant import WeightSource, as_float, parent
from edgebench.train.course import device

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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


def build(sessions: Iterable[Session], records: Sequence[Record], builders: Builders, show: Show) -> None:
    """Let the builders train and export what the unfinished cases of the sessions need.

    Raises:
        RequestError: a network does not support its width or resolution.
    """
    work = [(session, _unfinished(session, records)) for session in sessions]
    weights = list(_weights(state for _, states in work for state in states))
    if weights and isinstance(builders, Processes) and device() != "cpu":
        _train(weights, show)
    files = dict.fromkeys(file for session, states in work for state in states for file in _files(session, state))
    if weights or files:
        builders.make(Work.of([*weights, *files]), show)


def _unfinished(session: Session, records: Sequence[Record]) -> list[CaseState]:
    states = case_states(session, records)
    return [state for state in states if state.progress == Progress.OPEN and not state.artifact and not state.refusal]


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
            make(file, show)


def _files(session: Session, state: CaseState) -> Iterator[File]:
    """Yield the files of a case that can be made: the float file with which int8 is compared, and the case's own."""
    case = state.case
    for variant in (parent(case.variant), case.variant):
        if variant and not engines.refusal(replace(case, variant=variant), session.environment):
            yield File(variant=variant, format=load("runtimes", case.runtime.name).FORMAT)
