"""Messages about the progress of long work; other code displays them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Progress of one activity: `train mobilenet_v2-0.5@96/fp32, 3 of 8 epochs`.

    Attributes:
        total: number of steps; 0 if unknown.
        left_s: estimated seconds left, of the activity, or of the whole command if `share` is given; None if unknown.
        parts: the steps of activities that run at the same time; empty for a single activity.
        share: share of the whole command that is done; None if unknown.
        board: the board of the activity, if several boards measure at the same time.
        case, round, celsius: what a board measures, in which round, and how hot the board was after its last process;
            empty, 0 and None if unknown.
    """

    activity: str
    subject: str
    done: int = 0
    total: int = 0
    left_s: float | None = None
    parts: tuple[Step, ...] = ()
    share: float | None = None
    board: str = ""
    case: str = ""
    round: int = 0
    celsius: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to the user that does not stop the work; if several boards measure, `board` names the one concerned."""

    text: str
    board: str = ""


Show = Callable[[Step | Notice], None]
_SHOW = ContextVar[Show | None]("show", default=None)  # each thread has its own function


@contextmanager
def shown_by(show: Show) -> Iterator[None]:
    """While the block runs, pass to `show` every event that this thread reports with `say`."""
    token = _SHOW.set(show)
    try:
        yield
    finally:
        _SHOW.reset(token)


def say(event: Step | Notice) -> None:
    """Show an event with the function that this thread passed to `shown_by`; do nothing if there is none."""
    if show := _SHOW.get():
        show(event)


@cache
def warn(text: str) -> None:
    """Print a line on standard error, even if progress messages are off; a command prints the same line only once."""
    printable = "".join(character if character.isprintable() else "?" for character in text)
    print(f"edgebench: {printable}", file=sys.stderr)
