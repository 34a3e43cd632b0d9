"""Work on millions of objects that are all in use -> the same work, while Python's garbage collector is paused."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Pause the garbage collector inside the `with` block.

    Without the pause, the collector would search a growing number of objects, such as ten thousand rows of results,
    again and again and find no garbage, because all are in use.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
