"""Messages about the progress of long work; other code displays them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Progress of one activity: `train mobilenet_v2-0.5@96/fp32, 3 of 8 epochs`.

    Attributes:
        total: number of steps; 0 if unknown.
        left_s: estimated seconds left; None if unknown.
    """

    activity: str
    subject: str
    done: int = 0
    total: int = 0
    left_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to the user that does not stop the work."""

    text: str


Show = Callable[[Step | Notice], None]


@cache
def warn(text: str) -> None:
    """Print a line on standard error, even if progress messages are off; a command prints the same line only once."""
    printable = "".join(character if character.isprintable() else "?" for character in text)
    print(f"edgebench: {printable}", file=sys.stderr)
