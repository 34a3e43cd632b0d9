"""The instructions that this process has run so far, as an emulator counts them in a file it shares with it."""

import mmap
import os
from collections.abc import Callable
from pathlib import Path

VARIABLE = "EDGEBENCH_COUNTER"  # the file's path: one little-endian 64-bit count


def is_there() -> bool:
    """Tell whether somebody counts."""
    return Path(os.environ.get(VARIABLE, "")).is_file()


def reader() -> Callable[[], int]:
    """Return what reads the count, at the cost of a few hundred instructions of its own.

    Raises:
        RuntimeError: nobody counts.
    """
    if not is_there():
        raise RuntimeError(f"wanted a count of instructions, found no file {VARIABLE}: only emulation counts them")
    with Path(os.environ[VARIABLE]).open("rb") as file:
        page = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)).cast("Q")
    return lambda: page[0]
