"""Answer a request for facts about the machine and for the version of each requested runtime."""

import shutil
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distributions
from pathlib import Path
from typing import Any

from edgebench.agent import CPU, CUDA, gpu, machine, opened
from edgebench.foundation.shelf import load, names


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Describe this target and the requested runtimes; a runtime that is not installed has an empty version.

    If the request's `device` is `cuda`, describe the GPU, too. If the GPU cannot be used, `missing_device` says why.
    For any other device, which is not at hand, return only its name, because runtimes only compile for it.
    """
    runtimes = request["runtimes"] or names("runtimes")
    device = request.get("device", CPU)
    on_gpu, named = device == CUDA, {} if device == CPU else {"device": device}
    return {
        "machine": machine.identity() | named | (gpu.identity() if on_gpu else {}),
        "conditions": machine.conditions() | (gpu.conditions() if on_gpu else {}),
        "disk_free_bytes": shutil.disk_usage(Path(sys.argv[0]).parent).free,  # the disk to which files are copied
        "missing_device": gpu.why_missing() if on_gpu else "",
        "packages": {found["Name"]: found["Version"] for item in distributions() if "Name" in (found := _named(item))},
        "runtimes": {name: _runtime(name) for name in runtimes},
    }


def _named(package: Distribution) -> dict[str, str]:
    """Return a package's name and version; reading its other metadata, too, would take ten times as long."""
    text = package.read_text("METADATA") or package.read_text("PKG-INFO") or ""
    fields = (line.partition(": ") for line in text.partition("\n\n")[0].splitlines())
    return {name: value for name, _, value in fields if name in ("Name", "Version")}


def _runtime(name: str) -> dict[str, Any]:
    runtime = load("runtimes", name)
    try:
        return {"version": runtime.version(), "files": opened.runtime(name)["runtime_files"]}
    except PackageNotFoundError as missing:
        return {"version": "", "missing": str(missing.name)}
