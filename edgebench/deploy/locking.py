"""A target -> its machine for this process alone, until the block ends.

This machine has one lock that all its users share, the one that a board has: whoever measures here by ssh holds it,
too. A board's own lock is taken by the connection; before it, runs of one user find each other here.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from getpass import getuser
from platform import node
from typing import TYPE_CHECKING
from uuid import uuid4

from edgebench.agent import hold
from edgebench.foundation.errors import Busy, RequestError
from edgebench.foundation.lock import lock
from edgebench.schema.target import THIS_MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterator

PROCESS = uuid4().hex  # of tokens: a board that is this machine is held by this process already


@contextmanager
def locked(machine: str, label: str) -> Iterator[None]:
    """Lock a machine for this process; error messages call it `label`.

    Raises:
        Busy: another process measures there.
        RequestError: the lock cannot be kept.
    """
    if machine != THIS_MACHINE:
        with lock(machine, label):
            yield
        return
    try:
        holding = hold.hold(f"process {os.getpid()} of {getuser()}@{node()}", PROCESS)
    except OSError as error:
        raise RequestError(error.strerror) from error
    try:
        if holding["owner"]:
            since = f"for {holding['age_s'] / 60:.0f} min"
            raise Busy(
                f"{label} is in use by {holding['owner']} {since}: two at once would disturb each other;"
                " run again when it ends"
            )
        yield
    finally:
        os.close(holding["handle"])
