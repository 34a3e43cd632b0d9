"""The files of a sweep, made by one process and by several -> how many times as fast several are.

    python -m tests.benchmarks.builders [--sweep grid] [--jobs 2] [--most 38]

Both ways start from an empty cache and from a new process, and use random weights, so that nothing is trained.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from time import monotonic

from edgebench.export import export
from edgebench.foundation.progress import Notice, Step
from edgebench.foundation.shelf import load
from edgebench.images import catalogue
from edgebench.measure.builders.local import Processes
from edgebench.measure.builders.work import File, Work
from edgebench.measure.plan import sweeps
from edgebench.measure.plan.cases import variant_of
from edgebench.schema.quantization import parse
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import WeightSource


def files(sweep: str, most: int) -> list[File]:
    """The first files of a sweep, with random weights."""
    made = []
    for cell in sweeps.sweep(sweep).cells():
        cell = replace(cell, weights=WeightSource.RANDOM)
        format = load("runtimes", RuntimeRequest.parse(cell.runtime).name).FORMAT
        scheme = parse(cell.quantization, load("formats", format).SCHEME) if cell.quantization else None
        made.append(File(variant=variant_of(cell, catalogue.adopt(cell.dataset), scheme), format=format))
    return list(dict.fromkeys(made))[:most]


def make(wanted: Iterable[File], jobs: int) -> None:
    """Make the files in this process, or in `jobs` processes."""
    if jobs > 1:
        Processes(count=jobs).make(Work.of(wanted), quiet)
        return
    for file in wanted:
        export(file.variant, file.format, quiet)


def quiet(_: Step | Notice) -> None: ...


def timed(sweep: str, most: int, jobs: int) -> tuple[float, float]:
    """The seconds that a new process takes with an empty cache, and the CPU seconds of it and of its processes."""
    code = f"from tests.benchmarks.builders import *; make(files({sweep!r}, {most}), {jobs})"
    with tempfile.TemporaryDirectory() as cache:
        started, before = monotonic(), cpu_s()
        subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"EDGEBENCH_CACHE": cache})
        return monotonic() - started, cpu_s() - before


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweep", default="grid")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--most", type=int, default=1000)
    given = parser.parse_args()
    count = len(files(given.sweep, given.most))
    (several, several_cpu), (one, one_cpu) = (timed(given.sweep, given.most, jobs) for jobs in (given.jobs, 1))
    print(f"{count} files: {one:.1f} s by 1 process ({one_cpu:.0f} s of CPU),", end=" ")
    print(f"{several:.1f} s by {given.jobs} ({several_cpu:.0f} s of CPU): {one / several:.2f} times as fast")


if __name__ == "__main__":
    main()
