"""A sweep of 10,000 cases, planned, split into 8 shards, merged and reported -> CPU seconds and memory of each command.

    python -m tests.benchmarks.shards

The journals hold a session, and for each case a file, an accuracy and four processes that were really measured. The
times of each case are multiplied by a factor of its own, else all rows would tie.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from edgebench.measure.plan.shard import Shard
from edgebench.results.journal import JOURNAL, Journal, line_of
from edgebench.schema.case import Case
from edgebench.schema.record import Accuracy, Deployment, Run, Session
from tests import ROOT
from tests.benchmarks.sessions import scaled

SHARDS, PROCESSES = 8, 4
WIDTHS, SIDES = [width / 100 for width in range(5, 105)], range(64, 264, 4)
SWEEP = f"""weights = "random"
precisions = ["fp32", "int8"]
resolutions = {list(SIDES)}
[[models]]
name = "mobilenet_v1"
widths = {WIDTHS}
"""


def measured() -> tuple[Session, list[Deployment | Accuracy | Run]]:
    """A session of this repository, and the records of its first case."""
    every = list(Journal(ROOT / "results" / "scenes"))
    session = next(record for record in every if isinstance(record, Session))
    own = [record for record in every if isinstance(record, (Deployment, Accuracy, Run))]
    own = [record for record in own if record.case == session.cases[0]]
    runs = [record for record in own if isinstance(record, Run)][:PROCESSES]
    return session, [*(record for record in own if not isinstance(record, Run)), *runs]


def write(folder: Path, number: int) -> int:
    """Write the journal of a shard; return how many cases it has."""
    session, records = measured()
    first = session.cases[0]
    cases = Shard(number=number, count=SHARDS).of(sized(first))
    id = f"{number:012x}"
    random = Random(number)
    folder.mkdir(parents=True)
    with (folder / JOURNAL).open("wb") as stream:
        stream.write(line_of(replace(session, id=id, cases=cases)))
        for case in cases:
            factor = 10 ** random.uniform(-0.5, 1.5)
            own = [scaled(record, factor) if isinstance(record, Run) else record for record in records]
            stream.writelines(line_of(replace(record, case=case, session=id)) for record in own)
    return len(cases)


def sized(case: Case) -> Iterator[Case]:
    """The case at 10,000 sizes."""
    for width in range(50, 150):
        for side in range(64, 164):
            yield replace(case, variant=replace(case.variant, width=width / 1000, resolution=side))


def run(*arguments: str) -> None:
    """Run a command; print its CPU seconds and its peak memory."""
    process = subprocess.Popen([sys.executable, "-m", "edgebench", *arguments], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    took = f"{used.ru_utime + used.ru_stime:.1f} s of CPU, {used.ru_maxrss * 1024 / 1e6:.0f} MB"
    print(f"edgebench {' '.join(arguments)[:60]}: {took}, exit code {os.waitstatus_to_exitcode(status)}")


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        os.environ["EDGEBENCH_CACHE"] = f"{place}/cache"
        Path("wide.toml").write_text(SWEEP)
        run("run", "wide.toml", "--dry-run")
        run("run", "wide.toml", "--dry-run", "--shard", f"2/{SHARDS}")
        folders = [Path("results") / str(number) for number in range(1, SHARDS + 1)]
        sizes = [write(folder, number) for number, folder in enumerate(folders, 1)]
        written = sum((folder / JOURNAL).stat().st_size for folder in folders) / 1e6
        print(f"shards of {min(sizes)} to {max(sizes)} cases, {written:.0f} MB")
        run("merge", *map(str, folders), "--name", "all")
        run("merge", *map(str, folders), "--name", "all")
        run("report", "results/all")


if __name__ == "__main__":
    main()
