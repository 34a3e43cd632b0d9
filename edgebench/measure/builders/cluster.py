"""Files made by the workers of a scheduler: requests go out as JSON, and files come back and are verified by hash."""

from __future__ import annotations

import itertools
import json
from asyncio import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from edgebench.foundation import cache, ending
from edgebench.foundation.errors import CaseError, RequestError, in_words
from edgebench.foundation.progress import Notice, Step
from edgebench.measure.builders import parcel, worker
from edgebench.measure.builders.security import require_distributed, secured
from edgebench.measure.builders.work import Piece, Work
from edgebench.train import cohort

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.foundation.progress import Show

CONNECT_S = 10.0
NO_WORKERS_S = 60.0  # time to wait for a worker, at the beginning, and after the last one has ended
POLL_S = 0.1  # time between two looks at the requests
LOOK_S = 1.0  # time between two looks at the workers
FETCH_S = 60.0  # time for a file to arrive, before the other requests are looked at again
LOST = "the connection to the scheduler is lost"


class _Lost(Exception):
    """No worker is left, or the scheduler ended."""


@contextmanager
def connected(scheduler: str, show: Show) -> Iterator[Workers]:
    """Connect to a scheduler and yield its workers, as soon as there is one that can be used.

    Raises:
        RequestError: the scheduler cannot be reached, none of its workers can be used, or the connection would not be
            private.
    """
    require_distributed()
    security = secured(scheduler)
    from distributed import Client

    try:
        client = Client(scheduler, security=security, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise RequestError(f"cannot reach the scheduler {scheduler}: {in_words(error)}; start it") from error
    workers = Workers(client=client, scheduler=scheduler)
    try:
        try:
            workers.wait()
        except _Lost as lost:
            raise RequestError(f"{lost}; start one with edgebench cluster worker {scheduler}") from None
        for why in workers.refused.values():
            show(Notice(text=why))
        yield workers
    finally:
        workers.close()


@dataclass(kw_only=True)
class Workers:
    """The workers of a scheduler.

    Attributes:
        fit: the names of the workers that can be used, by address.
        refused: why the other workers cannot be used, by address.
        seen: when there was last a worker that can be used, in seconds of `monotonic()`.
        looked: when the workers were last asked for.
        said: what was shown about pieces that workers cannot make; a reason may concern many pieces.
        answered: set when a request is done.
        running: by address, the future of the request that a worker has now, and the file that it is to make.
    """

    client: Any
    scheduler: str
    fit: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    seen: float = field(default_factory=monotonic)
    looked: float = 0.0
    said: set[str] = field(default_factory=set)
    answered: Event = field(default_factory=Event)
    running: dict[str, tuple[Any, Piece]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    session: str = field(default_factory=lambda: uuid4().hex[:8])

    @property
    def count(self) -> int:
        """How many workers there are."""
        return len(self.fit)

    def wait(self) -> None:
        """Wait until there is a worker that can be used.

        Raises:
            RequestError: there are workers, but none that can be used.
            _Lost: there has been none for a while.
        """
        while not self.fit:
            self.look(_ignore, Work())
            if self.refused and not self.fit:
                raise RequestError("; ".join(self.refused.values()))
            ending.pause(POLL_S)

    def close(self) -> None:
        """End the connection, whose threads would wake up while this machine measures."""
        self.client.close(timeout=CONNECT_S)

    def make(self, work: Work, show: Show) -> None:
        """Make all files; what cannot be made because no worker is left is left to its case."""
        shown: list[Piece] = []
        try:
            while work.ready or self.running:
                self.look(show, work)
                for address in [address for address in self.fit if address not in self.running]:
                    if work.ready:
                        self._give(address, work.ready.pop(0), work, show)
                shown = self._show(shown, show)
                self._wait()
                for address in [address for address, (future, _) in self.running.items() if future.done()]:
                    self._hear(address, *self.running.pop(address), work, show)
        except _Lost as lost:
            show(Notice(text=f"{lost}; the cases make the files that are missing"))
        finally:
            self._stop()

    def _wait(self) -> None:
        """Wait until a worker answers, but not long, because workers come and go meanwhile."""
        self.answered.wait(POLL_S)
        self.answered.clear()
        ending.require_going()

    def _show(self, shown: list[Piece], show: Show) -> list[Piece]:
        """Show which files are made now, unless these were shown last; return them."""
        pieces = [piece for _, piece in self.running.values()]
        if pieces and pieces != shown:
            show(cohort.together([Step(activity=piece.activity, subject=piece.subject) for piece in pieces]))
        return pieces

    def _stop(self) -> None:
        """End what the workers still make for this session."""
        if self.running:
            with suppress(Exception):  # a worker that has left, or a scheduler that ended
                self.client.cancel([future for future, _ in self.running.values()])
                self.client.run(worker.stop, self.session, workers=list(self.running), on_error="ignore")
        self.running.clear()

    def look(self, show: Show, work: Work) -> None:
        """Find out which workers there are now, and whether each new one can be used.

        Raises:
            _Lost: there has been none for a while.
        """
        if monotonic() - self.looked < LOOK_S:
            return
        self.looked, there = monotonic(), self._there()
        for address in [address for address in self.fit if address not in there]:
            left = f"worker {self.fit[address]} left"
            self._leave(address, left if self.client.status == "running" else LOST, work, show)
        for address, name in there.items():
            if address not in self.fit and address not in self.refused:
                if differing := self._differing(address):
                    self.refused[address] = f"worker {name} is not used: {differing}"
                    show(Notice(text=self.refused[address]))
                else:
                    self.fit[address] = name
        if self.fit:
            self.seen = monotonic()
        elif monotonic() - self.seen > NO_WORKERS_S:
            raise _Lost(f"no worker of {self.scheduler} can be used")

    def _leave(self, address: str, why: str, work: Work, show: Show) -> None:
        """Use a worker no more; what it has not finished is made again."""
        del self.fit[address]
        if address not in self.running:
            show(Notice(text=why))
            return
        future, piece = self.running.pop(address)
        with suppress(Exception):
            future.cancel()
        _again(piece, work, why, show)

    def _there(self) -> dict[str, str]:
        """Return the names of the workers that make files, by address; none if the scheduler does not answer."""
        try:
            # `client.scheduler_info` sometimes returns the totals that the client fetches in between, without workers.
            found = self.client.sync(self.client.scheduler.identity, n_workers=-1)["workers"]
        except Exception:  # the connection is lost, and may come back; or the answer came too late
            return self.fit if self.client.status == "running" else {}
        makers = {address: one for address, one in found.items() if one["resources"].keys() >= worker.RESOURCE.keys()}
        return {address: str(one["name"]) for address, one in makers.items()}

    def _differing(self, address: str) -> str:
        """Return in words why the worker at an address cannot be used; an empty text if it can."""
        try:
            theirs = self.client.run(worker.versions, workers=[address])[address]
        except Exception as error:  # it lacks edgebench, or has just ended
            return f"it does not say its versions: {in_words(error)}"
        return parcel.differing(theirs) if theirs else "it was not started by edgebench cluster worker"

    def _give(self, address: str, piece: Piece, work: Work, show: Show) -> None:
        """Send a request to a worker, with the content of its inputs; a file that is there already is finished."""
        if piece.find():
            work.finish(piece)
            return
        try:
            inputs = list(parcel.inputs(piece))
            contents = {card.sha256: cache.path_of(card).read_bytes() for card in inputs}
            held = self.client.scatter(contents, workers=[address], hash=False) if contents else {}
            future = self.client.submit(
                worker.make,
                self.session,
                parcel.request(piece, inputs),
                *(held[card.sha256] for card in inputs),
                key=f"{self.session}-{next(self.numbers)}-{piece.subject}",  # two requests never share a result
                workers=[address],
                resources=worker.RESOURCE,
                pure=False,
            )
        except Exception as error:  # the worker has just left, or an input was removed
            _again(piece, work, in_words(error), show)
            return
        self.running[address] = future, piece
        future.add_done_callback(lambda _: self.answered.set())

    def _hear(self, address: str, future: Any, piece: Piece, work: Work, show: Show) -> None:
        """Take a worker's answer: store the file, or have it made again."""
        try:
            text, content = future.result(timeout=FETCH_S)
            answer, name = json.loads(text), self.fit[address]
        except CancelledError:
            _again(piece, work, LOST, show)
            return
        except Exception as error:  # the worker ended, or has a bug
            _again(piece, work, in_words(error), show)
            return
        if answer["ended"]:
            _again(piece, work, f"{answer['reason']} on worker {name}", show)
        elif answer["reason"]:
            if (reason := answer["reason"].removeprefix(piece.subject)) not in self.said:
                self.said.add(reason)
                show(Notice(text=f"worker {name}: {answer['reason']}"))
            work.drop(piece)
        elif wrong := _stored(piece, answer["file"], content):
            self.refused[address] = f"worker {name} is not used any more: {wrong}"
            self._leave(address, self.refused[address], work, show)
            _again(piece, work, f"worker {name} sent a wrong file", show)
        else:
            work.finish(piece)


def _again(piece: Piece, work: Work, reason: str, show: Show) -> None:
    show(Notice(text=f"{piece.subject}: {reason}; {work.again(piece)}"))


def _ignore(_: Step | Notice) -> None: ...


def _stored(piece: Piece, label: dict[str, Any], content: bytes) -> str:
    """Store the file that a worker sent, if it is the one requested; return what is wrong with it, or an empty text."""
    try:
        cache.receive(parcel.card_of(label), content)
    except (CaseError, KeyError, ValueError, TypeError) as error:
        return str(error)
    return "" if piece.find() else f"it made {piece.subject} from other sources"
