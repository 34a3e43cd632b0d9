"""A profile request -> the time of each operator of an artifact, from the runtime's profiler."""

from typing import Any

from edgebench.agent import opening
from edgebench.agent.opened import watch
from edgebench.foundation.shelf import load

WARM_UP, ITERATIONS = 10, 20
SEVERAL = (
    "operators of several graphs are not timed: the row has the time of each part;"
    " to see the operators of a part, measure it alone"
)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run the artifact under its runtime's profiler; if the runtime has no profiler, return the reason as `why`.

    `operators` lists the operators in execution order, each with its median seconds, the bytes that it reads and
    writes, and its number type. `whole_s` is the median time of a whole inference, which the profiler slows down.
    """
    runtime = load("runtimes", request["runtime"])
    if why := SEVERAL if (request.get("feed") or {}).get("parts") else runtime.NO_PROFILE:
        return {"why": why, "whole_s": 0.0, "operators": []}
    report = watch(request)
    profile: dict[str, Any] = runtime.profile(
        request["path"], warm_up=WARM_UP, iterations=ITERATIONS, **opening(request)
    )
    return {"why": ""} | profile | report()
