"""Several boards at once: how many times as fast as one board, and what the harness itself costs per process.

`python -m tests.benchmarks.boards [--boards 20] [--batches 4]` starts an sshd on loopback for each board. A measured
process of the null runtime sleeps for 50 ms on its board, as if the board were another machine. All else of a board,
sshd and the Python that answers, takes time of this machine's cores. So the number of boards limits the speed-up, and
the number of cores does: the ideal is the lower limit. Run it on a machine that does nothing else.
"""

import argparse
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from edgebench.results.journal import Journal
from edgebench.schema.record import Run
from tests import ROOT
from tests.support import cheap
from tests.support.board import lab, missing

PROCESS_S = 0.05
NULL = ("--model", "null", "--runtime", "null", "--dataset", "null", "--weights", "none", "--resolution", "1")


def busy_s() -> float:
    """Return the CPU time that all processes of this machine have used since boot."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def measured(name: str, targets: list[str], batches: int) -> tuple[list[Run], float, float]:
    """Measure on these targets; return the processes, the time per process and the CPU time per process."""
    batch = ",".join(str(2**power) for power in range(batches))
    command = ["run", "--target", ",".join(targets), "--name", name, "--batch", batch, "--precision", "fp32", "--quiet"]
    before, cpu_s = perf_counter(), busy_s()
    done = subprocess.run([sys.executable, "-m", "edgebench", *command, *NULL], capture_output=True, check=False)
    whole_s, cpu_s = perf_counter() - before, busy_s() - cpu_s
    if done.returncode:
        sys.exit(done.stderr.decode())
    runs = [record for record in Journal(Path("results") / name) if isinstance(record, Run)]
    times = [datetime.fromisoformat(run.started_at).timestamp() for run in runs]
    span_s = max(time + (run.took_s or 0.0) for time, run in zip(times, runs, strict=True)) - min(times)
    print(f"{name}: {len(runs)} processes in {span_s:.1f} s, the whole command {whole_s:.1f} s, {cpu_s:.1f} s of CPU")
    return runs, span_s / len(runs), cpu_s * span_s / whole_s / len(runs)


def main() -> None:
    """Print the figures of one board and of all boards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=20)
    parser.add_argument("--batches", type=int, default=4)
    asked = parser.parse_args()
    if lacking := missing():
        sys.exit(f"needs {', '.join(lacking)} (openssh-server)")
    names = [f"board{number}" for number in range(1, asked.boards + 1)]
    with TemporaryDirectory() as folder, lab(Path(folder) / "lab", names) as boards:
        os.environ |= {"PATH": f"{folder}/lab/bin{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        os.chdir(folder)
        Path("targets").mkdir()
        for number, board in enumerate(boards):
            text = f'board = "b"\nconnection = "ssh"\nruntimes = ["null"]\naddress = "{board.address}"\n'
            text += f'python = "{cheap.python(board.folder, f"{number:04}", PROCESS_S)}"\n'
            Path("targets", f"{board.address}.toml").write_text(text)
        runs, alone_s, cpu_s = measured("one", names[:1], asked.batches)
        waited_s = median(run.took_s or 0.0 for run in runs)
        print(f"one board: {alone_s * 1e3:.0f} ms per process, of which {PROCESS_S * 1e3:.0f} ms are its own;")
        print(
            f"  {(alone_s - waited_s) * 1e3:.0f} ms between two processes, {(waited_s - PROCESS_S) * 1e3:.0f} ms of ssh"
        )
        _, together_s, _ = measured("all", names, asked.batches)
        cores = len(os.sched_getaffinity(0))
        ideal = min(asked.boards, cores * alone_s / cpu_s)
        print(f"{asked.boards} boards: {alone_s / together_s:.1f} times as fast as one; the ideal is {ideal:.1f}")
        print(f"  ({cpu_s * 1e3:.0f} ms of CPU per process on {cores} cores): {alone_s / together_s / ideal:.2f} of it")


if __name__ == "__main__":
    main()
