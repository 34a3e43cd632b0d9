"""Hold a target; if another process measures there, wait for it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING

from edgebench.deploy import hold
from edgebench.foundation.errors import Busy
from edgebench.foundation.progress import Notice
from edgebench.foundation.units import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.deploy import Held
    from edgebench.foundation.progress import Show
    from edgebench.schema.target import Target

POLL_S = 5.0  # pause between two attempts to reach a busy target


@contextmanager
def held_when_free(target: Target, show: Show, wait_s: float) -> Iterator[Held]:
    """Hold a target; if another process holds it, try again for up to `wait_s` seconds.

    Raises:
        Busy: the other process still holds the target after this time.
    """
    until, busy = monotonic() + wait_s, ""
    with ExitStack() as stack:
        while True:
            try:
                (held,) = stack.enter_context(hold(target))
                break
            except Busy as error:
                if monotonic() >= until:
                    raise
                if not busy:
                    show(Notice(text=f"waiting up to {duration(wait_s)}: {error}"))
                busy = str(error)
                sleep(min(POLL_S, max(until - monotonic(), 0.0)))
        yield held
