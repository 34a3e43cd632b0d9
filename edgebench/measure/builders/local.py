"""Files made by several processes of this machine, each process one file at a time."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, cast

from edgebench.foundation.errors import in_words
from edgebench.foundation.progress import Notice, Step
from edgebench.train import cohort

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from edgebench.foundation.progress import Show
    from edgebench.measure.builders.work import Piece, Work

    Message = Step | Notice | bool  # progress; or, at the end, whether the file was made

END_S = 10.0  # time that a process gets to end by itself
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(kw_only=True)
class Builder:
    """A process that makes one file at a time, and the file that it makes now."""

    process: SpawnProcess
    connection: Connection
    piece: Piece | None = None
    step: Step | None = None

    @classmethod
    def start(cls, threads: int, *imports: str) -> Builder:
        """Start a process that computes with this number of threads, and imports modules before its first file."""
        context = get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there, threads, imports), daemon=True)
        process.start()
        there.close()  # if this process kept the other end open, it would not notice that the builder ended
        return cls(process=process, connection=here)

    def give(self, piece: Piece) -> None:
        """Let the process make a file; if the process has ended, the next reading of its answer shows that."""
        self.piece = piece
        with suppress(OSError):
            self.connection.send(piece)

    def end(self) -> None:
        """Let the process end by itself if it has nothing to do, else terminate it."""
        if not self.piece:  # a terminated process leaves behind semaphores of libraries, about which Python would warn
            with suppress(OSError):
                self.connection.send(None)
            self.process.join(END_S)
        self.process.terminate()
        self.process.join()
        self.connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Processes of this machine, `count` at a time."""

    count: int

    def close(self) -> None:
        """Do nothing: the processes have ended when all files are made."""

    def make(self, work: Work, show: Show) -> None:
        """Make all files; at the end, or after an error, end the processes."""
        threads = max(len(os.sched_getaffinity(0)) // self.count, 1)
        builders = list[Builder]()
        try:
            builders += [Builder.start(threads) for _ in range(self.count)]
            while work.ready or any(builder.piece for builder in builders):
                for builder in builders:
                    if work.ready and not builder.piece:
                        builder.give(work.ready.pop(0))
                busy = {builder.connection: builder for builder in builders if builder.piece}
                for connection in cast("list[Connection]", wait(list(busy))):
                    if not _heard(busy[connection], work, show):
                        busy[connection].end()
                        builders[builders.index(busy[connection])] = Builder.start(threads)
                if steps := [builder.step for builder in builders if builder.step]:
                    show(cohort.together(steps))
        finally:
            for builder in builders:
                builder.end()


def _heard(builder: Builder, work: Work, show: Show) -> bool:
    """Read a builder's next message; return False if there is none because its process ended."""
    piece = builder.piece
    assert piece is not None
    try:
        message: Message = builder.connection.recv()
    except (EOFError, OSError):
        show(Notice(text=f"the process that made {piece.subject} ended unexpectedly; {work.again(piece)}"))
        return False
    if isinstance(message, Step):
        builder.step = message
    elif isinstance(message, Notice):
        show(message)
    else:
        builder.piece = builder.step = None
        (work.finish if message else work.drop)(piece)
    return True


def _serve(connection: Connection, threads: int, imports: Sequence[str]) -> None:
    """Make the files that the parent process names, until it ends this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on an interrupt the parent process ends this one
    cohort.end_with_parent()
    os.environ |= dict.fromkeys(THREADS, str(threads))  # read when torch is imported
    for module in imports:
        import_module(module)
    with suppress(EOFError):
        while piece := connection.recv():
            if torch := sys.modules.get("torch"):
                torch.set_num_threads(threads)  # a training before this file used one thread
            connection.send(_made(piece, connection.send))


def _made(piece: Piece, show: Show) -> bool:
    """Make a file in the cache if the cache lacks it; after an error, show a notice, and leave the file to its case."""
    try:
        piece.make(show)
    except Exception as error:
        show(Notice(text=f"{piece.subject} was not made ahead: {in_words(error)}"))
        return False
    return True
