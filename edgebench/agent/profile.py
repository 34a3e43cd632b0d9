"""A profile request -> what each operator of an artifact took, by the runtime's own profile."""

from typing import Any

from edgebench.foundation.shelf import load

WARM_UP, ITERATIONS = 10, 20


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run the artifact under its runtime's profiler; without one, say why there is none.

    Each operator comes with the median of its seconds, the bytes that it reads and writes and its type of numbers, in
    the order in which they run; `whole_s` is the median inference under the profiler, which slows it.
    """
    runtime = load("runtimes", request["runtime"])
    if runtime.NO_PROFILE:
        return {"why": runtime.NO_PROFILE, "whole_s": 0.0, "operators": []}
    told = {key: request[key] for key in ("threads", "batch", "options")}
    found: dict[str, Any] = runtime.profile(request["path"], warm_up=WARM_UP, iterations=ITERATIONS, **told)
    return {"why": ""} | found
