"""A measure request -> this process's measurements: load, latency, memory, instructions, stages, or a compilation."""

from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

from edgebench.agent import CUDA, counter, device, has_parts, machine, open_session, prepare, reference, timing
from edgebench.agent.opened import watch
from edgebench.foundation.shelf import load

MEMORY_ITERATIONS = 10
WINDOW_S = 5.0  # time between two readings of clock and temperature in a sustained run
# A beat is a small fixed workload, timed between groups of samples. Other work on the core changes little within 5 ms.
BEATS_APART_S, BEAT_WARM_UP = 5e-3, 5
# 40 groups of 5 ms spread the samples over 0.2 s.
# For inferences of 0.2 ms, results then vary half as much between processes as with samples spread over 0.03 s.
# Spreading the samples over 1 s gives no further gain.
LEAST_GROUPS = 40
COUNTED_WARM_UP, COUNTED_ITERATIONS = 3, 5  # few are enough, because instruction counts hardly vary
# The values of all fields of times for a run that measures something other than times.
UNTIMED: dict[str, Any] = {
    "samples_s": [],
    "beats": None,
    "wall_s": 0.0,
    "cpu_s": 0.0,
    "others_cpu": 0.0,
    "steal": 0.0,
    "memory": None,
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Measure the request's artifact or reference workload; the request's purpose says what is measured."""
    before, opened = _conditions(request), watch(request)
    result = PURPOSES[request["purpose"]](request)
    _require_a_clock_that_goes_on(result)
    after = _conditions(request)
    facts = result.pop("facts")()  # read last, so that collecting facts affects no measurement
    conditions = {f"{key}_before": value for key, value in before.items()}
    conditions |= {f"{key}_after": value for key, value in after.items()} | facts
    return result | {"conditions": conditions} | opened()


def _require_a_clock_that_goes_on(result: dict[str, Any]) -> None:
    """Refuse times if the clock stepped back, which can happen when a virtual machine moves to another host.

    Raises:
        RuntimeError: a time is negative.
    """
    if min(*result["samples_s"], *(result[name] for name in ("start_s", "load_s", "first_s", "wall_s"))) < 0:
        raise RuntimeError(
            "this target's monotonic clock stepped back during the measurement; run the same command again"
        )


def _conditions(request: dict[str, Any]) -> dict[str, str]:
    if device(request) != CUDA:
        return machine.conditions()
    from edgebench.agent import gpu  # imports ctypes, which processes without a GPU do not need

    return machine.conditions() | gpu.conditions()


# A pair of functions: the first runs one inference, the second returns the session's facts.
Opened = tuple[Callable[[], object], Callable[[], dict[str, str]]]


def _opener(request: dict[str, Any]) -> Callable[[], Opened]:
    """Import the runtime's engine; return a function that opens the artifact or the reference workload."""
    if workload := request.get("reference"):
        return lambda: (reference.open(workload), dict)
    prepare(request)  # importing the engine counts as start time, not as load time

    if has_parts(request):
        from edgebench.agent import chain

        request = chain.unpacked(request)  # an app ships the parts as separate files, so unpacking is not load time

    def opener() -> Opened:
        session = open_session(request)
        return session.run, session.facts

    return opener


def _warm_up(run: Callable[[], object], request: dict[str, Any]) -> tuple[float, float]:
    """Warm up.

    Return the seconds per call at the end of the warm-up, and the least seconds that the warm-up had to take.
    """
    warms_up = "reference" in request or load("runtimes", request["runtime"]).WARMS_UP
    least_s = request["warmup_s"] if warms_up else 0.0
    return timing.warm_up(run, least_s=least_s, least_iterations=request["warmup_iterations"]), least_s


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = perf_counter()
    value = call()
    return value, perf_counter() - started


def _latency(request: dict[str, Any]) -> dict[str, Any]:
    opener = _opener(request)
    (run, facts), load_s = _timed(opener)
    _, first_s = _timed(run)
    start_s = machine.since_process_start_s()
    samples = _watched(run, request, start_s)
    return samples | {"start_s": start_s, "load_s": load_s, "first_s": first_s, "memory": None, "facts": facts}


def _watched(run: Callable[[], object], request: dict[str, Any], start_s: float) -> dict[str, Any]:
    """Warm up and time the samples; also return how much CPU other processes used meanwhile.

    The kernel counts CPU time in ticks of 10 ms, which are too coarse if only the timed loop is measured.
    """
    before, started = machine.cpu_seconds(), perf_counter()
    iteration_s, least_s = _warm_up(run, request)
    count = request["iterations"] or timing.iterations(
        start_s=start_s + least_s,
        iteration_s=iteration_s,
        least=request["least_iterations"],
        most=request["most_iterations"],
    )
    every, untimed = timing.groups(count, iteration_s, apart_s=BEATS_APART_S, least=LEAST_GROUPS if least_s else 1)
    samples = _sampled(run, count, every, untimed, _beat(request))
    elapsed_s = perf_counter() - started
    others, stolen, total = (end - start for end, start in zip(machine.cpu_seconds(), before, strict=True))
    return samples | {
        "others_cpu": max(0.0, others) / elapsed_s,  # ticks can make this slightly negative
        "steal": stolen / total if total else 0.0,
    }


def _sampled(
    run: Callable[[], object], count: int, every: int, untimed: int, beat: Callable[[], object] | None
) -> dict[str, Any]:
    """Time the calls in groups; if `beat` (a fixed workload) is given, time this workload between the groups.

    The returned wall time and CPU time exclude the time of the beats.
    """
    beats_s, beats_cpu_s = list[float](), 0.0
    with timing.resting_collector():
        wall, cpu = perf_counter(), process_time()
        if beat:
            samples, beats_s, beats_cpu_s = timing.sample_between(run, count, beat, every=every, untimed=untimed)
        else:
            samples = timing.sample(run, count)
        wall, cpu = perf_counter() - wall - sum(beats_s), max(0.0, process_time() - cpu - beats_cpu_s)
    beats = {"workload": reference.BEAT, "every": every, "took_s": beats_s} if beat else None
    return {"samples_s": samples, "beats": beats, "wall_s": wall, "cpu_s": cpu}


def _beat(request: dict[str, Any]) -> Callable[[], object] | None:
    """Return a warmed-up beat, which is timed between samples; None on a GPU."""
    if device(request) == CUDA:
        return None
    beat = reference.beat()
    timing.sample(beat, BEAT_WARM_UP)
    return beat


def _memory(request: dict[str, Any]) -> dict[str, Any]:
    opener = _opener(request)
    baseline = machine.resident_bytes()
    machine.reset_peak()
    (run, facts), load_s = _timed(opener)
    load_peak, loaded = machine.peak_bytes(), machine.resident_bytes()
    machine.reset_peak()
    _, first_s = _timed(run)
    for _ in range(MEMORY_ITERATIONS):
        run()
    return {
        **UNTIMED,
        "start_s": machine.since_process_start_s(),
        "load_s": load_s,
        "first_s": first_s,
        "memory": {
            "baseline_bytes": baseline,
            "load_peak_bytes": load_peak,
            "loaded_bytes": loaded,
            "run_peak_bytes": machine.peak_bytes(),
        },
        "facts": facts,
    }


def _sustained(request: dict[str, Any]) -> dict[str, Any]:
    """Run inferences without a pause for the requested time; read clock and temperature at regular intervals."""
    from statistics import median

    (run, facts), load_s = _timed(_opener(request))
    _, first_s = _timed(run)
    start_s, started, windows = machine.since_process_start_s(), perf_counter(), list[dict[str, Any]]()
    with timing.resting_collector():
        while (at_s := perf_counter() - started) < request["sustained_s"]:
            samples = timing.sample_for(run, min(WINDOW_S, request["sustained_s"] - at_s))
            at_s = perf_counter() - started
            window = {"at_s": at_s, "iterations": len(samples), "median_s": median(samples)}
            windows.append(window | {"conditions": _conditions(request)})
    return {**UNTIMED, "start_s": start_s, "load_s": load_s, "first_s": first_s, "windows": windows, "facts": facts}


def _instructions(request: dict[str, Any]) -> dict[str, Any]:
    """Count the instructions of each inference after a warm-up."""
    count = counter.reader()
    (run, facts), load_s = _timed(_opener(request))
    _, first_s = _timed(run)
    for _ in range(COUNTED_WARM_UP):
        run()
    with timing.resting_collector():
        counted = [_counted(run, count) for _ in range(COUNTED_ITERATIONS)]
    start_s = machine.since_process_start_s()
    return {
        **UNTIMED,
        "start_s": start_s,
        "load_s": load_s,
        "first_s": first_s,
        "instructions": counted,
        "facts": facts,
    }


def _counted(run: Callable[[], object], count: Callable[[], int]) -> int:
    before = count()
    run()
    return count() - before


def _stages(request: dict[str, Any]) -> dict[str, Any]:
    """Time the stages before and after the inference of a picture; the session takes one picture at a time."""
    from edgebench.agent import stages

    prepare(request)
    session, load_s = _timed(lambda: open_session(request | {"batch": 1}))
    _, first_s = _timed(session.run)
    start_s = machine.since_process_start_s()
    times = stages.times(session, request)
    return {
        **UNTIMED,
        "start_s": start_s,
        "load_s": load_s,
        "first_s": first_s,
        "stages": times,
        "facts": session.facts,
    }


def _compile(request: dict[str, Any]) -> dict[str, Any]:
    """Compile the artifact for a device that is not at hand; return only the compiler's facts, without times."""
    runtime = load("runtimes", request["runtime"])
    if has_parts(request):
        raise RuntimeError("a compiler takes one graph, found a model of several parts: compile each part alone")
    runtime.prepare()
    facts = runtime.compile(request["path"], batch=request["batch"], options=request["options"])
    spent = {"start_s": machine.since_process_start_s(), "load_s": 0.0, "first_s": 0.0}
    return {**UNTIMED, **spent, "facts": lambda: facts}


PURPOSES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "latency": _latency,
    "memory": _memory,
    "instructions": _instructions,
    "sustained": _sustained,
    "stages": _stages,
    "compile": _compile,
}
