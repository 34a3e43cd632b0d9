"""This machine: every request is a fresh process of the target's Python on the agent bundle."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebench.deploy.connections import Connection
from edgebench.deploy.exchange import agent_environment, agent_options, exchange
from edgebench.schema.target import Target

ADDRESS = ""


class Local:
    """Processes on this machine; files are used where they lie."""

    shares_files, brings_runtimes = True, False

    def __init__(self, python: str, bundle: Path) -> None:
        self._python, self._bundle = python, bundle

    def push(self, path: Path, sha256: str) -> str:
        """Return the file's own path: it is already here."""
        return str(path)

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Start an agent, wait for it, return what it answered."""
        command = [self._python, *agent_options(request), str(self._bundle)]
        content = [json.dumps(request).encode()]
        return exchange(command, content, timeout_s=timeout_s, environment=agent_environment(request))

    def with_agent(self, bundle: Path) -> Connection:
        """Use the same Python."""
        return Local(self._python, bundle)

    def close(self) -> None:
        """Nothing stays open."""


def open(target: Target, bundle: Path) -> Connection:
    """Use the target's Python, by default the one that runs this."""
    return Local(target.python or sys.executable, bundle)
