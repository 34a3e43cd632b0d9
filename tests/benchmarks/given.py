"""A network of the shelf against the very same file as a user gives it: p50 in beats and peak memory, interleaved.

`python -m tests.benchmarks.given [--pairs 12]` exports mobilenet_v2 0.35 @96, adopts that file as `--model net.onnx`,
and prints the ratio of both figures with its 95 % interval. Run it on a machine that does nothing else.
"""

import argparse
import random
import shutil
import sys
from collections.abc import Iterator
from math import exp, log
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections.local import Local
from edgebench.export import custom, export
from edgebench.foundation import stats
from edgebench.foundation.cache import path_of
from edgebench.foundation.shelf import load
from edgebench.schema.case import PRESETS
from edgebench.schema.variant import Precision, Variant, WeightSource

RUNTIME = "onnxruntime"


def files() -> dict[str, tuple[Path, Path]]:
    """Export the network; return its file, and the file that a run makes of it when it is given."""
    shelf = Variant(
        architecture="mobilenet_v2", width=0.35, resolution=96, precision=Precision.FP32, classes=10,
        weights=WeightSource.RANDOM, dataset="digits",
    )  # fmt: skip
    exported = path_of(export(shelf, "onnx", lambda _: None))
    with TemporaryDirectory() as scratch:
        shutil.copyfile(exported, named := Path(scratch) / "net.onnx")
        card = custom.adopt(str(named), "")
    given = Variant(
        architecture=card.name, width=1.0, resolution=card.resolution, precision=card.precision, classes=card.classes,
        weights=WeightSource.CUSTOM, weights_sha256=card.content_sha256, dataset="null", feed=card.feed,
    )  # fmt: skip
    return {"mobilenet_v2 0.35 @96": (exported, path_of(export(given, "onnx", lambda _: None)))}


def measured(path: Path, purpose: str, connection: Local) -> float:
    """Measure in a fresh process: p50 in beats, or the peak of memory in bytes."""
    standard = PRESETS["standard"]
    request: dict[str, Any] = {
        "do": "measure", "purpose": purpose, "runtime": RUNTIME, "path": str(path), "threads": 1, "batch": 1,
        "options": [group[0] for group in load("runtimes", RUNTIME).OPTIONS], "iterations": standard.most_iterations,
        "warmup_s": standard.warmup_s, "warmup_iterations": standard.warmup_iterations,
    }  # fmt: skip
    answer = connection.run(request, timeout_s=600)
    if purpose == "memory":
        return float(max(answer["memory"]["load_peak_bytes"], answer["memory"]["run_peak_bytes"]))
    every, took_s, samples = answer["beats"]["every"], answer["beats"]["took_s"], answer["samples_s"]
    groups = (samples[place * every : (place + 1) * every] for place in range(len(took_s) - 1))
    return exp(median(log(2 * median(group) / (took_s[n] + took_s[n + 1])) for n, group in enumerate(groups) if group))


def ratios(both: tuple[Path, Path], purpose: str, count: int) -> Iterator[float]:
    """Measure both files in each pair, in random order; yield the given one's figure over the shelf's."""
    connection = Local(sys.executable, bundle()[0])
    for _ in range(count):
        order = random.sample((0, 1), 2)
        found = {place: measured(both[place], purpose, connection) for place in order}
        yield found[1] / found[0]


def main() -> None:
    """Print a line a network and figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=12)
    asked = parser.parse_args()
    for name, both in files().items():
        for purpose, what in (("latency", "p50 in beats"), ("memory", "peak memory")):
            found = list(ratios(both, purpose, asked.pairs))
            low, high = stats.median_interval(found) or (min(found), max(found))
            equal = "equal within the interval" if low <= 1 <= high else "DIFFERENT"
            print(f"{name}: given over shelf, {what}: {median(found):.4f} [{low:.4f}, {high:.4f}], {equal}", flush=True)


if __name__ == "__main__":
    main()
