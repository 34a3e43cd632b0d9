"""Hold a target; if another process measures there, wait for it."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from edgebench.deploy import Access
from edgebench.foundation.errors import Busy
from edgebench.foundation.progress import Notice
from edgebench.foundation.units import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgebench.deploy import Held
    from edgebench.foundation.progress import Show
    from edgebench.schema.target import Target

POLL_S = 5.0  # pause between two attempts to reach a busy target
T = TypeVar("T")


def when_free(take: Callable[[], T], show: Show, wait_s: float) -> T:
    """Return what `take` returns; if another process uses the target, try again for up to `wait_s` seconds.

    Raises:
        Busy: the other process still uses the target after this time.
    """
    until, is_told = monotonic() + wait_s, False
    while True:
        try:
            return take()
        except Busy as error:
            if monotonic() >= until:
                raise
            if not is_told:
                show(Notice(text=f"waiting up to {duration(wait_s)}: {error}"))
            is_told = True
            sleep(min(POLL_S, max(until - monotonic(), 0.0)))


@contextmanager
def held_when_free(target: Target, show: Show, wait_s: float) -> Iterator[Held]:
    """Hold a target; if another process holds it, try again for up to `wait_s` seconds.

    Raises:
        Busy: the other process still holds the target after this time.
    """
    with Access(target) as access:
        (held,) = when_free(access.lock, show, wait_s)
        yield held
