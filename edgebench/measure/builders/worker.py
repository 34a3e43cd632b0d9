"""What runs on a worker of a cluster: a process that makes one file at a time, in a cache of the worker's own."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING

from edgebench.foundation import cache
from edgebench.foundation.errors import Unreachable, in_words
from edgebench.foundation.files import HOME_VARIABLE
from edgebench.foundation.progress import Notice
from edgebench.measure.builders import parcel
from edgebench.measure.builders.local import Builder
from edgebench.measure.builders.security import require_distributed, secured
from edgebench.measure.builders.work import Piece

if TYPE_CHECKING:
    from edgebench.foundation.progress import Show

RESOURCE = {"build": 1}  # every request asks for it, and a worker has it once: it makes one file at a time
IMPORTS = ("torch", "onnxruntime.quantization")  # they take seconds, which the first request would wait for
START_S = 30.0  # time to reach the scheduler
# By default a worker wakes up a hundred times per second, to profile tasks and to watch itself.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}
_places = list["_Place"]()  # the place of this process, once `serve` has begun


@dataclass(kw_only=True)
class _Place:
    """The process that makes the files of a worker."""

    threads: int
    show: Show
    builder: Builder
    lock: Lock = field(default_factory=Lock)  # one request at a time, even if a session did not ask for the resource
    session: str = ""  # the session that requested the file that is made now

    def made(self, piece: Piece) -> str:
        """Let the process make a file; return why it could not, empty if it could.

        Raises:
            EOFError: the process ended.
        """
        self.builder.give(piece)
        reasons = list[str]()
        try:
            while not isinstance(message := self.builder.connection.recv(), bool):
                reasons += [message.text] if isinstance(message, Notice) else []
                self.show(message)
        except (EOFError, OSError):
            self.builder.end()
            self.builder = Builder.start(self.threads, *IMPORTS)
            raise EOFError from None
        self.builder.piece = None
        return "" if message else reasons[-1]


def versions() -> dict[str, str]:
    """Return the versions that determine the content of files; nothing if this process was not started by `serve`."""
    return parcel.versions() if _places else {}


def stop(session: str) -> None:
    """End the process that makes a file for a session; a task that distributed cancels would run on."""
    for place in _places:
        if place.session == session:
            place.builder.process.terminate()


def make(session: str, text: str, *contents: bytes) -> tuple[str, bytes]:
    """Make the file that a session requests from inputs with these contents; return an answer, and the file's content.

    The answer is JSON: the file's label, or why there is no file, and whether the process that made it ended.
    """
    (place,) = _places
    piece, inputs = parcel.requested(text)
    with place.lock:
        for card, content in zip(inputs, contents, strict=True):
            cache.receive(card, content, replaces=True)
        place.session = session
        try:
            reason, ended = place.made(piece), False
        except EOFError:
            reason, ended = "the process that made it ended unexpectedly", True
        finally:
            place.session = ""
    made = None if reason else piece.find()
    answer = {"reason": reason, "ended": ended, "file": parcel.label(made) if made else None}
    return json.dumps(answer), cache.path_of(made).read_bytes() if made else b""


def serve(scheduler: str, name: str, threads: int, show: Show) -> None:
    """Make files for the sessions of a scheduler, until the scheduler ends.

    Raises:
        RequestError: the scheduler cannot be reached, or the connection would not be private.
        Unreachable: the scheduler ended.
    """
    require_distributed()
    import dask.config

    security = secured(scheduler)
    with TemporaryDirectory(prefix="edgebench-worker-") as folder:
        os.environ[HOME_VARIABLE] = f"{folder}/cache"  # its files may differ from those that this machine's user has
        place = _Place(threads=threads, show=show, builder=Builder.start(threads, *IMPORTS))
        _places.append(place)
        parcel.versions()  # once, before sessions ask
        try:
            with dask.config.set(QUIET):
                asyncio.run(_served(scheduler, name, security, folder))
        finally:
            place.builder.end()
            _places.clear()


async def _served(scheduler: str, name: str, security: object, folder: str) -> None:
    from distributed import Worker

    worker = Worker(
        scheduler,
        name=name,
        nthreads=1,
        resources=RESOURCE,
        security=security,
        host="127.0.0.1" if scheduler.startswith("tcp:") else None,
        memory_limit=None,  # the files are made in another process
        local_directory=folder,
        dashboard_address="127.0.0.1:0",  # its pages are not encrypted
        death_timeout=START_S,
    )
    try:
        await worker
    except (OSError, RuntimeError, ValueError) as error:
        raise Unreachable(
            f"cannot join the scheduler {scheduler}: {in_words(error).rstrip('.')}; start it, or correct its address"
        ) from error
    await worker.finished()
    raise Unreachable(f"the scheduler {scheduler} ended; start it and this worker again")
