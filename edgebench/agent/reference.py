"""Two small fixed workloads, compute and memory, that use no runtime under test.

What they take tells how the machine itself drifted: standard library only, started with `-I -S`.
"""

from collections.abc import Callable
from hashlib import sha256

COMPUTE_BYTES = 512 * 1024  # hashed from the second-level cache: about 2 ms
MEMORY_BYTES = 32 * 1024 * 1024  # copied: twice this is larger than most last-level caches


def open(workload: str) -> Callable[[], object]:
    """Return the workload as a callable that does it once."""
    return {"compute": _compute, "memory": _memory}[workload]()


def _compute() -> Callable[[], object]:
    data = bytes(range(256)) * (COMPUTE_BYTES // 256)
    return lambda: sha256(data).digest()


def _memory() -> Callable[[], object]:
    source, sink = memoryview(bytearray(MEMORY_BYTES)), memoryview(bytearray(MEMORY_BYTES))

    def copy() -> None:
        sink[:] = source

    return copy
