"""Small fixed workloads that use no runtime under test: their times show how the machine itself drifts.

All workloads use the standard library only. The workloads `compute` and `memory` run in their own processes, with
Python's options `-I -S`. The beat, a smaller workload, runs between the samples of a process that measures a
network or one of these workloads.
"""

from collections.abc import Callable
from hashlib import blake2b, sha256

COMPUTE_BYTES = 512 * 1024  # a block that fits the second-level cache; hashing it takes about 2 ms
MEMORY_BYTES = 32 * 1024 * 1024  # size of a copied block; source and copy together exceed most last-level caches
# The beat uses BLAKE2b: other work on the core slows it as much as it slows a convolution.
# SHA-256 would not slow down, because many processors have special instructions for it.
# The beat hashes few bytes, to leave the caches to the measured network.
BEAT = "blake2b 32x4KiB"
BEAT_BYTES, BEAT_TIMES = 4 * 1024, 32  # number of bytes to hash, which takes about 0.2 ms


def open(workload: str) -> Callable[[], object]:
    """Return a function that runs the workload of this name once; the names are `compute` and `memory`."""
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
    """Return a function that runs the workload `BEAT` once."""
    data = bytes(range(256)) * (BEAT_BYTES // 256)

    def hash_all() -> None:
        for _ in range(BEAT_TIMES):
            blake2b(data)

    return hash_all
