"""What a process over ssh costs more than the same here: this machine as its own board, paired and interleaved.

`python -m tests.benchmarks.connection [--processes 100]` prints how long so many agent processes of the null network
took over ssh, without warm-up, and by how much one takes longer than beside it without ssh. Run it on a machine that
does nothing else; it needs openssh-server.
"""

import argparse
import json
import os
import random
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections import Connection, ssh
from edgebench.deploy.connections.local import Local
from edgebench.foundation import stats
from edgebench.foundation.files import sha256
from edgebench.schema.target import Target
from tests.support.board import board, missing


def seconds(connection: Connection, path: str) -> float:
    """Return the wall time of one agent process that measures the null network."""
    request = {
        "do": "measure", "purpose": "latency", "runtime": "null", "path": path, "threads": 1, "batch": 1, "options": [],
        "warmup_s": 0.0, "warmup_iterations": 1, "iterations": 5,
    }  # fmt: skip
    before = perf_counter()
    connection.run(request, timeout_s=60)
    return perf_counter() - before


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=100)
    count: int = parser.parse_args().processes
    if lacking := missing():
        sys.exit(f"needs {', '.join(lacking)} (openssh-server)")
    with TemporaryDirectory() as folder, board(Path(folder) / "board") as there:
        os.environ["PATH"] = f"{there.folder}/bin{os.pathsep}{os.environ['PATH']}"
        null = Path(folder) / "null.json"
        null.write_text(json.dumps({"delay_s": 0.0, "classes": 2}))
        target = Target(name="b", board="b", connection="ssh", runtimes=(), address=there.address, python=there.python)
        before = perf_counter()
        far, near = ssh.open(target, bundle()[0]), Local(sys.executable, bundle()[0])
        print(f"connected, with the agent there, in {perf_counter() - before:.2f} s")
        places = {far: far.push(null, sha256(null)), near: str(null)}
        spent: dict[Connection, list[float]] = {far: [], near: []}
        for _ in range(count):
            for one in random.sample([far, near], 2):
                spent[one].append(seconds(one, places[one]))
        far.close()
    more = [a - b for a, b in zip(spent[far], spent[near], strict=True)]
    low, high = stats.median_interval(more) or (min(more), max(more))
    print(f"{count} processes over ssh: {sum(spent[far]):.1f} s, {median(spent[far]):.3f} s each by the median")
    print(f"one takes {median(more):.3f} s [{low:.3f}, {high:.3f}] longer than here")


if __name__ == "__main__":
    main()
