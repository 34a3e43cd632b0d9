"""Answer a trial request: import packages and run small files, so that the host learns whether they work here."""

from importlib import import_module
from typing import Any

from edgebench.agent import open_session, prepare


def answer(request: dict[str, Any]) -> dict[str, int]:
    """Import the modules in `imports`, then the engine of `runtime` if one is named; run each file of `paths` once.

    A crash ends the process without an answer.
    """
    for module in request["imports"]:
        import_module(module)
    if "runtime" in request:
        prepare(request)
    for path in request["paths"]:
        open_session(request | {"path": path, "threads": 1, "batch": 1}).run()
    return {"ran": len(request["paths"])}
