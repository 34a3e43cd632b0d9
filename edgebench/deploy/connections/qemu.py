"""A board's processor, emulated on this machine: every request starts the board's Python anew, which runs the agent.

If the target's file names no processor, it is a Raspberry Pi 4's.

Outputs equal the outputs of the board, bit for bit if the runtime is deterministic. Times and memory describe the
emulator and not the board; the agent reports that there is an emulator.
"""

from collections.abc import Mapping
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from edgebench.agent.counter import VARIABLE
from edgebench.deploy.bundle import ends_with_host
from edgebench.deploy.connections import Connection
from edgebench.deploy.emulation import PROCESSOR, Emulation, Emulator, emulation, missing
from edgebench.deploy.exchange import agent_environment, agent_input, agent_options, exchange
from edgebench.schema.case import Purpose
from edgebench.schema.target import Target

ADDRESS = ""
FIRST_USE = (
    "the first use downloads Debian packages and runtimes for aarch64, about 220 MB, and builds the emulated board,"
    " which takes half a minute to some minutes"
)
ISOLATED = ("-s", "-P")  # isolate Python as -I does, but let it read PYTHONHASHSEED, which `run` sets


class Emulated:
    """A connection that starts processes in the emulator, which uses this machine's files directly."""

    shares_files, brings_runtimes = True, True

    def __init__(self, emulated: Emulation, bundle: Path) -> None:
        self._emulated, self._bundle, self.has_own_agent = emulated, bundle, True
        self._held = ends_with_host(bundle)
        self._counters = TemporaryDirectory(prefix="edgebench-")

    def push(self, path: Path, sha256: str) -> str:
        """Return the file's own path, because the file is already on this machine."""
        return str(path)

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Start an agent process with its own instruction counter, wait for it, return its answer.

        The environment variables are always the same, because each of them adds to the instruction count.
        """
        counter = Path(self._counters.name) / uuid4().hex
        environment = agent_environment(request) | {VARIABLE: str(counter), "PYTHONHASHSEED": "0"}
        clean = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        command = [*clean, *self._command(request), *ISOLATED, *agent_options(request)[1:], str(self._bundle)]
        try:
            return exchange(command, [agent_input(request, held=self._held)], timeout_s=timeout_s, held=self._held)
        finally:
            counter.unlink(missing_ok=True)

    def _command(self, request: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the command for a request; the command counts instructions only if the request needs the counter.

        A request for counts needs it, and so does a request for facts, which say whether there is a counter.
        """
        needs_counter = request.get("do") == "facts" or request.get("purpose") == Purpose.INSTRUCTIONS
        return self._emulated.command if needs_counter else self._emulated.uncounted

    def with_agent(self, bundle: Path) -> Connection:
        """Return a connection to the same emulator with another bundle."""
        other = copy(self)
        other._bundle, other.has_own_agent, other._held = bundle, False, ends_with_host(bundle)
        return other

    def close(self) -> None:
        """Delete the files of the instruction counters."""
        self._counters.cleanup()


def first_use() -> str:
    """Say what the first connection downloads; an empty text if the emulated Pi is built already."""
    return "" if missing() or Emulator(machine="aarch64", cpu=PROCESSOR).is_made() else FIRST_USE


def open(target: Target, bundle: Path) -> Connection:
    """Connect to the emulated board; build it on first use.

    Raises:
        RequestError: this host lacks a package that emulation needs, or cannot emulate the processor.
    """
    return Emulated(emulation(target.cpu or PROCESSOR), bundle)
