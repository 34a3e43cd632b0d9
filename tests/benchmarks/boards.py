"""Several boards at once: how many times as fast as one board, and what the harness itself costs per process.

`python -m tests.benchmarks.boards [--boards 20] [--batches 4]` starts an sshd on loopback for each board. A measured
process of the null runtime sleeps for 50 ms on its board, as if the board were another machine. All else of a board,
sshd and the Python that answers, takes time of this machine's cores. So the number of boards limits the speed-up, and
the number of cores does: the ideal is the lower limit. An inference is a part of the sleep, and its time is measured,
so the p50 of the first board alone and beside the others says whether the others disturb it. Run it on a machine that
does nothing else.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from edgebench.results.folders import read
from edgebench.results.journal import Journal
from edgebench.results.table.row import Row
from edgebench.schema.record import Run
from tests import ROOT
from tests.support import cheap
from tests.support.board import lab, missing

PROCESS_S = 0.05
NULL = ("--model", "null", "--runtime", "null", "--dataset", "null", "--weights", "none", "--resolution", "1")
SWEEP = ("--precision", "fp32", "--preset", "nightly", "--quiet", *NULL)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a command took: its processes, the time from the first to the last, and CPU times here and on the boards.

    The CPU times include what each case needs besides its processes, such as its evaluation. `p50` has the p50 of the
    first board's first row, with its interval.
    """

    processes: int
    span_s: float
    host_s: float
    boards_s: float
    p50: str = ""

    def per_process(self, less: "Spent") -> "Spent":
        """Return the times of a process, from two commands that differ in the number of processes."""
        more = self.processes - less.processes
        return Spent(
            processes=1,
            span_s=(self.span_s - less.span_s) / more,
            host_s=(self.host_s - less.host_s) / more,
            boards_s=(self.boards_s - less.boards_s) / more,
        )


def measured(names: Sequence[str], batches: int) -> Spent:
    """Measure on these boards, each behind an sshd of its own."""
    with TemporaryDirectory() as folder:
        before = os.times()
        with lab(Path(folder) / "lab", names) as boards:
            os.chdir(folder)
            Path("targets").mkdir()
            for number, board in enumerate(boards):
                python = cheap.python(board.folder, f"{number:04}", Path(folder, "facts"), PROCESS_S, sleeps=True)
                text = f'board = "b"\nconnection = "ssh"\nruntimes = ["null"]\naddress = "{board.address}"\n'
                text += f'python = "{python}"\n'
                Path("targets", f"{board.address}.toml").write_text(text)
            batch = ",".join(str(2**power) for power in range(batches))
            environment = os.environ | {"PATH": f"{folder}/lab/bin{os.pathsep}{os.environ['PATH']}"}
            command = [sys.executable, "-m", "edgebench", "run", "--target", ",".join(names), "--batch", batch, *SWEEP]
            silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
            environment |= {"PYTHONPATH": str(ROOT)}
            pid = os.posix_spawn(sys.executable, command, environment, file_actions=silent)
            _, status, usage = os.wait4(pid, 0)
            if status:
                sys.exit(1)
            results = Path("results") / "null"
            runs = [record for record in Journal(results) if isinstance(record, Run)]
            row = next(row for row in read(results).rows if row.setup.target == names[0])
        os.chdir("/")
        after, host_s = os.times(), usage.ru_utime + usage.ru_stime
    times = [datetime.fromisoformat(run.started_at).timestamp() for run in runs]
    ends = [time + (run.took_s or 0.0) for time, run in zip(times, runs, strict=True)]
    spent_s = sum(after[2:4]) - sum(before[2:4])  # of children that ended, sshd and its sessions among them
    span_s = max(ends) - min(times)
    return Spent(processes=len(runs), span_s=span_s, host_s=host_s, boards_s=spent_s - host_s, p50=shown(row))


def shown(row: Row) -> str:
    latency = row.latency
    return f"{latency.p50_ms:.4f} [{latency.p50_low_ms:.4f}, {latency.p50_high_ms:.4f}] ms"


def main() -> None:
    """Print the figures of one board and of all boards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=20)
    parser.add_argument("--batches", type=int, default=4)
    asked = parser.parse_args()
    if lacking := missing():
        sys.exit(f"needs {', '.join(lacking)} (openssh-server)")
    names = [f"board{number}" for number in range(1, asked.boards + 1)]
    alone = measured(names[:1], asked.batches)
    each = alone.per_process(measured(names[:1], 1))
    cores, cpu_s = len(os.sched_getaffinity(0)), each.host_s + each.boards_s
    print(
        f"one board: {each.span_s * 1e3:.0f} ms per process, of which the process sleeps for {PROCESS_S * 1e3:.0f} ms;"
    )
    print(
        f"  CPU per process: {each.host_s * 1e3:.0f} ms of edgebench and ssh, {each.boards_s * 1e3:.0f} ms of the board"
    )
    every = measured(names, asked.batches)
    speed_up = (alone.span_s / alone.processes) / (every.span_s / every.processes)
    ideal = min(asked.boards, cores * alone.span_s / alone.processes / cpu_s)
    print(f"{asked.boards} boards: {every.processes} processes in {every.span_s:.1f} s,")
    print(f"  {speed_up:.1f} times as fast as one board;")
    print(f"  p50 of the first board: {alone.p50} alone, {every.p50} beside the others;")
    print(f"  the ideal is {ideal:.1f} on {cores} cores: {speed_up / ideal:.2f} of it")


if __name__ == "__main__":
    main()
