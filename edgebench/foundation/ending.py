"""SIGTERM and SIGHUP -> an interruption such as Ctrl-C's, so that tables are written and what was started ends."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """This process was told to end by the signal with this number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def signal_of(interruption: KeyboardInterrupt) -> int:
    """Return the number of the signal that interrupted: SIGINT's for Ctrl-C."""
    return interruption.number if isinstance(interruption, Ended) else int(signal.SIGINT)


@contextmanager
def heeded() -> Iterator[None]:
    """Raise `Ended` at the first SIGTERM or SIGHUP within the block; one that is ignored, as under nohup, stays so."""
    if current_thread() is not main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number, handler in before.items() if handler == signal.SIG_DFL]
    for number in heeded:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def _end(number: int, frame: FrameType | None) -> None:
    for heeded in SIGNALS:  # a terminal that closes sends several: a second one must not cut the tables short
        if signal.getsignal(heeded) is _end:
            signal.signal(heeded, _pass)
    raise Ended(number)


def _pass(number: int, frame: FrameType | None) -> None:
    """Heed no further signal; unlike SIG_IGN, this is not inherited by processes that are started."""
