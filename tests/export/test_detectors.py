"""A file of several outputs or of maps answers as the network in torch: in order, in every format, at odd sides."""

from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from edgebench.export.formats import onnx, tflite
from edgebench.foundation.shelf import literal, load, names
from edgebench.networks.build import build
from edgebench.networks.describe import describe
from edgebench.schema.names import task
from edgebench.schema.variant import Precision, Variant
from edgebench.train.course import several

DETECTORS = [  # with the task's own heads
    name
    for name in names("architectures")
    if task(name) == "detection" and not literal("architectures", name, "DECODER")
]
FORMATS = {"onnxruntime": onnx, "litert": tflite}

pytestmark = pytest.mark.slow


def variant(name: str, resolution: int) -> Variant:
    return Variant(
        architecture=name,
        width=0.35 if "v2" in name else 0.25,
        resolution=resolution,
        precision=Precision.FP32,
        classes=10,
        weights="random",
        dataset="scenes",
    )


def answers(runtime: str, path: Path, images: NDArray[Any], values: int) -> NDArray[Any]:
    options = load("runtimes", runtime).OPTIONS
    chosen = tuple(group[0] for group in options if group[0])
    session = load("runtimes", runtime).open(str(path), threads=1, batch=2, options=chosen)
    return numpy.frombuffer(session.infer(images.tobytes(), images.shape, values), "<f4").reshape(len(images), -1)


@pytest.mark.parametrize("runtime", FORMATS)
@pytest.mark.parametrize(
    ("name", "resolution"),
    [
        *((name, side) for name in DETECTORS for side in (64, 100)),
        ("mobilenet_v1_seg", 100),
        ("mobilenet_v1_loc", 64),
    ],
)
def test_a_file_gives_every_output_in_order(name: str, runtime: str, resolution: int, place: Path) -> None:
    import torch

    of = variant(name, resolution)
    images = numpy.random.default_rng(0).uniform(-1, 1, (3, 3, resolution, resolution)).astype("f4")
    with torch.inference_mode():
        heads = several(build(of)(torch.from_numpy(images)))
    wanted = torch.cat([head.flatten(1) for head in heads], 1).numpy()
    path = place / "net"
    FORMATS[runtime].write(path, of, 3, lambda: build(of))
    found = answers(runtime, path, images, wanted.shape[1])
    assert numpy.abs(found - wanted).max() < 1e-4


@pytest.mark.parametrize("width", [0.25, 0.5, 1.0])
def test_the_parameters_of_a_detector_are_those_of_its_features_and_its_head(width: int) -> None:
    whole, last = describe("mobilenet_v1", width, 224, 10).params, int(1024 * width)
    stages = [int(channels * width) for channels in (256, 512, 1024)]
    lateral = sum(48 * channels + 2 * 48 for channels in stages)
    separable = 48 * 9 + 2 * 48 + 48 * 48 + 2 * 48
    heads = (48 + 1) * (1 + 10) + (48 + 1) * 4
    found = describe("mobilenet_v1_det", width, 96, 10).params
    assert found == whole - (last + 1) * 10 + lateral + 3 * separable + heads
