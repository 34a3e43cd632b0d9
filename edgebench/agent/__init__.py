"""What runs on the target: one JSON request in, one JSON answer out, one process each.

    measure   load an artifact, warm up, time it (or mark its memory); or time a reference workload
    infer     the artifact's outputs for given inputs
    facts     what machine this is, which runtimes it has
    profile   what each operator of an artifact took
    probe     the most operations and bytes a second that this machine reaches
    unpack    the folder of a runtime's packages

A request may name such a folder as `packages`: they come before whatever is installed.

By hand on a board: `python3 edgebench-agent.pyz < request.json`.
"""

from typing import Any

from edgebench.foundation.errors import in_words
from edgebench.foundation.shelf import load

REQUESTS = ("facts", "infer", "measure", "probe", "profile", "unpack")
CUDA = "cuda"  # the device of a target with a GPU


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request; what goes wrong is part of the answer."""
    try:
        return {"ok": True, "value": _handler(request["do"])(request)}
    except Exception as error:  # the seam: a foreign error becomes data, the sweep on the host goes on
        return {"ok": False, "error": in_words(error)}


def _handler(name: str) -> Any:
    from importlib import import_module

    if name not in REQUESTS:
        raise ValueError(f"no request {name!r} (has {', '.join(REQUESTS)})")
    return import_module(f"edgebench.agent.{name}").answer


def open_session(request: dict[str, Any]) -> Any:
    """Open the runtime's session on the request's artifact."""
    runtime = load("runtimes", request["runtime"])
    told = {key: request[key] for key in ("threads", "batch", "options")}
    return runtime.open(request["path"], **told)


def device(request: dict[str, Any]) -> str:
    """Return what the request's runtime was told to compute on; the CPU if nothing else was said."""
    if "runtime" not in request:
        return "cpu"
    devices: dict[str, str] = load("runtimes", request["runtime"]).DEVICES
    return next((devices[word] for word in request["options"] if word in devices), "cpu")
