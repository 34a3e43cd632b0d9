"""Train and export what the unfinished cases of sessions need, in several processes of this machine.

This is done before any session measures. A file that cannot be made here is left out. When its case is measured, the
case tries once more to make the file, and only then is a failure recorded.
"""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, cast

from edgebench import train as training
from edgebench.export import export
from edgebench.foundation.errors import CaseError, in_words
from edgebench.foundation.progress import Notice, Step
from edgebench.foundation.shelf import load
from edgebench.measure.plan import engines
from edgebench.measure.plan.state import Progress, case_states
from edgebench.schema.variant import Variant, WeightSource, as_float, parent
from edgebench.train import cohort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from edgebench.foundation.progress import Show
    from edgebench.measure.plan.state import CaseState
    from edgebench.schema.record import Record, Session

END_S = 10.0  # time that a process gets to end by itself
MOST_TRIES = 2  # if a process ends while it makes a file, the file is tried once more
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to make: a variant in a format."""

    variant: Variant
    format: str


@dataclass(kw_only=True)
class Work:
    """The files that are not made yet.

    Attributes:
        ready: files that can be made now.
        waiting: for each float file that is not made yet, the int8 files that are to be quantized from it.
        tries: how often a process ended while it made a file.
    """

    ready: list[File] = field(default_factory=list)
    waiting: dict[File, list[File]] = field(default_factory=lambda: defaultdict(list))
    tries: dict[File, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, files: Iterable[File]) -> Work:
        """Return the work of making files: an int8 file waits for its float file, if that is to be made, too."""
        work, every = cls(), dict.fromkeys(files)
        for file in every:
            source = replace(file, variant=as_float(file.variant))
            (work.waiting[source] if source != file and source in every else work.ready).append(file)
        return work

    def finish(self, file: File) -> None:
        """Note that a file is made, so that the int8 files that wait for it can be made."""
        self.ready = self.waiting.pop(file, []) + self.ready

    def try_again(self, file: File) -> bool:
        """Note that a process ended while it made a file; return whether the file is tried again."""
        self.tries[file] += 1
        if self.tries[file] < MOST_TRIES:
            self.ready.insert(0, file)
            return True
        self.waiting.pop(file, None)
        return False


def build(sessions: Iterable[Session], records: Sequence[Record], jobs: int, show: Show) -> None:
    """Train and export in `jobs` processes what the unfinished cases of the sessions need.

    Raises:
        RequestError: a network does not support its width or resolution.
    """
    work = [(session, _unfinished(session, records)) for session in sessions]
    _train([state.case.variant for _, states in work for state in states], jobs, show)
    files = dict.fromkeys(file for session, states in work for state in states for file in _files(session, state))
    if files:
        _make(Work.of(files), min(jobs, len(files)), show)


def _unfinished(session: Session, records: Sequence[Record]) -> list[CaseState]:
    states = case_states(session, records)
    return [state for state in states if state.progress == Progress.OPEN and not state.artifact and not state.refusal]


def _train(variants: Iterable[Variant], jobs: int, show: Show) -> None:
    """Train missing weights in parallel, then those that are not trained in parallel, one after the other."""
    trained = dict.fromkeys(as_float(variant) for variant in variants if variant.weights == WeightSource.TRAINED)
    cohort.train(trained, show, workers=jobs)
    for variant in trained:
        with suppress(CaseError):
            training.find(variant) or training.train(variant, show)


def _files(session: Session, state: CaseState) -> Iterator[File]:
    """Yield the files of a case that can be made: the float file with which int8 is compared, and the case's own."""
    case = state.case
    for variant in (parent(case.variant), case.variant):
        if variant and not engines.refusal(replace(case, variant=variant), session.environment):
            yield File(variant=variant, format=load("runtimes", case.runtime.name).FORMAT)


@dataclass(kw_only=True)
class _Builder:
    """A process that makes one file at a time, and the file that it makes now."""

    process: SpawnProcess
    connection: Connection
    file: File | None = None
    step: Step | None = None

    @classmethod
    def start(cls, threads: int) -> _Builder:
        """Start a process that computes with this number of threads."""
        context = get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there, threads), daemon=True)
        process.start()
        there.close()  # if this process kept the other end open, it would not notice that the builder ended
        return cls(process=process, connection=here)

    def give(self, file: File) -> None:
        """Let the process make a file; if the process has ended, the next reading of its answer shows that."""
        self.file = file
        with suppress(OSError):
            self.connection.send(file)

    def end(self) -> None:
        """Let the process end by itself if it has nothing to do, else terminate it."""
        if not self.file:  # a terminated process leaves behind semaphores of libraries, about which Python would warn
            with suppress(OSError):
                self.connection.send(None)
            self.process.join(END_S)
        self.process.terminate()
        self.process.join()
        self.connection.close()


def _make(work: Work, jobs: int, show: Show) -> None:
    """Make all files, each in one of `jobs` processes; at the end, or after an error, end the processes."""
    threads = max(len(os.sched_getaffinity(0)) // jobs, 1)
    builders = list[_Builder]()
    try:
        builders += [_Builder.start(threads) for _ in range(jobs)]
        while work.ready or any(builder.file for builder in builders):
            for builder in builders:
                if work.ready and not builder.file:
                    builder.give(work.ready.pop(0))
            busy = {builder.connection: builder for builder in builders if builder.file}
            for connection in cast("list[Connection]", wait(list(busy))):
                if not _heard(busy[connection], work, show):
                    busy[connection].end()
                    builders[builders.index(busy[connection])] = _Builder.start(threads)
            if steps := [builder.step for builder in builders if builder.step]:
                show(cohort.together(steps))
    finally:
        for builder in builders:
            builder.end()


def _heard(builder: _Builder, work: Work, show: Show) -> bool:
    """Read a builder's next message; return False if there is none because its process ended."""
    file = builder.file
    assert file is not None
    try:
        message: Step | Notice | None = builder.connection.recv()
    except (EOFError, OSError):
        again = "it is made again" if work.try_again(file) else "its case will make it"
        show(Notice(text=f"the process that made {file.variant} ended unexpectedly; {again}"))
        return False
    if isinstance(message, Step):
        builder.step = message
    elif isinstance(message, Notice):
        show(message)
    else:
        builder.file = builder.step = None
        work.finish(file)
    return True


def _serve(connection: Connection, threads: int) -> None:
    """Make the files that the parent process names, until it ends this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on an interrupt the parent process ends this one
    cohort.end_with_parent()
    os.environ |= dict.fromkeys(THREADS, str(threads))  # read when torch is imported
    with suppress(EOFError):
        while file := connection.recv():
            _export(file, connection.send)
            connection.send(None)


def _export(file: File, show: Show) -> None:
    """Make a file in the cache if the cache lacks it; after an error, show a notice, and leave the file to its case."""
    try:
        export(file.variant, file.format, show)
    except Exception as error:
        show(Notice(text=f"{file.variant} was not made ahead: {in_words(error)}"))
