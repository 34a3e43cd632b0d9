"""Work that holds millions of objects -> the same work, done faster while Python's garbage collector is paused."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Pause the garbage collector inside the `with` block.

    Without the pause, the collector would search all objects again and again, and find nothing to free, because all of
    them are in use: for example, the objects of ten thousand rows of results.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
