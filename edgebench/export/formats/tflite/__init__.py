"""TFLite files for LiteRT and tflite-runtime: litert-torch writes float files, ai-edge-quantizer makes int8 files.

A file takes any number of images, in NHWC. An int8 file has integer inputs and outputs, as is usual on boards, and
contains their scales. Only the operators that `float_nodes` lists compute in float.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.export.formats import Written, unlike
from edgebench.export.formats.tflite.compare import output_noise
from edgebench.export.formats.tflite.convert import convert
from edgebench.export.formats.tflite.enlarge import enlarge_by_convolutions
from edgebench.export.formats.tflite.inspect import float_nodes, integer_share
from edgebench.export.formats.tflite.quantize import quantize
from edgebench.export.formats.tflite.tidy import tidy
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Precision, WeightSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from edgebench.export.formats.tflite.quantize import Images
    from edgebench.schema.artifact import OutputNoise
    from edgebench.schema.variant import Variant

SUFFIX = ".tflite"
SCHEME = Quantization(activations="int8")
TOOLS = ("torch", "litert-torch", "litert-converter", "ai-edge-quantizer", "ai-edge-litert", "numpy")


def refuses(variant: Variant) -> str:
    """Refuse int8 schemes that TFLite's specification does not allow, and 16-bit floats."""
    if variant.weights != WeightSource.CUSTOM and variant.precision not in (Precision.FP32, Precision.INT8):
        return f"tflite files are written in fp32 and int8, not {variant.precision}"
    return unlike(variant.quantization, SCHEME, "TFLite") if variant.quantization else ""


def write(path: Path, variant: Variant, channels: int, network: Callable[[], nn.Module]) -> None:
    """Write the variant's network in float."""
    convert(network(), channels, variant.resolution, path)
    tidy(path)
    enlarge_by_convolutions(path)


def write_int8(parent: Path, path: Path, quantization: Quantization, calibration: Images) -> Written:
    """Write the int8 form of a float file; report which operators stay in float, but not the loss of each layer.

    Raises:
        CaseError: there are no images, or an activation is not finite.
    """
    quantize(parent, path, quantization, calibration)
    return Written(float_nodes=float_nodes(path), integer_share=integer_share(path))


def compared(parent: Path, path: Path, quantization: Quantization, calibration: Images) -> tuple[OutputNoise, ...]:
    """Compare an int8 file's outputs with the outputs of its float parent, on the calibration images."""
    return output_noise(parent, path, calibration())
