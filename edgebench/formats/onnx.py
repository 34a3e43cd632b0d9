"""ONNX files: float by torch's exporter, int8 by onnxruntime's static quantization.

The batch axis is dynamic: one file serves every batch size. int8 is QDQ, which onnxruntime fuses to integer
operators when it loads the file; `float_nodes` looks whether it did.
"""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench.build import channels
from edgebench.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy import float32
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from edgebench.spec import Quantization, Variant

SUFFIX = ".onnx"
TOOLS = ("torch", "onnx", "onnxruntime", "numpy")

OPSET = 17
INPUT, OUTPUT = "images", "logits"
CALIBRATION_BATCH = 1  # SENet-154 takes 3 GiB so, and 10 in batches of ten

_AT_THE_EDGE = {"QuantizeLinear", "DequantizeLinear"}
_MOVES_DATA = {
    "Concat",
    "Flatten",
    "Gather",
    "MaxPool",
    "NhwcMaxPool",
    "Pad",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}
_INTEGER = {"ConvInteger", "MatMulInteger", "QGemm"}


def refuses(variant: Variant) -> str:
    """Refuse nothing: every network and precision there is has an ONNX form."""
    return ""


def write(
    path: Path,
    variant: Variant,
    *,
    network: Callable[[], nn.Module],
    calibration: Callable[[], NDArray[float32]],
) -> tuple[str, ...]:
    """Write the variant's file; for int8, return the operators left in float."""
    if variant.quantization is None:
        _export(network(), variant, path)
        return ()
    with TemporaryDirectory() as scratch:
        parent = Path(scratch) / "float.onnx"
        _export(network(), variant, parent)
        _quantize(parent, path, variant.quantization, calibration())
    return float_nodes(path)


def _export(network: nn.Module, variant: Variant, path: Path) -> None:
    """Trace the network into a file.

    By the older of torch's exporters: it is ten times faster, and keeps the global average pool as the one operator
    that has an integer form, where the newer one writes a mean that stays float.
    """
    import torch

    images = torch.zeros(1, channels(variant), variant.resolution, variant.resolution)
    _write_norms_as_operators(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]  # about constants, which is what sizes are here
        torch.onnx.export(
            network,
            (images,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
        )


def _write_norms_as_operators(network: nn.Module) -> None:
    """Let local response norms become ONNX's own LRN: the exporter takes each apart into a dozen float operators."""
    import torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, features: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
            return torch.nn.functional.local_response_norm(features, size, alpha, beta, k)

        @staticmethod
        def symbolic(graph: Any, features: Any, size: int, alpha: float, beta: float, k: float) -> Any:
            operator = graph.op("LRN", features, size_i=size, alpha_f=alpha, beta_f=beta, bias_f=k)
            return operator.setType(features.type())

    for norm in network.modules():
        if isinstance(norm, torch.nn.LocalResponseNorm):
            arguments = (norm.size, norm.alpha, norm.beta, norm.k)
            norm.forward = partial(_apply, Function, arguments)  # type: ignore[method-assign]


def _apply(function: Any, arguments: tuple[float, ...], features: Tensor) -> Tensor:
    normed: Tensor = function.apply(features, *arguments)
    return normed


def _quantize(parent: Path, path: Path, quantization: Quantization, images: NDArray[float32]) -> None:
    """Quantize `parent`, a float file, to the scheme, with ranges seen on `images`."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[NDArray[float32]] = (
                images[first : first + CALIBRATION_BATCH] for first in range(0, len(images), CALIBRATION_BATCH)
            )

        def get_next(self) -> dict[str, NDArray[float32]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {INPUT: batch}

    if not len(images):
        raise CaseError("no calibration images: an int8 range cannot be found")
    prepared = parent.with_name("prepared.onnx")
    quant_pre_process(str(parent), str(prepared), skip_symbolic_shape=True)
    types = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
    quantize_static(
        str(prepared),
        str(path),
        Images(),
        quant_format=QuantFormat.QDQ,
        per_channel=quantization.scheme == "per_channel",
        reduce_range=quantization.reduce_range,
        activation_type=types[quantization.activations],
        weight_type=types[quantization.weights],
        calibrate_method={"min-max": CalibrationMethod.MinMax}[quantization.range_method],
    )


def optimised_operators(path: Path) -> tuple[tuple[str, str], ...]:
    """Return (operator, name) of every node that onnxruntime really runs, after its own optimisation."""
    import onnx
    import onnxruntime

    with TemporaryDirectory() as scratch:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(Path(scratch) / "optimised.onnx")
        options.log_severity_level = 3
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    return tuple((node.op_type, node.name) for node in nodes)


def float_nodes(path: Path) -> tuple[str, ...]:
    """Name the operators of an int8 file that compute in float: neither integer, nor at the edge, nor moving data."""
    return tuple(
        f"{operator} {name}"
        for operator, name in optimised_operators(path)
        if not operator.startswith("QLinear") and operator not in _INTEGER | _AT_THE_EDGE | _MOVES_DATA
    )
