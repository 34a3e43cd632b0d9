"""A Raspberry Pi 4's processor, emulated here: every request is a fresh process of an aarch64 Python on the bundle.

Its outputs are the board's, bit for bit where the runtime's are; of its times and memory the agent says that they are
the emulator's.
"""

import json
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from edgebench.agent.counter import VARIABLE
from edgebench.deploy.connections import Connection
from edgebench.deploy.emulation import Emulation, emulation
from edgebench.deploy.exchange import agent_environment, agent_options, exchange
from edgebench.schema.target import Target

ADDRESS = ""
ISOLATED = ("-s", "-P")  # what -I does but for the environment, which holds nothing of this machine's


class Emulated:
    """Processes of the emulator, which sees this machine's files where they lie."""

    shares_files, brings_runtimes = True, True

    def __init__(self, emulated: Emulation, bundle: Path) -> None:
        self._emulated, self._bundle = emulated, bundle
        self._counters = TemporaryDirectory(prefix="edgebench-")

    def push(self, path: Path, sha256: str) -> str:
        """Return the file's own path: it is already here."""
        return str(path)

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Start an agent, with a counter of its own, wait for it, return what it answered.

        It gets this environment alone, and the same every time: whatever else it starts from is in the count.
        """
        counter = Path(self._counters.name) / uuid4().hex
        environment = agent_environment(request) | {VARIABLE: str(counter), "PYTHONHASHSEED": "0"}
        alone = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        command = [*alone, *self._emulated.command, *ISOLATED, *agent_options(request)[1:], str(self._bundle)]
        try:
            return exchange(command, [json.dumps(request).encode()], timeout_s=timeout_s)
        finally:
            counter.unlink(missing_ok=True)

    def with_agent(self, bundle: Path) -> Connection:
        """Use the same emulator."""
        other = copy(self)
        other._bundle = bundle
        return other

    def close(self) -> None:
        """Leave nothing behind but what is cached."""
        self._counters.cleanup()


def open(target: Target, bundle: Path) -> Connection:
    """Make the emulated Pi, unless it is there.

    Raises:
        RequestError: this host lacks what it takes, named.
    """
    return Emulated(emulation(), bundle)
