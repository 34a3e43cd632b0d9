"""Evaluation from image files to counted answers against a bare batched loop over images that are ready in memory.

`python -m tests.benchmarks.evaluation [--images 1000] [--pairs 5]` prints, for each network, images a second of both
and the ratio, and how much more memory this process held at its peak than before. The pictures are JPEGs of 500x375.
"""

import argparse
import resource
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from edgebench import catalogue, evaluate
from edgebench.cache import path_of
from edgebench.connections.local import Local
from edgebench.datasets import split
from edgebench.deploy import bundle
from edgebench.evaluate import BATCH, Deployed
from edgebench.export import export
from edgebench.images import Images
from edgebench.preprocessing import PRESETS
from edgebench.spec import Precision, Variant, Weighting

NETWORKS = (("mobilenet_v1", 0.25, 128), ("mobilenet_v1", 0.5, 160), ("mobilenet_v2", 1.0, 224))


def pictures(folder: Path, count: int) -> str:
    """Write as many noisy JPEGs in two class folders; return the data set's name."""
    import numpy
    from PIL import Image

    random = numpy.random.default_rng(0)
    smooth = Image.fromarray(random.integers(0, 256, (24, 32, 3), numpy.uint8)).resize((500, 375))
    for number in range(count):
        place = folder / f"class{number % 2}"
        place.mkdir(exist_ok=True)
        noise = random.normal(0, 12, (375, 500, 1))
        pixels = (numpy.asarray(smooth) + noise).clip(0, 255).astype(numpy.uint8)
        Image.fromarray(pixels).save(place / f"{number}.jpg", quality=90)
    return f"image_folder:{folder}"


def variant(name: str, width: float, resolution: int, dataset: str) -> Variant:
    """Describe a network with random weights on the pictures."""
    card = catalogue.adopt(dataset)
    return Variant(
        architecture=name, width=width, resolution=resolution, precision=Precision.FP32, classes=1000,
        weights=Weighting.RANDOM, dataset=card.name, dataset_sha256=card.sha256, dataset_classes=card.classes,
        preprocessing=PRESETS["torchvision"],
    )  # fmt: skip


def ours(deployed: Deployed) -> float:
    """Return the images a second that `edgebench run` evaluates, decoding included."""
    evaluate.infer.cache_clear()
    connection = Local(sys.executable, bundle()[0])
    before = perf_counter()
    answers = evaluate.infer(deployed, "onnxruntime", 1, connection)
    count = sum(len(rows) for rows in answers.rows(1000))
    return count / (perf_counter() - before)


def bare(path: str, images: Images) -> float:
    """Return the images a second of a loop that finds them preprocessed; some, over and over."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    ready = list(images.batches(BATCH))[:8]
    before, count = perf_counter(), 0
    while count < len(images):
        batch = ready[count // BATCH % len(ready)]
        session.run(None, {name: batch})
        count += len(batch)
    return count / (perf_counter() - before)


def peak_mib() -> float:
    """Return the most memory that this process held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print a line a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=5)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        dataset = pictures(Path(folder), asked.images)
        for name, width, resolution in NETWORKS:
            of = variant(name, width, resolution, dataset)
            path = str(path_of(export(of, "onnx", lambda _: None)))
            images, before = split(of, "test"), peak_mib()
            deployed = Deployed(variant=of, path=path, sha256="")
            both = [(ours(deployed), bare(path, replace(images, kept=images.kept[:512]))) for _ in range(asked.pairs)]
            print(
                f"{name} {width} @{resolution}: {median(mine for mine, _ in both):.0f} images/s,"
                f" bare {median(theirs for _, theirs in both):.0f},"
                f" ratio {median(mine / theirs for mine, theirs in both):.2f}, {peak_mib() - before:+.0f} MiB"
            )


if __name__ == "__main__":
    main()
