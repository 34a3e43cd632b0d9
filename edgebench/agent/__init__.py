"""The agent, which runs on the target: one JSON request -> one JSON answer, in one process per request.

    measure   load an artifact, warm up, and measure latency, memory, instructions, or the stages before and after
              inference; or time a reference workload, which is a fixed computation without a runtime; or compile an
              artifact for a device that is not at hand
    infer     return the artifact's outputs for given inputs; if the request has a feed, a description of the
              model's inputs, return every output
    facts     describe the machine and its installed runtimes
    profile   return the time of each operator of an artifact
    probe     measure the peak operations and bytes per second of this machine
    trial     import a runtime's packages, and run small files with it
    unpack    unpack a runtime's packages into a folder

If a request names an unpacked folder in its field `packages`, Python imports packages from that folder first.

To run the agent by hand on a board: `python3 edgebench-agent.pyz < request.json`.
"""

from collections.abc import Mapping
from typing import Any

from edgebench.foundation.errors import in_words
from edgebench.foundation.shelf import load

REQUESTS = ("facts", "infer", "measure", "probe", "profile", "trial", "unpack")
CPU, CUDA = "cpu", "cuda"  # the usual device, and the device option of a target with a GPU


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request; the answer repeats the request's `id`, and has an `error` if the request failed."""
    try:
        value = _handler(request["do"])(request)
        return {"ok": True, "value": value | {key: request[key] for key in ("id",) if key in request}}
    except Exception as error:  # any error becomes data here, so that the host can continue the sweep
        return {"ok": False, "error": in_words(error)}


def _handler(name: str) -> Any:
    from importlib import import_module

    if name not in REQUESTS:
        raise ValueError(f"no request {name!r} (has {', '.join(REQUESTS)})")
    return import_module(f"edgebench.agent.{name}").answer


def prepare(request: dict[str, Any]) -> None:
    """Import the engine of the request's runtime, and what the request's options need besides."""
    runtime = load("runtimes", request["runtime"])
    runtime.prepare()
    if hasattr(runtime, "prepare_for"):
        runtime.prepare_for(request["options"])


def open_session(request: dict[str, Any]) -> Any:
    """Open a session of the request's runtime on the artifact, or one session per part if the artifact has parts."""
    runtime = load("runtimes", request["runtime"])
    if has_parts(request):
        from edgebench.agent import chain  # only here, because few models need it, and each process would import it

        return chain.open_parts(runtime, request)
    return runtime.open(request["path"], **opening(request))


def has_parts(request: Mapping[str, Any]) -> bool:
    """Return whether the request's artifact contains several graphs."""
    return bool((request.get("feed") or {}).get("parts"))


def opening(request: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a runtime's `open` after the path.

    Include `feed` only if the request describes inputs.
    """
    options = {key: request[key] for key in ("threads", "batch", "options")}
    return options | ({"feed": request["feed"]} if request.get("feed") else {})


def device(request: dict[str, Any]) -> str:
    """Return the device that the request's runtime options select: `cpu` or `cuda`; `cpu` by default."""
    if "runtime" not in request:
        return CPU
    devices: dict[str, str] = load("runtimes", request["runtime"]).DEVICES
    return next((devices[option] for option in request["options"] if option in devices), CPU)
