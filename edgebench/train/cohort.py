"""Variants -> their trained weights in the cache, trained in parallel with one training per core.

Variants of one network and width are trained one after the other, because larger resolutions are fine-tuned from the
smallest. A variant that cannot be trained is skipped here; an error is reported when its weights are needed.
"""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, cast

from edgebench import train as training
from edgebench.foundation.errors import CaseError
from edgebench.foundation.progress import Notice, Step
from edgebench.networks.cost import cost
from edgebench.schema.variant import Precision, Variant, WeightSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from edgebench.foundation.progress import Show

PR_SET_PDEATHSIG = 1  # an option of prctl(2)

Family = tuple[Variant, ...]  # a family: the variants of one architecture and width


def train(
    variants: Iterable[Variant], show: Show, options: training.Options = training.ORDINARY, workers: int = 0
) -> None:
    """Train all variants that are not trained yet, in parallel, if the machine has several cores and no GPU.

    `workers` is the number of trainings at the same time; 0 for one per core.
    If nothing is trained here, each variant is trained when its weights are needed.
    """
    families = _untrained(variants, options)
    workers = min(len(families), workers or len(os.sched_getaffinity(0)))
    if workers > 1 and not _computes_on_gpu():
        with _started([families[start::workers] for start in range(workers)], options) as readers:
            _follow(readers, show)


def _computes_on_gpu() -> bool:
    from edgebench.train.course import device

    return device() != "cpu"


def _untrained(variants: Iterable[Variant], options: training.Options) -> list[Family]:
    """Return the variants to train, grouped into families of one architecture and width; the largest is first."""
    families = defaultdict[tuple[str, float], list[Variant]](list)
    for variant in dict.fromkeys(variants):
        is_trainable = variant.weights == WeightSource.TRAINED and variant.precision == Precision.FP32
        if is_trainable and not training.find(variant, options):
            with suppress(CaseError):
                training.require_small(variant, options)
                families[variant.architecture, variant.width].append(variant)
    return sorted(map(tuple, families.values()), key=_work, reverse=True)


def _work(family: Family) -> int:
    return sum(cost(variant).macs for variant in family)


@contextmanager
def _started(shares: Sequence[Sequence[Family]], options: training.Options) -> Iterator[list[Connection]]:
    """Start a process for each share of the trainings; yield a connection to each; at the end, terminate them all."""
    context = get_context("spawn")
    processes: list[SpawnProcess] = []
    readers: list[Connection] = []
    try:
        for share in shares:
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(target=_train, args=(share, options, writer), daemon=True)
            process.start()
            writer.close()  # only the child process writes; if this process kept the end open, reading would never stop
            processes.append(process)
            readers.append(reader)
        yield readers
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _train(share: Sequence[Family], options: training.Options, writer: Connection) -> None:
    """Train a share of the networks in this process, and send messages about the progress to the parent process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on an interrupt the parent process terminates this one
    end_with_parent()
    for variant in (variant for family in share for variant in family):
        with suppress(CaseError):
            training.find(variant, options) or training.train(variant, writer.send, options)


def end_with_parent() -> None:
    """Let the kernel kill this process when its parent process ends, even if the parent process is killed."""
    import ctypes

    parent = parent_process()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent.pid:  # the parent ended before the call above
        os.kill(os.getpid(), signal.SIGKILL)


def _follow(readers: list[Connection], show: Show) -> None:
    """Show the combined progress of all processes until they have ended."""
    steps: dict[Connection, Step] = {}
    while readers:
        for reader in cast("list[Connection]", wait(readers)):
            try:
                event: Step | Notice = reader.recv()
            except EOFError:
                readers.remove(reader)
                steps.pop(reader, None)
                continue
            if isinstance(event, Notice):
                show(event)
            else:
                steps[reader] = event
                show(together(list(steps.values())))


def together(steps: Sequence[Step]) -> Step:
    """Return the combined progress of activities that run at the same time."""
    left_s = [step.left_s for step in steps if step.left_s is not None]
    return Step(
        activity=steps[0].activity,
        subject=" and ".join(step.subject for step in steps),
        done=sum(step.done for step in steps),
        total=sum(step.total for step in steps),
        left_s=max(left_s, default=None),
        parts=tuple(steps),
    )
