"""Make an int8 file from a float file with onnxruntime's quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.export.formats.onnx.calibrate import ranges
from edgebench.export.formats.onnx.count import MULTIPLIES
from edgebench.export.formats.onnx.range_methods import is_masked

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.export.formats.onnx.calibrate import Images
    from edgebench.schema.quantization import Quantization


def quantize(parent: Path, path: Path, quantization: Quantization, images: Images) -> None:
    """Write the int8 form of the float file `parent`, as the scheme says, with activation ranges from `images`.

    Raises:
        CaseError: there are no images, or an activation is not finite.
    """
    from numpy import float32
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import TensorsData, save_tensors_data
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared, seen = parent.with_name("prepared.onnx"), parent.with_name("ranges.json")
    quant_pre_process(str(parent), str(prepared), skip_symbolic_shape=True)
    # This setting only tells onnxruntime the layout of the file of ranges, which may come from any method.
    method = CalibrationMethod.MinMax
    found = ranges(prepared, images, quantization)
    masked = {tensor for tensor, ends in found.items() if is_masked(*ends)}
    covered = {tensor: tuple(map(float32, ends)) for tensor, ends in found.items() if tensor not in masked}
    save_tensors_data(TensorsData(method, covered), seen)
    types = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
    quantize_static(
        str(prepared),
        str(path),
        calibration_data_reader=None,
        calibration_cache_path=seen,
        calibrate_method=method,
        quant_format=QuantFormat.QDQ,
        per_channel=quantization.granularity == "per_channel",
        reduce_range=quantization.reduce_range,
        activation_type=types[quantization.activations],
        weight_type=types[quantization.weights],
        nodes_to_exclude=_left_in_float(prepared, masked, quantization),
        extra_options={"ActivationSymmetric": quantization.symmetric},
    )


def _left_in_float(path: Path, masked: set[str], quantization: Quantization) -> list[str]:
    """Return the names of operators that stay in float: next to masked tensors and, on request, near the outputs."""
    import onnx

    if not masked and not quantization.float_outputs:
        return []
    graph = onnx.load(path, load_external_data=False).graph
    touching = [node.name for node in graph.node if masked & {*node.input, *node.output}]
    return touching + (last_operators(graph) if quantization.float_outputs else [])


def last_operators(graph: Any) -> list[str]:
    """Return the names of the operators between the last products with weights and the outputs.

    The last product itself is also included, unless it is one of several products that are joined: all channels of an
    output from one product share a scale.
    """
    makers = {tensor: node for node in graph.node for tensor in node.output}
    found, waiting = dict[str, None](), [(output.name, False) for output in graph.output]
    entered = set[tuple[str, bool]]()
    while waiting:
        tensor, is_joined = waiting.pop()
        node = makers.get(tensor)
        if node is None or (tensor, is_joined) in entered:
            continue
        entered.add((tensor, is_joined))
        is_product = node.op_type in MULTIPLIES
        if not (is_product and is_joined):
            found[node.name] = None
        if not is_product:
            waiting += [(name, is_joined or node.op_type == "Concat") for name in node.input]
    return list(found)
