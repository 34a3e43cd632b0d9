"""The agent's p50 against a bare loop over the runtime's own call in a process of its own, paired and interleaved.

`python -m tests.benchmarks.overhead [--runtime litert] [--pairs 20]` prints, for each network, the ratio of the two and
its 95 % interval, and the difference in microseconds a call. Run it on a machine that does nothing else.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections.local import Local
from edgebench.export import export
from edgebench.foundation import stats
from edgebench.foundation.cache import path_of
from edgebench.foundation.shelf import load
from edgebench.networks.build import channels
from edgebench.schema.case import PRESETS
from edgebench.schema.variant import Precision, Variant, WeightSource

BARE = """
import sys, time, statistics, numpy
path, shape, count = sys.argv[1], eval(sys.argv[2]), int(sys.argv[3])
image = numpy.random.default_rng(0).uniform(-1, 1, shape).astype(numpy.float32)
{setup}
end = time.perf_counter() + 0.5
while time.perf_counter() < end:
    run()
samples = []
for _ in range(count):
    before = time.perf_counter_ns()
    run()
    samples.append(time.perf_counter_ns() - before)
print(statistics.median(samples) / 1e9)
"""
ONNXRUNTIME = """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
binding = session.io_binding()
binding.bind_ortvalue_input(session.get_inputs()[0].name, onnxruntime.OrtValue.ortvalue_from_numpy(image))
binding.bind_output(session.get_outputs()[0].name, "cpu")
run = lambda: session.run_with_iobinding(binding)
"""
TFLITE = """
from {package}.interpreter import Interpreter
interpreter = Interpreter(path, num_threads=1)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image.transpose(0, 2, 3, 1))
run = interpreter.invoke
"""
SETUPS = {
    "onnxruntime": ONNXRUNTIME,
    "litert": TFLITE.format(package="ai_edge_litert"),
    "tflite_runtime": TFLITE.format(package="tflite_runtime"),
}
ITERATIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A file, the runtime that reads it, and the shape of its images, (1, C, R, R)."""

    name: str
    path: Path
    runtime: str
    shape: tuple[int, ...]


def subjects(runtime: str) -> Iterator[Subject]:
    """Give LeNet-5, some 30 microseconds an inference, and V2 0.5/96 and 1.0/224, in float."""
    for name, width, resolution in (("lenet5", 1.0, 32), ("mobilenet_v2", 0.5, 96), ("mobilenet_v2", 1.0, 224)):
        variant = Variant(
            architecture=name, width=width, resolution=resolution, precision=Precision.FP32, classes=10,
            weights=WeightSource.RANDOM, dataset="digits",
        )  # fmt: skip
        path = path_of(export(variant, load("runtimes", runtime).FORMAT, lambda _: None))
        shape = (1, channels(variant), resolution, resolution)
        yield Subject(name=str(variant), path=path, runtime=runtime, shape=shape)


def agents(subject: Subject, connection: Local) -> float:
    """Return the agent's p50 in one process, seconds."""
    standard = PRESETS["standard"]
    request = {
        "do": "measure", "purpose": "latency", "runtime": subject.runtime, "path": str(subject.path), "threads": 1,
        "options": [group[0] for group in load("runtimes", subject.runtime).OPTIONS], "batch": 1,
        "warmup_s": standard.warmup_s, "warmup_iterations": 10, "iterations": ITERATIONS,
    }  # fmt: skip
    samples: list[float] = connection.run(request, timeout_s=600)["samples_s"]
    return median(samples)


def bare(subject: Subject) -> float:
    """Return a bare loop's p50 in one process, seconds."""
    script = BARE.replace("{setup}", SETUPS[subject.runtime])
    arguments = [sys.executable, "-I", "-c", script, str(subject.path), str(subject.shape), str(ITERATIONS)]
    return float(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)


def pairs(subject: Subject, count: int) -> Iterator[tuple[float, float]]:
    """Measure both in each pair, in random order."""
    connection = Local(sys.executable, bundle()[0])
    for _ in range(count):
        if random.random() < 0.5:
            ours = agents(subject, connection)
            yield ours, bare(subject)
        else:
            theirs = bare(subject)
            yield agents(subject, connection), theirs


def main() -> None:
    """Print a line a network, and all of it as JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtime", choices=SETUPS, default="onnxruntime")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = {}
    for subject in subjects(asked.runtime):
        both = list(pairs(subject, asked.pairs))
        ratios = [ours / theirs for ours, theirs in both]
        extra = [(ours - theirs) * 1e6 for ours, theirs in both]
        low, high = stats.median_interval(ratios) or (min(ratios), max(ratios))
        low_us, high_us = stats.median_interval(extra) or (min(extra), max(extra))
        found[subject.name] = {"ratio": median(ratios), "low": low, "high": high, "extra_us": median(extra)}
        print(
            f"{subject.name:<28} bare {median(theirs for _, theirs in both) * 1e3:7.3f} ms"
            f"  ratio {median(ratios):.4f} [{low:.4f}, {high:.4f}]"
            f"  {median(extra):+.2f} µs a call [{low_us:+.2f}, {high_us:+.2f}]"
        )
    if asked.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
