"""Evaluation, from image files to answers, against a bare batched onnxruntime loop over the same preprocessed images.

`python -m tests.benchmarks.evaluation [--images 10000] [--distinct 500] [--rounds 5]` prints, for each network, images
a second of the first pass, which decodes, and then of passes in turn with the loop's: same batch, one thread each, the
order of the two drawn by chance. The loop finds its images in memory, as float. The pictures are JPEGs of 500x375, of
which only so many are distinct: the others are links to them.
"""

import argparse
import os
import random
import resource
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from numpy import float32
from numpy.typing import NDArray

from edgebench.deploy import Deployed
from edgebench.deploy.bundle import bundle
from edgebench.deploy.connections.local import Local
from edgebench.export import export
from edgebench.foundation.cache import path_of
from edgebench.images import catalogue
from edgebench.images.preprocessing import PRESETS
from edgebench.measure import evaluate
from edgebench.measure.evaluate import BATCH
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Precision, Variant, WeightSource
from tests.support.images import split

RUNTIME = Runtime(name="onnxruntime", version=version("onnxruntime"), options=("CPUExecutionProvider",))
NETWORKS = (("mobilenet_v1", 0.25, 128), ("mobilenet_v1", 0.5, 160), ("mobilenet_v2", 1.0, 224))


def pictures(folder: Path, count: int, distinct: int) -> str:
    """Write as many noisy JPEGs in two class folders; return the data set's name."""
    import numpy
    from PIL import Image

    draw = numpy.random.default_rng(0)
    smooth = Image.fromarray(draw.integers(0, 256, (24, 32, 3), numpy.uint8)).resize((500, 375))
    folder.mkdir()
    files = [folder / f"class{number % 2}" / f"{number:06}.jpg" for number in range(count)]
    for number, file in enumerate(files):
        file.parent.mkdir(exist_ok=True)
        if number < distinct:
            noise = draw.normal(0, 12, (375, 500, 1))
            pixels = (numpy.asarray(smooth) + noise).clip(0, 255).astype(numpy.uint8)
            Image.fromarray(pixels).save(file, quality=90)
        else:
            os.link(files[number % distinct], file)
    return f"image_folder:{folder}"


def variant(name: str, width: float, resolution: int, dataset: str) -> Variant:
    """Describe a network with random weights on the pictures."""
    card = catalogue.adopt(dataset)
    return Variant(
        architecture=name, width=width, resolution=resolution, precision=Precision.FP32, classes=1000,
        weights=WeightSource.RANDOM, dataset=card.name, dataset_sha256=card.sha256, dataset_classes=card.classes,
        preprocessing=PRESETS["torchvision"],
    )  # fmt: skip


def ours(deployed: Deployed) -> float:
    """Return the images a second that `edgebench run` evaluates."""
    connection = Local(sys.executable, bundle()[0])
    before = perf_counter()
    answers = evaluate.answers(split(deployed.variant, "test"), deployed, RUNTIME, 1, connection)
    count = sum(len(rows) for rows in answers.rows(1000))
    return count / (perf_counter() - before)


def bare(path: str, count: int, batches: Sequence[NDArray[float32]]) -> float:
    """Return the images a second of a loop over batches, again and again until there were as many."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    before, done = perf_counter(), 0
    while done < count:
        for batch in batches[: -(-(count - done) // BATCH)]:
            session.run(None, {name: batch})
            done += len(batch)
    return done / (perf_counter() - before)


def pairs(
    deployed: Deployed, batches: Sequence[NDArray[float32]], count: int, rounds: int
) -> Iterator[tuple[float, float]]:
    """Measure both in each pair, in random order."""
    for _ in range(rounds):
        if random.random() < 0.5:
            mine = ours(deployed)
            yield mine, bare(deployed.path, count, batches)
        else:
            theirs = bare(deployed.path, count, batches)
            yield ours(deployed), theirs


def peak_mib() -> float:
    """Return the most memory that this process held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print a line a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--distinct", type=int, default=500)
    parser.add_argument("--network", type=int, choices=range(len(NETWORKS)), help="only this one")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        os.environ["EDGEBENCH_CACHE"] = f"{folder}/cache"
        dataset = pictures(Path(folder, "pictures"), asked.images, asked.distinct)
        for name, width, resolution in NETWORKS if asked.network is None else [NETWORKS[asked.network]]:
            of = variant(name, width, resolution, dataset)
            path = str(path_of(export(of, "onnx", lambda _: None)))
            images, before = split(of, "test"), peak_mib()
            deployed = Deployed(variant=of, path=path, sha256="")
            first = ours(deployed)
            grown = peak_mib() - before
            ready = [images.read(range(start, start + BATCH)) for start in range(0, asked.distinct - BATCH + 1, BATCH)]
            both = list(pairs(deployed, ready, len(images), asked.rounds))
            ratios = sorted(mine / theirs for mine, theirs in both)
            print(
                f"{name} {width} @{resolution}: first pass {first:.0f} images/s, memory {grown:+.0f} MiB; then"
                f" {median(mine for mine, _ in both):.0f}, bare {median(theirs for _, theirs in both):.0f},"
                f" ratio {median(ratios):.3f} [{ratios[0]:.3f}, {ratios[-1]:.3f}]",
                flush=True,
            )


if __name__ == "__main__":
    main()
