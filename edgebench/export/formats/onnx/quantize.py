"""A float file, a scheme and images -> an int8 file, written by onnxruntime's quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.export.formats.onnx.calibrate import ranges
from edgebench.export.formats.onnx.range_methods import is_masked

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.export.formats.onnx.calibrate import Images
    from edgebench.schema.quantization import Quantization


def quantize(parent: Path, path: Path, quantization: Quantization, images: Images) -> None:
    """Quantize `parent`, a float file, by the scheme, with activation ranges from `images`.

    Raises:
        CaseError: there are no images, or an activation is not finite.
    """
    from numpy import float32
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import TensorsData, save_tensors_data
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared, seen = parent.with_name("prepared.onnx"), parent.with_name("ranges.json")
    quant_pre_process(str(parent), str(prepared), skip_symbolic_shape=True)
    # only names the layout of the file of ranges; the ranges themselves may come from any method
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
        nodes_to_exclude=_touching(prepared, masked) if masked else [],
        extra_options={"ActivationSymmetric": quantization.symmetric},
    )


def _touching(path: Path, tensors: set[str]) -> list[str]:
    """Return the names of the operators that write or read these tensors; they stay in float."""
    import onnx

    nodes = onnx.load(path, load_external_data=False).graph.node
    return [node.name for node in nodes if tensors & {*node.input, *node.output}]
