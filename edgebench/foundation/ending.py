"""SIGTERM and SIGHUP -> the same interruption as Ctrl-C, so that tables are written and child processes end.

Python raises an interruption in the main thread only. `stop` passes it on to the command's other threads: it
ends whatever they wait for, and then a KeyboardInterrupt is raised in each of them.
"""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread, current_thread, main_thread
from time import sleep
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_stopped, _lock, _enders = Event(), Lock(), list[Callable[[], None]]()


class Ended(KeyboardInterrupt):
    """An interruption by a signal that asks this process to end; `number` is the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def sentence_of(interruption: KeyboardInterrupt) -> str:
    """Return the last line of an interrupted command: `interrupted`, and the exception's notes."""
    return ": ".join(("interrupted", *getattr(interruption, "__notes__", ())))


def signal_of(interruption: KeyboardInterrupt) -> int:
    """Return the number of the signal that caused an interruption; for Ctrl-C, the number of SIGINT."""
    return interruption.number if isinstance(interruption, Ended) else int(signal.SIGINT)


@contextmanager
def heeded() -> Iterator[None]:
    """Raise `Ended` at the first SIGTERM or SIGHUP within the block.

    A signal that this process already ignores, for example because nohup started it, stays ignored.
    """
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
        if signal.getsignal(signal.SIGINT) is _pass:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    # A terminal that is closed sends several signals, and a service manager may send SIGINT after SIGTERM.
    # After the first signal, edgebench writes the tables, and no further signal may interrupt this.
    for heeded in (*SIGNALS, signal.SIGINT):
        if signal.getsignal(heeded) in (_end, signal.default_int_handler):
            signal.signal(heeded, _pass)
    raise Ended(number)


def _pass(number: int, frame: FrameType | None) -> None:
    """Do nothing at a second signal.

    The handler is a function, not SIG_IGN, because child processes would inherit SIG_IGN and ignore the signal, too.
    """


def stop(threads: Iterable[Thread]) -> None:
    """Interrupt these threads and wait until they have ended.

    The threads must wait with `pause`, or register with `on_stop` a function that ends their wait.
    """
    with _lock:
        _stopped.set()
        enders = tuple(_enders)
    for end in enders:
        end()
    for thread in threads:
        if thread.ident:
            thread.join()
    _stopped.clear()


@contextmanager
def on_stop(end: Callable[[], None]) -> Iterator[None]:
    """While the block runs, let `stop` call `end`, which ends what the block waits for."""
    with _lock:
        _enders.append(end)
        is_late = _stopped.is_set()
    try:
        if is_late:
            end()
        yield
    finally:
        with _lock:
            _enders.remove(end)


def require_going() -> None:
    """Raise KeyboardInterrupt if `stop` interrupts this thread."""
    pause(0.0)


def pause(seconds: float) -> None:
    """Wait for some seconds; raise KeyboardInterrupt as soon as `stop` interrupts this thread."""
    if current_thread() is main_thread():
        sleep(seconds)
    elif _stopped.wait(seconds):
        raise KeyboardInterrupt
