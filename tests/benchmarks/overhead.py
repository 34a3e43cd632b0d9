"""The agent's p50 against a bare `run_with_iobinding` loop in a process of its own, paired and interleaved.

`python -m tests.benchmarks.overhead [--pairs 20]` prints, for each network, the ratio of the two with its 95 %
interval, and the difference in microseconds a call. Run it on a machine that does nothing else.
"""

import argparse
import json
import random
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from edgebench import stats
from edgebench.cache import path_of
from edgebench.connections.local import Local
from edgebench.deploy import bundle
from edgebench.export import export
from edgebench.spec import PRESETS, Precision, Variant, Weighting

BARE = """
import sys, time, statistics, numpy, onnxruntime
path, shape, count = sys.argv[1], eval(sys.argv[2]), int(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
image = numpy.random.default_rng(0).uniform(-1, 1, shape).astype(numpy.float32)
binding = session.io_binding()
binding.bind_ortvalue_input(session.get_inputs()[0].name, onnxruntime.OrtValue.ortvalue_from_numpy(image))
binding.bind_output(session.get_outputs()[0].name, "cpu")
end = time.perf_counter() + 0.5
while time.perf_counter() < end:
    session.run_with_iobinding(binding)
samples = []
for _ in range(count):
    before = time.perf_counter_ns()
    session.run_with_iobinding(binding)
    samples.append(time.perf_counter_ns() - before)
print(statistics.median(samples) / 1e9)
"""
ITERATIONS = 200


def tiny(path: Path) -> None:
    """Write a LeNet-sized network, about 30 microseconds an inference: (N, 3, 28, 28) to (N, 10)."""
    import torch
    from torch import nn

    network = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.Conv2d(6, 16, 5, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(16 * 4 * 4, 84), nn.ReLU(), nn.Linear(84, 10),
    ).eval()  # fmt: skip
    warnings.simplefilter("ignore", DeprecationWarning)
    torch.onnx.export(
        network, (torch.zeros(1, 3, 28, 28),), str(path), dynamo=False, input_names=["images"],
        output_names=["logits"], dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
    )  # fmt: skip


def networks(folder: Path) -> Iterator[tuple[str, Path, int]]:
    """Give a tiny network, and V2 0.5/96 and 1.0/224 in float."""
    tiny(folder / "tiny.onnx")
    yield "LeNet-sized @28", folder / "tiny.onnx", 28
    for width, resolution in ((0.5, 96), (1.0, 224)):
        variant = Variant(
            architecture="mobilenet_v2", width=width, resolution=resolution, precision=Precision.FP32, classes=10,
            weights=Weighting.RANDOM, dataset="digits",
        )  # fmt: skip
        yield str(variant), path_of(export(variant, "onnx", lambda _: None)), resolution


def agents(path: Path, connection: Local) -> float:
    """Return the agent's p50 in one process, seconds."""
    standard = PRESETS["standard"]
    request = {
        "do": "measure", "purpose": "latency", "runtime": "onnxruntime", "path": str(path), "threads": 1, "batch": 1,
        "warmup_s": standard.warmup_s, "warmup_iterations": 10, "iterations": ITERATIONS,
    }  # fmt: skip
    samples: list[float] = connection.run(request, timeout_s=600)["samples_s"]
    return median(samples)


def bare(path: Path, resolution: int) -> float:
    """Return a bare loop's p50 in one process, seconds."""
    arguments = [sys.executable, "-I", "-c", BARE, str(path), f"(1, 3, {resolution}, {resolution})", str(ITERATIONS)]
    return float(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)


def pairs(path: Path, resolution: int, count: int) -> Iterator[tuple[float, float]]:
    """Measure both in each pair, in random order."""
    connection = Local(sys.executable, bundle()[0])
    for _ in range(count):
        if random.random() < 0.5:
            ours = agents(path, connection)
            yield ours, bare(path, resolution)
        else:
            theirs = bare(path, resolution)
            yield agents(path, connection), theirs


def main() -> None:
    """Print a line a network, and all of it as JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = {}
    with TemporaryDirectory() as folder:
        for name, path, resolution in networks(Path(folder)):
            both = list(pairs(path, resolution, asked.pairs))
            ratios = [ours / theirs for ours, theirs in both]
            extra = [(ours - theirs) * 1e6 for ours, theirs in both]
            low, high = stats.median_interval(ratios) or (min(ratios), max(ratios))
            low_us, high_us = stats.median_interval(extra) or (min(extra), max(extra))
            found[name] = {"ratio": median(ratios), "low": low, "high": high, "extra_us": median(extra)}
            print(
                f"{name:<28} bare {median(theirs for _, theirs in both) * 1e3:7.3f} ms"
                f"  ratio {median(ratios):.4f} [{low:.4f}, {high:.4f}]"
                f"  {median(extra):+.2f} µs a call [{low_us:+.2f}, {high_us:+.2f}]"
            )
    if asked.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
