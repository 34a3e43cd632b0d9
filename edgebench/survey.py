"""A target's connection -> its Environment, as its own agent finds it."""

import hashlib
import json

from edgebench.connections import Connection
from edgebench.engine import Engine
from edgebench.errors import RequestError
from edgebench.record import Environment
from edgebench.shelf import load
from edgebench.spec import Runtime, Target

TIMEOUT_S = 60.0
_NOT_IN_EPOCH = ("memory_bytes",)  # it varies by some pages from boot to boot and changes no number


def survey(connection: Connection, target: Target, agent_sha256: str) -> Environment:
    """Ask the target what it is.

    Raises:
        AgentError: it does not answer.
        RequestError: it has no such device as it is to compute on.
    """
    asked = {"do": "facts", "runtimes": target.runtimes, "device": target.device}
    seen = connection.run(asked, timeout_s=TIMEOUT_S)
    if why := seen["missing_device"]:
        raise RequestError(f"no {target.device.upper()} device on this target ({why}); see targets/gpu.toml")
    facts = seen["machine"]
    lasting = {key: value for key, value in facts.items() if key not in _NOT_IN_EPOCH} | {"agent": agent_sha256}
    return Environment(
        target=target.name,
        epoch=hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:16],
        agent_sha256=agent_sha256,
        facts=facts,
        packages=seen["packages"],
        runtimes={name: _runtime(name, one["version"], target) for name, one in seen["runtimes"].items()},
    )


def _runtime(name: str, version: str, target: Target) -> Runtime:
    runtime = load("runtimes", name)
    usual = [word for word, device in runtime.DEVICES.items() if device == target.device]
    return Runtime(name=name, version=version, options=Engine(name=name).options(runtime.OPTIONS, usual))
