"""What the harness itself costs: the time of a sweep outside the processes that it starts.

`python -m tests.benchmarks.harness [SWEEP] [--name NAME]` runs the sweep as `edgebench run` does and prints the share.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

from edgebench import pipeline
from edgebench.cli.reader import DEFAULT
from edgebench.deploy.connections.local import Local
from edgebench.measure.plan import sweeps


def main() -> None:
    """Run a sweep with a stop-watch around every process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", nargs="?", default=DEFAULT)
    parser.add_argument("--name", default="harness")
    asked = parser.parse_args()
    inside, started_process = 0.0, Local.run

    def timed(self: Local, request: Mapping[str, Any], *, timeout_s: float) -> Any:
        nonlocal inside
        before = perf_counter()
        try:
            return started_process(self, request, timeout_s=timeout_s)
        finally:
            inside += perf_counter() - before

    Local.run = timed  # type: ignore[method-assign]
    started = perf_counter()
    pipeline.run(replace(sweeps.sweep(asked.sweep), name=asked.name), lambda _: None)
    total = perf_counter() - started
    print(f"{total:.1f} s, of which {total - inside:.1f} s ({(total - inside) / total:.1%}) outside its processes")


if __name__ == "__main__":
    main()
