"""ONNX files: torch's exporter writes the float file, and onnxruntime's static quantization makes the int8 file.

The batch axis is dynamic, so one file serves every batch size. An int8 file is in QDQ form: each float operator lies
between operators that dequantize and quantize. onnxruntime fuses these operators to integer operators when it loads the
file; `float_nodes` lists the operators that onnxruntime does not fuse.
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
LEAST_OPSET_OF_INT8 = 13  # the first operator set in which a weight can have a scale per channel
LEAST_IR_OF_CONSTANTS = 4  # the first IR version in which a constant need not be listed as an input
NOISE_BATCHES = 8  # this many calibration images are enough to find the layer that loses the most signal
INPUT, OUTPUT = "images", "logits"


def refuses(variant: Variant) -> str:
    """Refuse 16-bit floats, because onnxruntime's CPU provider would compute such a file in fp32."""
    if variant.weights == WeightSource.CUSTOM or variant.precision in (Precision.FP32, Precision.INT8):
        return ""
    return f"onnx files are written in fp32 and int8, not {variant.precision}: use --runtime torch"


def write(path: Path, variant: Variant, channels: int, network: Callable[[], nn.Module]) -> None:
    """Write the variant's network in float."""
    names: tuple[str, ...] = load("tasks", task(variant.architecture)).OUTPUTS
    trace(network(), (channels, variant.resolution, variant.resolution), path, names)


def write_int8(parent: Path, path: Path, quantization: Quantization, calibration: Images) -> Written:
    """Write the int8 form of a float file; report which operators stay in float, and how much signal each layer loses.

    Raises:
        CaseError: the file's operator set has no int8, there are no images, or an activation is not finite.
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
    """Return the operators of an int8 file that compute in float although the scheme does not ask for it."""
    import onnx

    left, wanted = float_nodes(path), set[str]()
    if quantization.float_outputs:
        graph = onnx.load(named, load_external_data=False).graph
        wanted = {layer_name(name) for name in last_operators(graph)}
    return tuple(node for node in left if node.partition(" ")[2] not in wanted)


def compared(
    parent: Path, path: Path, quantization: Quantization, calibration: Images, *, mixes: bool = False
) -> tuple[OutputNoise, ...]:
    """Compare an int8 file's outputs with the outputs of its float parent, on the calibration images or inputs.

    Agreement of class scores is computed on real inputs only, because random inputs belong to no class. `mixes` says
    that one output of a detector can contain both boxes and scores.
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
    """Write a copy of a float file in which every operator has a name, because user-supplied files may lack names."""
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
    """Remove the constants from the list of a graph's inputs.

    Before IR version 4, every constant is also listed as an input. If constants stayed in the list of inputs, inputs
    without values would remain after onnxruntime's optimizer has merged equal constants.
    """
    proto.ir_version = max(proto.ir_version, LEAST_IR_OF_CONSTANTS)
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)


def _converted(proto: Any, opset: int) -> Any:
    """Convert a graph of an older operator set to the first operator set that has int8.

    Raises:
        CaseError: one of the graph's operators cannot be converted.
    """
    from onnx.version_converter import convert_version

    try:
        return convert_version(proto, LEAST_OPSET_OF_INT8)
    except Exception as error:  # the converter raises many kinds of errors
        raise CaseError(
            f"int8 needs opset {LEAST_OPSET_OF_INT8}, the file has {opset} and cannot be converted"
            f" ({in_words(error)[:200]}); export it with a newer opset"
        ) from error


def trace(network: nn.Module, shape: tuple[int, int, int], path: Path, outputs: Sequence[str] = (OUTPUT,)) -> None:
    """Trace a network for images of `shape`, (C, R, R), and write its graph to a file.

    torch has two exporters, and this function uses the older exporter. The older exporter is ten times faster, and it
    writes a global average pool as one operator, which has an integer form. The newer exporter writes a mean, which
    stays in float.
    """
    import torch

    images = torch.zeros(1, *shape)
    _write_norms_as_operators(network)
    _write_padding_as_attributes(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # A TracerWarning says that a size becomes a constant, which is intended.
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
    """Make the exporter write each local response norm as ONNX's LRN, instead of a dozen float operators."""
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
    """Make the exporter write a convolution with unequal padding as one operator, without a separate Pad."""
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
