"""This machine: every request starts a fresh process of the target's Python with the agent bundle."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebench.deploy.bundle import ends_with_host
from edgebench.deploy.connections import Connection
from edgebench.deploy.exchange import agent_environment, agent_input, agent_options, exchange
from edgebench.schema.target import Target

ADDRESS = ""


class Local:
    """A connection that starts processes on this machine and uses its files directly."""

    shares_files, brings_runtimes = True, False

    def __init__(self, python: str, bundle: Path, *, has_own_agent: bool = True) -> None:
        self.python, self._bundle, self.has_own_agent = python, bundle, has_own_agent
        self._held = ends_with_host(bundle)

    def push(self, path: Path, sha256: str) -> str:
        """Return the file's own path, because the file is already on this machine."""
        return str(path)

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Start an agent process, wait for it, return its answer."""
        command = [self.python, *agent_options(request), str(self._bundle)]
        content, environment = [agent_input(request, held=self._held)], agent_environment(request)
        return exchange(command, content, timeout_s=timeout_s, environment=environment, held=self._held)

    def with_agent(self, bundle: Path) -> Connection:
        """Return a connection with the same Python and another bundle."""
        return Local(self.python, bundle, has_own_agent=False)

    def close(self) -> None:
        """Do nothing, because this connection holds nothing that must be released."""


def open(target: Target, bundle: Path) -> Connection:
    """Connect with the target's Python, by default the Python that runs this program."""
    return Local(target.python or sys.executable, bundle)
