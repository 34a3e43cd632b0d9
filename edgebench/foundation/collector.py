"""Work that holds millions of objects -> the same work, done faster while Python's garbage collector is paused."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Pause the garbage collector inside the `with` block.

    Without the pause, the collector would search all objects again and again, and find nothing to free, because all of
    them are in use: for example, the objects of ten thousand rows of results. After the block, the collector ignores
    the objects that exist then, until the next such block.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    gc.unfreeze()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()  # without this, enabling the collector makes it search all objects at once
            gc.enable()
