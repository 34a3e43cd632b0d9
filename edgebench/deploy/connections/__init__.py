"""Ways to reach a target, one file each.

A plug-in defines `ADDRESS`, which shows the form of an address and is empty if no address is needed, and
`open(target, bundle) -> Connection`. A Connection has

    push(path, sha256) -> str              copy a file to the target, return its path there
    run(request, *, timeout_s) -> value    start a fresh agent process, return its answer
    with_agent(bundle) -> Connection       return a connection to the same target that uses another agent
    close()                                release the target

A plug-in can also define `first_use() -> str`, which says what is downloaded or built before the first use and takes
long; an empty text if that was done.

`push` and `run` raise AgentError with the reason of a failure on the target.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from edgebench.schema.target import Target

OFFERS = ("ADDRESS", "open")
MAY_OFFER = ("first_use",)

HOST = Target(name="host", board="this machine", connection="local", runtimes=())


class Connection(Protocol):
    """A connection to one target."""

    @property
    def shares_files(self) -> bool:
        """Whether the target reads this machine's files directly."""

    @property
    def has_own_agent(self) -> bool:
        """Whether the target runs this edgebench version's agent, whose answers have all current fields."""

    @property
    def brings_runtimes(self) -> bool:
        """Whether edgebench copies missing runtimes to the target; False for this machine, where users install them."""

    def push(self, path: Path, sha256: str) -> str:
        """Copy a file to the target unless it is already there; return its path there."""

    def run(self, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Run one request in a fresh agent process; return its answer.

        Raises:
            AgentError: the process failed or did not answer within `timeout_s`.
        """

    def with_agent(self, bundle: Path) -> "Connection":
        """Return a connection to the same target that uses another agent; closing one of the two closes both."""

    def __hash__(self) -> int:
        """Hash by identity, because answers are cached per connection."""

    def close(self) -> None:
        """Release the target."""
