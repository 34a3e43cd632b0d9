"""A callable -> wall times of its calls, with nothing else between them."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import ceil, sqrt
from time import perf_counter, perf_counter_ns, process_time

# Variance within a process over variance between processes, from the trials behind the two-level cost rule:
# it gives about 150 iterations at 2 ms, 68 at 10 ms and 7 at 1 s for a start of one second.
WITHIN_OVER_BETWEEN = 46.0


def warm_up(run: Callable[[], object], *, least_s: float, least_iterations: int) -> float:
    """Call `run` until both minima are met; return the seconds a call took over the second half."""
    started, spent = perf_counter(), list[float]()
    while len(spent) < least_iterations or perf_counter() - started < least_s:
        before = perf_counter()
        run()
        spent.append(perf_counter() - before)
    settled = spent[len(spent) // 2 :]
    return sum(settled) / len(settled)


def groups(count: int, iteration_s: float, *, apart_s: float, least: int) -> tuple[int, int]:
    """Return how many calls to time between two beats that are so far apart, and how many to leave untimed.

    At least so many groups, where there are as many calls: a few milliseconds say little of who shares the core.
    """
    calls = max(1, round(apart_s / max(iteration_s, 1e-9)))
    timed = min(calls, ceil(count / least))
    return timed, calls - timed


def iterations(*, start_s: float, iteration_s: float, least: int, most: int) -> int:
    """Return how many iterations a process is worth: sqrt(start / iteration x within / between variance)."""
    best = sqrt(start_s / max(iteration_s, 1e-9) * WITHIN_OVER_BETWEEN)
    return max(least, min(most, round(best)))


def sample(run: Callable[[], object], count: int) -> list[float]:
    """Time `count` calls one by one, seconds. One clock reading a call: the end of one is the start of the next."""
    stamps = [0] * (count + 1)
    stamps[0] = perf_counter_ns()
    for index in range(1, count + 1):
        run()
        stamps[index] = perf_counter_ns()
    return [(after - before) / 1e9 for before, after in pairwise(stamps)]


def sample_between(
    run: Callable[[], object], count: int, beat: Callable[[], object], *, every: int, untimed: int
) -> tuple[list[float], list[float], float]:
    """Time `count` calls in groups as `sample` does, and a beat before them, after every group and after the last.

    Before each group so many calls run untimed: they spread the samples over time. The last figure is the process's
    CPU time in all beats: less than they took where it waited for a core.
    """
    samples, (beats, beats_cpu_s) = list[float](), _beaten(beat)
    while len(samples) < count:
        for _ in range(untimed):
            run()
        samples += sample(run, min(every, count - len(samples)))
        took_s, cpu_s = _beaten(beat)
        beats, beats_cpu_s = beats + took_s, beats_cpu_s + cpu_s
    return samples, beats, beats_cpu_s


def _beaten(beat: Callable[[], object]) -> tuple[list[float], float]:
    """Time a beat by the wall and by the process's CPU time, read outside of the former."""
    before = process_time()
    took_s = sample(beat, 1)
    return took_s, process_time() - before


def sample_for(run: Callable[[], object], seconds: float) -> list[float]:
    """Time calls one by one for so long, at least one of them; in seconds."""
    stamps = [perf_counter_ns()]
    end = stamps[0] + seconds * 1e9
    while stamps[-1] < end or len(stamps) == 1:
        run()
        stamps.append(perf_counter_ns())
    return [(after - before) / 1e9 for before, after in pairwise(stamps)]


@contextmanager
def resting_collector() -> Iterator[None]:
    """Collect garbage now, and none until the end."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
