"""Cases -> their artifacts in the cache: a thread makes them one after another, while boards measure.

Each artifact is made once, however many boards need it. A board requests all its files at once, and begins to measure
as soon as the first of them is made. A target on this machine is measured when nothing is left to do for the boards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING

from edgebench.export import export
from edgebench.foundation import ending
from edgebench.foundation.progress import Step
from edgebench.foundation.shelf import load
from edgebench.foundation.units import counted
from edgebench.images import splits
from edgebench.measure.plan import engines
from edgebench.schema.variant import Variant, WeightSource, as_float, parent
from edgebench.train import cohort

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from types import TracebackType

    from edgebench.foundation.progress import Show
    from edgebench.measure.plan.state import CaseState
    from edgebench.schema.case import Case
    from edgebench.schema.environment import Environment

POLL_S = 0.5  # seconds between two checks whether the command was interrupted

Made = Future[None]  # done when the file is in the cache; has the exception of a file that could not be made


class Workshop:
    """A thread that makes files, and a list of the machines that still need work of this machine.

    Attributes:
        bench: a lock for this machine's other work, such as evaluation: only one piece of it runs at a time.
    """

    def __init__(self, show: Show) -> None:
        self.bench, self._show, self._changed = Lock(), show, Condition()
        self._files, self._todo = dict[tuple[Variant, str], Made](), deque[tuple[Callable[[], None], Made]]()
        self._busy, self._is_open, self._inspected = set[Hashable](), True, set[Variant]()
        self._thread = Thread(target=self._work, daemon=True)

    def __enter__(self) -> Workshop:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the thread; what is still to be made is left undone."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        if error:
            ending.stop([self._thread])
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._todo or not self._is_open)
                if not self._is_open:
                    return
                make, made = self._todo.popleft()
            try:
                make()
            except BaseException as error:  # raised again in the thread of each board that needs the file
                made.set_exception(error)
            else:
                made.set_result(None)

    def order(self, states: Sequence[CaseState], environment: Environment) -> dict[Case, Made]:
        """Request the files that the cache lacks; return a future for each case, done when its file is made."""
        missing = [state for state in states if not state.artifact and not engines.refusal(state.case, environment)]
        with self._changed:
            self._enqueue(self._prepared([state.case.variant for state in missing]))
            orders = {state.case: self._ordered(state.case) for state in missing}
            self._changed.notify_all()
        return {state.case: orders.get(state.case) or _done() for state in states}

    def _ordered(self, case: Case) -> Made:
        """Request a case's file; for an int8 file, first request the float file with which it is compared."""
        format: str = load("runtimes", case.runtime.name).FORMAT
        for variant in filter(None, (parent(case.variant), case.variant)):
            if (variant, format) not in self._files:
                self._files[variant, format] = self._enqueue(partial(self._export, variant, format))
        return self._files[case.variant, format]

    def _export(self, variant: Variant, format: str) -> None:
        export(variant, format, self._show)

    def _enqueue(self, make: Callable[[], None]) -> Made:
        made = Made()
        self._todo.append((make, made))
        return made

    def _prepared(self, variants: Collection[Variant]) -> Callable[[], None]:
        """Return the work that comes before the files: check the images, and train networks in parallel."""
        new = [variant for variant in variants if variant not in self._inspected]
        self._inspected.update(new)

        def prepare() -> None:
            splits.inspect(new, self._show)
            trained = [as_float(variant) for variant in new if variant.weights == WeightSource.TRAINED]
            if trained:
                cohort.train(trained, self._show)

        return prepare

    def begin(self, who: Hashable) -> None:
        """Note that `who` will need files or evaluations of this machine."""
        with self._changed:
            self._busy.add(who)

    def end(self, who: Hashable) -> None:
        """Note that `who` needs no more work of this machine."""
        with self._changed:
            self._busy.discard(who)
            self._changed.notify_all()

    def wait_until_quiet(self, show: Show) -> None:
        """Wait until no other machine needs work of this machine."""
        with self._changed:
            while self._busy:
                show(Step(activity="wait", subject=f"the files of {counted(len(self._busy), 'other board')}"))
                self._changed.wait(POLL_S)
                ending.require_going()


def _done() -> Made:
    made = Made()
    made.set_result(None)
    return made


def wait_for_one(files: Collection[Made], show: Show) -> None:
    """Wait until one of the files is made, or could not be made."""
    while not wait(files, POLL_S, FIRST_COMPLETED).done:
        show(Step(activity="wait", subject=counted(len(files), "file")))
        ending.require_going()
