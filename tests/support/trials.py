"""Make the files of `edgebench/deploy/trials`, one small network per format and precision.

`python -m tests.support.trials` writes them again.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
import torch
from numpy.typing import NDArray
from torch import nn

from edgebench.deploy.trial import FILES
from edgebench.export.formats import tflite
from edgebench.export.formats.onnx import trace
from edgebench.export.formats.onnx.quantize import quantize as onnx_int8
from edgebench.export.formats.tflite.convert import convert
from edgebench.export.formats.tflite.quantize import quantize as tflite_int8
from edgebench.export.formats.tflite.tidy import tidy
from edgebench.schema.quantization import Quantization

CHANNELS, SIDE, CLASSES = 3, 32, 8


def network() -> nn.Module:
    """A dense, a depthwise and a pointwise convolution, an addition, pooling and a linear layer."""
    torch.manual_seed(0)
    return Network().eval()


class Network(nn.Module):
    """The kinds of operators that most of a mobile network's time goes to."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Sequential(nn.Conv2d(CHANNELS, 16, 3, stride=2, padding=1), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.ReLU6())
        self.pointwise = nn.Conv2d(16, 16, 1)
        self.classifier = nn.Linear(16, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the scores of images of shape (N, 3, 32, 32)."""
        features = self.dense(images)
        features = features + self.pointwise(self.depthwise(features))
        scores: torch.Tensor = self.classifier(features.mean((2, 3)))
        return scores


def images() -> Iterator[NDArray[numpy.float32]]:
    """Yield one batch for the ranges of int8."""
    yield numpy.random.default_rng(0).uniform(-1, 1, (8, CHANNELS, SIDE, SIDE)).astype(numpy.float32)


def make(folder: Path) -> None:
    """Write all files to a folder."""
    with TemporaryDirectory() as scratch:
        float_onnx, float_tflite = Path(scratch) / "fp32.onnx", Path(scratch) / "fp32.tflite"
        trace(network(), (CHANNELS, SIDE, SIDE), float_onnx, ("scores",))
        convert(network(), CHANNELS, SIDE, float_tflite)
        tidy(float_tflite)
        for file in (float_onnx, float_tflite):
            (folder / file.name).write_bytes(file.read_bytes())
        onnx_int8(float_onnx, folder / "int8.onnx", Quantization(), images)
        tflite_int8(float_tflite, folder / "int8.tflite", tflite.SCHEME, images)


if __name__ == "__main__":
    make(FILES)
