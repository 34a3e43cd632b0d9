"""Small fixed workloads that use no runtime under test: what they take tells how the machine itself drifted.

Standard library only. Compute and memory have processes of their own, started with `-I -S`; the beat has a place
between the samples of others.
"""

from collections.abc import Callable
from hashlib import blake2b, sha256

COMPUTE_BYTES = 512 * 1024  # hashed from the second-level cache: about 2 ms
MEMORY_BYTES = 32 * 1024 * 1024  # copied: twice this is larger than most last-level caches
# Whoever shares the core takes execution units from it as from a convolution: SHA-256 has instructions of its own on
# many processors, a chain that a neighbour does not slow. Small, to leave the caches to what is measured.
BEAT = "blake2b 32x4KiB"
BEAT_BYTES, BEAT_TIMES = 4 * 1024, 32  # about 0.2 ms


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


def beat() -> Callable[[], object]:
    """Return the workload `BEAT` as a callable that does it once."""
    data = bytes(range(256)) * (BEAT_BYTES // 256)

    def hash_all() -> None:
        for _ in range(BEAT_TIMES):
            blake2b(data)

    return hash_all
