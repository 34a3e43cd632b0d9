"""A probe request -> the operations and bytes a second that this machine reaches at what it does best."""

import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

SIDE = 1024  # of the matrices, fp32: 2 * 1024**3 operations a product
COPIED_BYTES = 64 * 2**20  # larger than most last-level caches
TRIES = 7  # of which the best counts: a peak is what nothing disturbs
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def answer(request: dict[str, Any]) -> dict[str, float]:
    """Multiply matrices on so many threads and copy memory on one, by numpy."""
    os.environ |= dict.fromkeys(_THREADS, str(request["threads"]))  # read when numpy is loaded
    import numpy

    one = numpy.random.default_rng(0).uniform(-1, 1, (SIDE, SIDE)).astype(numpy.float32)
    product, source = numpy.empty_like(one), numpy.ones(COPIED_BYTES, numpy.uint8)
    sink = numpy.zeros_like(source)
    multiply_s = _best(lambda: numpy.matmul(one, one, product))
    copy_s = _best(lambda: numpy.copyto(sink, source))
    return {"gflops": 2 * SIDE**3 / multiply_s / 1e9, "gbytes": 2 * COPIED_BYTES / copy_s / 1e9}


def _best(work: Callable[[], object]) -> float:
    spent = []
    for _ in range(TRIES):
        started = perf_counter()
        work()
        spent.append(perf_counter() - started)
    return min(spent)
