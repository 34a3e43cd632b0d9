"""Evaluation, from image files to answers, against bare batched onnxruntime loops over the same images.

`python -m tests.benchmarks.evaluation [--images 1000] [--rounds 5]` prints, for each network, images a second, of
loops that read the same files or find them in memory as well, and how much more memory this process held at its peak.
The pictures are JPEGs of 500x375: where reading one takes longer than the network does, that is what is measured.
"""

import argparse
import resource
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from numpy import float32
from numpy.typing import NDArray

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


def bare(path: str, images: Images, batches: Iterable[NDArray[float32]]) -> float:
    """Return the images a second of a loop over batches."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    before = perf_counter()
    for batch in batches:
        session.run(None, {name: batch})
    return len(images) / (perf_counter() - before)


def peak_mib() -> float:
    """Return the most memory that this process held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print a line a network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        dataset = pictures(Path(folder), asked.images)
        for name, width, resolution in NETWORKS:
            of = variant(name, width, resolution, dataset)
            path = str(path_of(export(of, "onnx", lambda _: None)))
            images, before = split(of, "test"), peak_mib()
            deployed = Deployed(variant=of, path=path, sha256="")
            ran = [ours(deployed) for _ in range(asked.rounds)]
            grown = peak_mib() - before
            ready = list(images.batches(BATCH))
            read = [bare(path, images, images.batches(BATCH)) for _ in range(asked.rounds)]
            kept = [bare(path, images, ready) for _ in range(asked.rounds)]
            print(
                f"{name} {width} @{resolution}: {median(ran):.0f} images/s; a bare loop that reads the same files"
                f" {median(read):.0f}, ratio {median(ran) / median(read):.2f}; one that finds them read"
                f" {median(kept):.0f}, ratio {median(ran) / median(kept):.2f}; memory {grown:+.0f} MiB"
            )


if __name__ == "__main__":
    main()
