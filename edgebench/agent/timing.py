"""A function -> wall times of its calls."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import ceil, sqrt
from time import perf_counter, perf_counter_ns, process_time

# The variance within a process divided by the variance between processes, as measured in trials.
# If a process starts in 1 s, `iterations` then returns about 150 for inferences of 2 ms, 68 for 10 ms and 7 for 1 s.
WITHIN_OVER_BETWEEN = 46.0


def warm_up(run: Callable[[], object], *, least_s: float, least_iterations: int) -> float:
    """Call `run` for a minimum number of calls and of seconds; return the mean seconds per call in the second half."""
    started, spent = perf_counter(), list[float]()
    while len(spent) < least_iterations or perf_counter() - started < least_s:
        before = perf_counter()
        run()
        spent.append(perf_counter() - before)
    settled = spent[len(spent) // 2 :]
    return sum(settled) / len(settled)


def groups(count: int, iteration_s: float, *, apart_s: float, least: int) -> tuple[int, int]:
    """Return two numbers: the timed calls and the untimed calls to run between beats that are `apart_s` seconds apart.

    The calls between two beats are a group. If possible, the `count` timed calls are divided into `least` groups or
    more, because the samples of one group of a few milliseconds would not show how other work on the core varies.
    """
    calls = max(1, round(apart_s / max(iteration_s, 1e-9)))
    timed = min(calls, ceil(count / least))
    return timed, calls - timed


def iterations(*, start_s: float, iteration_s: float, least: int, most: int) -> int:
    """Return the optimal number of iterations per process, but at least `least` and at most `most`.

    The optimum is sqrt(start time / time per iteration x variance within a process / variance between processes).
    """
    best = sqrt(start_s / max(iteration_s, 1e-9) * WITHIN_OVER_BETWEEN)
    return max(least, min(most, round(best)))


def sample(run: Callable[[], object], count: int) -> list[float]:
    """Return the seconds of each of `count` calls.

    The clock is read once per call: the end of a call is the start of the next call.
    """
    stamps = [0] * (count + 1)
    stamps[0] = perf_counter_ns()
    for index in range(1, count + 1):
        run()
        stamps[index] = perf_counter_ns()
    return [(after - before) / 1e9 for before, after in pairwise(stamps)]


def sample_between(
    run: Callable[[], object], count: int, beat: Callable[[], object], *, every: int, untimed: int
) -> tuple[list[float], list[float], float]:
    """Time `count` calls in groups of `every`, and a beat before the first group and after each group.

    Before each group, `untimed` calls run without being timed, to spread the samples over time.

    Returns:
        Seconds of each call, seconds of each beat, and the CPU seconds of all beats; CPU seconds exclude waiting for a
        core.
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
    """Run a beat; return its wall time and CPU time. The CPU clock is read outside the wall-clock interval."""
    before = process_time()
    took_s = sample(beat, 1)
    return took_s, process_time() - before


def sample_for(run: Callable[[], object], seconds: float) -> list[float]:
    """Call `run` for `seconds`, at least once; return the seconds of each call."""
    stamps = [perf_counter_ns()]
    end = stamps[0] + seconds * 1e9
    while stamps[-1] < end or len(stamps) == 1:
        run()
        stamps.append(perf_counter_ns())
    return [(after - before) / 1e9 for before, after in pairwise(stamps)]


@contextmanager
def resting_collector() -> Iterator[None]:
    """Collect garbage now, and switch the garbage collector off inside the `with` block."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
