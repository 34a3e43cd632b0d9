"""Ways to reach a target, one file each.

A connection offers `ADDRESS`, what an address looks like or nothing where it needs none, and
`open(target, bundle) -> Connection`, which gives

    push(path, sha256) -> str              put a file on the target, return its path there
    run(request, *, timeout_s, ...) -> value    start a fresh agent process, return its answer
    with_agent(bundle) -> Connection       the same way in, to another agent: for comparing with an older one
    close()

The first two raise AgentError with a reason that names what happened on the other side.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from edgebench.schema.target import Target

OFFERS = ("ADDRESS", "open")

HOST = Target(name="host", board="this machine", connection="local", runtimes=())


class Connection(Protocol):
    """A way to one target."""

    @property
    def shares_files(self) -> bool:
        """Whether the target reads this machine's files where they lie."""

    @property
    def brings_runtimes(self) -> bool:
        """Whether a runtime that its Python lacks is brought there: on this machine's own, users install theirs."""

    def push(self, path: Path, sha256: str) -> str:
        """Put a file on the target, unless it is there; return its path there."""

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Answer one request in a fresh agent process; the caller blocks."""

    def with_agent(self, bundle: Path) -> "Connection":
        """Return the same way to the target, whose requests another bundle answers; closing this closes both."""

    def __hash__(self) -> int:
        """Be itself: answers are remembered by connection."""

    def close(self) -> None:
        """Let go of the target."""
