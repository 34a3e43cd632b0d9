"""A connection that answers requests in this process, without isolation or start-up time, to test the scheduler."""

from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from edgebench.agent import answer
from edgebench.deploy.connections import Connection
from edgebench.foundation.errors import AgentError
from edgebench.schema.target import Target

ADDRESS = ""


class Here:
    """A connection whose target is the calling process."""

    shares_files, brings_runtimes, has_own_agent = True, False, True

    def push(self, path: Path, sha256: str) -> str:
        """Return the file's own path, because the file is already on this machine."""
        return str(path)

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Answer the request in this process."""
        started = monotonic()
        reply = answer(dict(request))
        if not reply["ok"]:
            raise AgentError(reply["error"])
        value = reply["value"]
        # This process started long ago; `start_s` begins at the request, as if a process were started for it.
        since = {"start_s": monotonic() - started - _timed_s(value)} if "start_s" in value else {}
        return value | since

    def with_agent(self, bundle: Path) -> Connection:
        """Return this connection, because there is only one agent."""
        return self

    def close(self) -> None:
        """Do nothing, because this connection holds nothing that must be released."""


def _timed_s(value: Mapping[str, Any]) -> float:
    """Return how many seconds of an agent's work were timed; the process started before these seconds."""
    beats, windows = value.get("beats") or {}, value.get("windows") or ()
    return float(value.get("wall_s", 0.0) + sum(beats.get("took_s", ())) + sum(each["at_s"] for each in windows[-1:]))


def open(target: Target, bundle: Path) -> Connection:
    """Return the connection; the target's fields are ignored."""
    return Here()
