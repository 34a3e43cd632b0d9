"""The tasks of a command and its progress messages -> the same messages with the time left for the whole command.

A task is expected to take as long as such work took here before. The times of the command's
finished tasks correct the expected times of the others.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from edgebench.foundation import durations
from edgebench.foundation.progress import Notice, Step
from edgebench.measure.plan.forecast import Task, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from edgebench.foundation.durations import Pair
    from edgebench.foundation.progress import Show
    from edgebench.measure.plan.forecast import Forecast

# A session does its tasks in this order. A night then confirms suspected changes, and measures the machine's noise.
ORDER = {"train": 0, "export": 1, "evaluate": 1, "measure": 2, "confirm": 3, "noise": 4}
AFTERWARDS = ("confirm", "noise")  # activities after all sessions
WHOLE = ("measure", *AFTERWARDS)  # activities with one task per session, whatever the subject of a step is
LAST = sys.maxsize  # the place of tasks that are done after all sessions
PRIOR_S = 5.0  # added to the expected and to the measured seconds, so that one short task changes little


@dataclass(kw_only=True)
class _Running:
    """A task that is running; its `task` is None if the forecast lacks it."""

    task: Task | None
    started: float
    step: Step


@dataclass(kw_only=True)
class Remaining:
    """Passes steps on to `show`, each with the time left for the whole command.

    Attributes:
        further: number of sessions whose forecasts are not known yet; each is expected to measure as long as
            the last session with a forecast.
        pairs: kind, usual and measured seconds of each task that is finished.
    """

    show: Show
    forecasts: Sequence[Forecast] = ()
    further: int = 0
    clock: Callable[[], float] = monotonic
    pairs: list[Pair] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._started = self.clock()
        self._pending = dict[tuple[int, str, str, int], Task]()
        self._once = set[tuple[str, str, str]]()
        self._running = dict[tuple[str, str], _Running]()
        self._spent = defaultdict[str, list[tuple[float, float]]](list)  # expected and measured seconds, by activity
        forecasts, self.forecasts = self.forecasts, ()
        for forecast in forecasts:
            self.expect(forecast)

    def expect(self, forecast: Forecast, afterwards: Iterable[Task] = ()) -> None:
        """Add a session's tasks, and tasks that are done once after all sessions.

        A network is trained and exported once, even if several sessions need it.
        """
        for number, task in enumerate(forecast.tasks):
            key = (task.activity, task.subject, task.kind)
            if key not in self._once or task.activity in (*WHOLE, "evaluate"):
                self._pending[len(self.forecasts), task.activity, task.subject, number] = task
            self._once.add(key)
        self.forecasts = (*self.forecasts, forecast)
        self._pending |= {(LAST, task.activity, task.subject, 0): task for task in afterwards}

    def __call__(self, event: Step | Notice) -> None:
        """Show a notice as it is, and a step with the time left for the whole command and the share that is done."""
        if isinstance(event, Notice):
            self.show(event)
            return
        if event.activity in ORDER:
            self._follow(event.parts or (event,))
        left_s = max(self._left_s(), event.left_s or 0.0)
        spent_s = self.clock() - self._started
        is_known = bool(self._pending or self._running)
        self.show(
            replace(
                event,
                left_s=left_s if is_known else event.left_s,
                share=spent_s / (spent_s + left_s) if is_known and spent_s + left_s else None,
            )
        )

    def finish(self) -> None:
        """Regard every running task as finished."""
        self._follow(())

    def _follow(self, steps: Sequence[Step]) -> None:
        """Regard the tasks to which these steps belong as running, and all others that were running as finished."""
        keys = {_key(step): step for step in steps}
        for key in [key for key in self._running if key not in keys]:
            self._end(self._running.pop(key))
        for key, step in keys.items():
            if key in self._running:
                self._running[key].step = step
            else:
                self._running[key] = _Running(task=self._begin(key), started=self.clock(), step=step)

    def _begin(self, key: tuple[str, str]) -> Task | None:
        """Remove a task from the pending tasks and return it; also remove the tasks that its session does before it."""
        if key[0] in AFTERWARDS:
            self._pending = {pending: task for pending, task in self._pending.items() if pending[0] == LAST}
        chosen = next((pending for pending in self._pending if pending[1:3] == key), None)
        if chosen is None:
            return None
        task = self._pending.pop(chosen)
        for other in [other for other in self._pending if other[0] <= chosen[0]]:
            if ORDER[other[1]] < ORDER[task.activity] or other[0] < chosen[0]:
                del self._pending[other]
        return task

    def _end(self, running: _Running) -> None:
        task, took_s, step = running.task, self.clock() - running.started, running.step
        is_whole = step.activity != "train" or (step.total and step.done == step.total)  # not resumed, not failed
        if task and is_whole:
            self._spent[task.activity].append((task.expected_s, took_s))
            self.pairs += [(task.kind, task.usual_s, took_s)] if task.kind else []

    def _left_s(self) -> float:
        pending = defaultdict[str, list[float]](list)
        for task in self._pending.values():
            pending[task.activity].append(task.expected_s * (1.0 if task.activity in WHOLE else self._slower(task)))
        for running in self._running.values():
            pending[running.step.activity].append(self._left_of(running))
        workers = max((forecast.workers for forecast in self.forecasts), default=1)
        jobs = max((forecast.jobs for forecast in self.forecasts), default=1)
        left_s = side_by_side(pending.pop("train", []), workers) + side_by_side(pending.pop("export", []), jobs)
        left_s += sum(map(sum, pending.values()))
        left_s += self.further * (self.forecasts[-1].measure_s if self.forecasts else 0.0)
        budget_s = sum(forecast.budget_s for forecast in self.forecasts)
        return min(left_s, max(budget_s - (self.clock() - self._started), 0.0)) if budget_s else left_s

    def _left_of(self, running: _Running) -> float:
        step, task = running.step, running.task
        if step.left_s is not None:
            return max(step.left_s, 0.0)
        if task is None:
            return 0.0
        expected_s = task.expected_s * self._slower(task)
        if step.activity == "train" and step.total:
            return expected_s * (1 - step.done / step.total)
        return max(expected_s - (self.clock() - running.started), 0.0)

    def _slower(self, task: Task) -> float:
        """Return by which factor finished tasks of this activity (else of all) took longer than expected."""
        own = self._spent[task.activity]
        of = own or [pair for pairs in self._spent.values() for pair in pairs]
        return (PRIOR_S + sum(took for _, took in of)) / (PRIOR_S + sum(expected for expected, _ in of))


def _key(step: Step) -> tuple[str, str]:
    return step.activity, "" if step.activity in WHOLE else step.subject


@contextmanager
def with_time_left(show: Show, forecasts: Sequence[Forecast] = ()) -> Iterator[Remaining]:
    """Yield a function that shows steps with the time left; at the end, learn how long the finished tasks took."""
    remaining = Remaining(show=show, forecasts=forecasts)
    try:
        yield remaining
        remaining.finish()
    finally:
        durations.keep(remaining.pairs)
