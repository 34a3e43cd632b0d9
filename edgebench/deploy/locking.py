"""Lock a target's machine for this process until the `with` block ends.

Every machine has one lock for all its users. A host that measures on this machine over ssh takes this machine's lock,
too. The connection to a board takes the board's lock. Before this host connects to a board, it takes another lock,
which is on this host, so that two runs of the same user do not use the board at the same time.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, suppress
from getpass import getuser
from pathlib import Path
from platform import node
from typing import TYPE_CHECKING
from uuid import uuid4

from edgebench.agent import hold
from edgebench.foundation import escape, lock
from edgebench.foundation.errors import Busy, RequestError
from edgebench.foundation.units import duration
from edgebench.schema.target import THIS_MACHINE

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = 80  # maximum number of characters of a command that an error message shows
# All tokens of this process's locks begin with this text.
# By this text, a connection to this machine finds out that this process already holds the machine's lock.
PROCESS = uuid4().hex


@contextmanager
def locked(machine: str, label: str) -> Iterator[None]:
    """Lock a machine for this process; error messages call it `label`.

    Raises:
        Busy: another process measures there.
        RequestError: the lock file cannot be opened.
    """
    if machine != THIS_MACHINE:
        with lock.lock(machine, label):
            yield
        return
    try:
        holding = hold.hold(f"process {os.getpid()} ({_command()}) of {getuser()}@{node()}", PROCESS)
    except OSError as error:
        raise RequestError(error.strerror) from error
    try:
        if holding["owner"]:
            since = f"for {duration(holding['age_s'])}"
            raise Busy(
                f"{label} is in use by {holding['owner']} {since}: two runs at once would disturb each other;"
                " run again when the other run ends"
            )
        yield
    finally:
        os.close(holding["handle"])


def holder(machine: str) -> str:
    """Say which process on this host holds a machine's lock; an empty text if none does. No lock is taken.

    The board is not asked. So if a process on another host holds the board's lock, the text is empty.
    """
    if machine != THIS_MACHINE:
        return lock.holder(machine)
    places = [os.environ[hold.VARIABLE]] if os.environ.get(hold.VARIABLE) else hold.PLACES
    for place in map(Path, places):
        if process := lock.locked_by(place):
            with suppress(OSError, ValueError, AttributeError):
                return escape.plain(str(json.loads(place.read_bytes()).get("owner") or process))[:COMMAND]
            return process
    return ""


def _command() -> str:
    """Return this process's command, shortened to one line that an error message of another process can show."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name  # as in `python -m edgebench`
    return escape.plain(" ".join((name, *sys.argv[1:])))[:COMMAND]
