"""ONNX files: float by torch's exporter, int8 by onnxruntime's static quantization.

The batch axis is dynamic: one file serves every batch size. int8 is QDQ, which onnxruntime fuses to integer operators
when it loads the file; `float_nodes` checks that it did.
"""

from __future__ import annotations

import warnings
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench.export.formats import Written
from edgebench.export.formats.onnx.calibrate import REMEDY, nothing_of
from edgebench.export.formats.onnx.inspect import float_nodes, integer_share, layer_name
from edgebench.export.formats.onnx.noise import layer_noise
from edgebench.export.formats.onnx.outputs import APART, MIXED, output_noise
from edgebench.export.formats.onnx.quantize import last_operators, quantize
from edgebench.foundation.errors import CaseError, in_words
from edgebench.foundation.shelf import load
from edgebench.schema.names import task
from edgebench.schema.quantization import RANDOM, Quantization
from edgebench.schema.variant import Precision, WeightSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from edgebench.export.formats.onnx.calibrate import Images
    from edgebench.schema.artifact import OutputNoise
    from edgebench.schema.variant import Variant

SUFFIX = ".onnx"
SCHEME = Quantization()
TOOLS = ("torch", "onnx", "onnxruntime", "numpy")

OPSET = 17
LEAST_OPSET_OF_INT8 = 13  # the first in which a weight can have a scale per channel
LEAST_IR_OF_CONSTANTS = 4  # the first in which a constant need not be an input
NOISE_BATCHES = 8  # calibration images: enough to find the layer that loses most
INPUT, OUTPUT = "images", "logits"


def refuses(variant: Variant) -> str:
    """Refuse 16-bit floats, because onnxruntime's CPU provider would compute such a file in fp32."""
    if variant.weights == WeightSource.CUSTOM or variant.precision in (Precision.FP32, Precision.INT8):
        return ""
    return f"onnx files are written in fp32 and int8, not {variant.precision}: use --runtime torch"


def write(path: Path, variant: Variant, channels: int, network: Callable[[], nn.Module]) -> None:
    """Trace the variant's network."""
    names: tuple[str, ...] = load("tasks", task(variant.architecture)).OUTPUTS
    trace(network(), (channels, variant.resolution, variant.resolution), path, names)


def write_int8(parent: Path, path: Path, quantization: Quantization, calibration: Images) -> Written:
    """Write the int8 form of a float file; report the operators left in float and each layer's loss.

    Raises:
        CaseError: its operator set has no int8, there are no images, or they give activations that are not finite.
    """
    with TemporaryDirectory() as scratch:
        named = _named(parent, Path(scratch) / "float.onnx")
        quantize(named, path, quantization, calibration)
        _require_quantized(named, path)
        return Written(
            float_nodes=_fallen(named, path, quantization),
            integer_share=integer_share(named, path),
            layers=layer_noise(named, path, islice(calibration(), NOISE_BATCHES)),
        )


def _fallen(named: Path, path: Path, quantization: Quantization) -> tuple[str, ...]:
    """Name the operators of an int8 file that compute in float without a request for it."""
    import onnx

    left, wanted = float_nodes(path), set[str]()
    if quantization.float_outputs:
        graph = onnx.load(named, load_external_data=False).graph
        wanted = {layer_name(name) for name in last_operators(graph)}
    return tuple(node for node in left if node.partition(" ")[2] not in wanted)


def compared(
    parent: Path, path: Path, quantization: Quantization, calibration: Images, *, mixes: bool = False
) -> tuple[OutputNoise, ...]:
    """Compare every output of an int8 file with its float parent's, on the calibration images or inputs.

    Agreement of class scores is only computed on real inputs, because random ones show no class. `mixes` says that an
    output of a detector may have both boxes and scores.
    """
    is_real, apart = quantization.calibration != RANDOM, MIXED if mixes else APART
    return output_noise(parent, path, calibration(), compares_rows=is_real, apart=apart)


def _require_quantized(parent: Path, path: Path) -> None:
    """Refuse an int8 file without any integer operator.

    Raises:
        CaseError: no operator has an int8 form.
    """
    import onnx

    if any(node.op_type == "DequantizeLinear" for node in onnx.load(path, load_external_data=False).graph.node):
        return
    raise CaseError(f"{nothing_of(onnx.load(parent, load_external_data=False).graph.node)}; {REMEDY}")


def _named(parent: Path, path: Path) -> Path:
    """Write a float file with a name for each operator, because user-supplied files may lack names."""
    import onnx

    proto = onnx.load(parent)
    opset = next(one.version for one in proto.opset_import if one.domain in ("", "ai.onnx"))
    _separate_constants(proto)
    if opset < LEAST_OPSET_OF_INT8:
        proto = _converted(proto, opset)
    for node in proto.graph.node:
        node.name = node.name or node.output[0]
    onnx.save(proto, path)
    return path


def _separate_constants(proto: Any) -> None:
    """Remove the constants from the inputs of a graph.

    Before IR version 4 every constant is an input, too: when onnxruntime's optimizer merges equal constants,
    inputs without values remain.
    """
    proto.ir_version = max(proto.ir_version, LEAST_IR_OF_CONSTANTS)
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)


def _converted(proto: Any, opset: int) -> Any:
    """Convert a graph of an older operator set to the first one that has int8.

    Raises:
        CaseError: an operator of it cannot be converted.
    """
    from onnx.version_converter import convert_version

    try:
        return convert_version(proto, LEAST_OPSET_OF_INT8)
    except Exception as error:  # the converter raises many kinds of errors
        raise CaseError(
            f"int8 needs opset {LEAST_OPSET_OF_INT8}, the file has {opset} and cannot be converted"
            f" ({in_words(error)[:200]}); export it with a newer one"
        ) from error


def trace(network: nn.Module, shape: tuple[int, int, int], path: Path, outputs: Sequence[str] = (OUTPUT,)) -> None:
    """Trace a network for images, (C, R, R) each, and write it to a file.

    The older of torch's exporters is used: it is ten times faster, and it keeps the global average pool as an operator
    with an integer form; the newer one writes a mean, which stays float.
    """
    import torch

    images = torch.zeros(1, *shape)
    _write_norms_as_operators(network)
    _write_padding_as_attributes(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # These warn that sizes become constants, as intended.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            network,
            (images,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(outputs),
            dynamic_axes={name: {0: "batch"} for name in (INPUT, *outputs)},
        )


def _write_norms_as_operators(network: nn.Module) -> None:
    """Export local response norms as ONNX's LRN, because the exporter splits each into a dozen float operators."""
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


def _write_padding_as_attributes(network: nn.Module) -> None:
    """Let convolutions that pad one side more than the other become one operator: the exporter pads in another."""
    import torch
    from torch.nn import functional

    from edgebench.networks.architectures._tf import SamePadded

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, features: Tensor, weight: Tensor, bias: Tensor | None, layer: SamePadded) -> Tensor:
            padded = functional.pad(features, layer.pads)
            return functional.conv2d(padded, weight, bias, layer.stride, 0, layer.dilation, layer.groups)

        @staticmethod
        def symbolic(graph: Any, features: Any, weight: Any, bias: Any, layer: SamePadded) -> Any:
            left, right, top, bottom = layer.pads
            operator = graph.op(
                "Conv",
                *(features, weight, *([] if layer.bias is None else [bias])),
                kernel_shape_i=layer.kernel_size,
                strides_i=layer.stride,
                pads_i=(top, left, bottom, right),
                dilations_i=layer.dilation,
                group_i=layer.groups,
            )
            return operator.setType(features.type().with_sizes([None] * 4))

    for layer in network.modules():
        if isinstance(layer, SamePadded):
            layer._conv_forward = partial(_convolve, Function, layer)  # type: ignore[method-assign]


def _convolve(function: Any, layer: Any, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    convolved: Tensor = function.apply(features, weight, bias, layer)
    return convolved


def _apply(function: Any, arguments: tuple[float, ...], features: Tensor) -> Tensor:
    normed: Tensor = function.apply(features, *arguments)
    return normed
