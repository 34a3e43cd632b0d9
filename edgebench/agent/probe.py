"""A probe request -> this machine's measured peak speed: operations and bytes per second."""

import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

SIDE = 1024  # rows and columns of the fp32 matrices; a product takes 2 * 1024**3 operations
COPIED_BYTES = 64 * 2**20  # size of the copied block, larger than most last-level caches
TRIES = 7  # the fastest try is reported, because it is the least disturbed
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def answer(request: dict[str, Any]) -> dict[str, float]:
    """Time numpy's matrix product on `threads` threads, and a memory copy on one thread.

    The answer is in 10^9 operations and 10^9 bytes per second.
    """
    os.environ |= dict.fromkeys(_THREADS, str(request["threads"]))  # read by numpy's libraries when they are loaded
    import numpy

    matrix = numpy.random.default_rng(0).uniform(-1, 1, (SIDE, SIDE)).astype(numpy.float32)
    product, source = numpy.empty_like(matrix), numpy.ones(COPIED_BYTES, numpy.uint8)
    sink = numpy.zeros_like(source)
    multiply_s = _best(lambda: numpy.matmul(matrix, matrix, product))
    copy_s = _best(lambda: numpy.copyto(sink, source))
    return {"gflops": 2 * SIDE**3 / multiply_s / 1e9, "gbytes": 2 * COPIED_BYTES / copy_s / 1e9}


def _best(work: Callable[[], object]) -> float:
    spent = []
    for _ in range(TRIES):
        started = perf_counter()
        work()
        spent.append(perf_counter() - started)
    return min(spent)
