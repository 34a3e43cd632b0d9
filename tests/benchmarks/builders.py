"""The files of a sweep, made by one process and by several builders -> how many times as fast several are.

    python -m tests.benchmarks.builders [--sweep grid] [--several 2] [--most 38] [--rounds 1] [--workers]

Builders are processes of this machine (`--jobs`) or, with `--workers`, workers of a scheduler on this machine. One
process is what a run without `--jobs` and `--scheduler` does, and libraries may use all cores in it. Every measurement
starts from an empty cache and from new processes, which have started before the time begins, and uses random weights,
so that nothing is trained. One and several take turns.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from statistics import median
from time import monotonic

from edgebench.export import export
from edgebench.foundation.progress import Notice, Step
from edgebench.foundation.shelf import load
from edgebench.images import catalogue
from edgebench.measure.builders import cluster
from edgebench.measure.builders.local import Processes
from edgebench.measure.builders.work import File, Work
from edgebench.measure.plan import sweeps
from edgebench.measure.plan.cases import variant_of
from edgebench.schema.quantization import parse
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import WeightSource
from tests.support.board import free_port

SCHEDULER = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")


def files(sweep: str, most: int) -> list[File]:
    """The first files of a sweep, with random weights."""
    made = []
    for cell in sweeps.sweep(sweep).cells():
        cell = replace(cell, weights=WeightSource.RANDOM)
        format = load("runtimes", RuntimeRequest.parse(cell.runtime).name).FORMAT
        scheme = parse(cell.quantization, load("formats", format).SCHEME) if cell.quantization else None
        made.append(File(variant=variant_of(cell, catalogue.adopt(cell.dataset), scheme), format=format))
    return list(dict.fromkeys(made))[:most]


def make(sweep: str, most: int, builders: int, scheduler: str) -> None:
    """Make the files by so many builders, and print how many seconds it took."""
    wanted = files(sweep, most)
    with ExitStack() as stack:
        workers = stack.enter_context(cluster.connected(scheduler, show)) if scheduler else None
        while workers and workers.count < builders:
            workers.look(show, Work())
        started = monotonic()
        if workers:
            workers.make(Work.of(wanted), show)
        elif builders > 1:
            Processes(count=builders).make(Work.of(wanted), show)
        else:
            for file in wanted:
                export(file.variant, file.format, show)
        print(monotonic() - started)


def show(event: Step | Notice) -> None:
    if isinstance(event, Notice):
        print(event.text, file=sys.stderr)


@contextmanager
def with_workers(count: int) -> Iterator[str]:
    """Start a scheduler with so many workers, which share the cores; end them afterwards."""
    address, threads = f"tcp://127.0.0.1:{free_port()}", max(len(os.sched_getaffinity(0)) // count, 1)
    commands: list[tuple[str, ...]] = [(*SCHEDULER, "--port", address.rpartition(":")[2])]
    commands += [
        ("edgebench", "cluster", "worker", address, "--name", f"worker-{number}", "--threads", str(threads), "--quiet")
        for number in range(count)
    ]
    started = [subprocess.Popen([sys.executable, "-m", *one], stderr=subprocess.DEVNULL) for one in commands]
    try:
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def timed(sweep: str, most: int, builders: int, *, of_cluster: bool) -> tuple[float, float]:
    """The seconds that a new process takes with an empty cache, without the starts of programs, and all CPU seconds."""
    before = cpu_s()
    with tempfile.TemporaryDirectory() as cache, ExitStack() as stack:
        scheduler = stack.enter_context(with_workers(builders)) if of_cluster else ""
        code = f"from tests.benchmarks.builders import make; make({sweep!r}, {most}, {builders}, {scheduler!r})"
        environment = os.environ | {"EDGEBENCH_CACHE": cache}
        made = subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True, text=True)
    return float(made.stdout), cpu_s() - before


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweep", default="grid")
    parser.add_argument("--several", type=int, default=2)
    parser.add_argument("--most", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", action="store_true")
    given = parser.parse_args()
    ratios = []
    for _ in range(given.rounds):
        (one, one_cpu), (several, several_cpu) = (
            timed(given.sweep, given.most, count, of_cluster=given.workers and count > 1)
            for count in (1, given.several)
        )
        ratios.append(one / several)
        print(f"{one:.1f} s by one ({one_cpu:.0f} s of CPU),", end=" ")
        print(f"{several:.1f} s by {given.several} ({several_cpu:.0f} s of CPU):", end=" ")
        print(f"{ratios[-1]:.2f} times as fast", flush=True)
    noun = "workers" if given.workers else "processes"
    print(f"{len(files(given.sweep, given.most))} files by {given.several} {noun}: {median(ratios):.2f} times as fast")


if __name__ == "__main__":
    main()
