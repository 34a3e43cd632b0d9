"""Quantize a float file with ai-edge-quantizer; the int8 file has integer inputs and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.export.formats.tflite.flatbuffer import File, Operator
from edgebench.export.formats.tflite.large import in_slices
from edgebench.export.formats.tflite.norm import NAME as NORM
from edgebench.export.formats.tflite.silence import silent
from edgebench.foundation.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy import float32
    from numpy.typing import NDArray

    from edgebench.schema.quantization import Quantization

    Images = Callable[[], Iterator[NDArray[float32]]]
    Ranges = dict[str, Any]  # maps a tensor's name to {"min": ..., "max": ...}, as the quantizer does

STEPS, MOST_WEIGHT = 255, 127  # number of steps in an activation's range; the largest weight as a number of steps
# The narrowest range of an activation, which has 255 steps.
# TFLite stores the upper limit of a ReLU6, 6, as a number of steps in 31 bits, so narrower ranges do not load.
# Only untrained networks, whose signal fades from layer to layer, come near this limit.
LEAST_RANGE = 2.0**-17
MOST_BIAS_STEPS = 2.0**30  # a bias is a 31-bit number of steps; its step is the input's step times the weight's step


def quantize(parent: Path, path: Path, quantization: Quantization, images: Images) -> None:
    """Write the int8 form of `parent`, a float file, to `path`.

    An activation's range is from the smallest to the largest value that it has on any of the `images`, which are
    float32 of shape (N, C, R, R).

    Raises:
        CaseError: there are no images, or an activation is not finite.
    """
    with silent(), in_slices():
        from ai_edge_quantizer import quantizer

        recipe = _recipe(quantization)
        found = _ranges(parent, images, recipe)
        done = quantizer.Quantizer(str(parent), recipe.get_quantization_recipe()).quantize(
            found | _room_for_biases(File(parent), found, quantization.granularity),
            enable_progress_bar=False,
            enable_progress_report=False,
        )
    path.write_bytes(done.quantized_model)


def _recipe(quantization: Quantization) -> Any:
    """Return the quantizer's recipe: 8 bits for all operators, except the operators of local response norms.

    The squares in these norms span too many orders of magnitude for 8 bits.
    """
    from ai_edge_quantizer import algorithm_manager, qtyping, recipe_manager

    recipe, everything = recipe_manager.RecipeManager(), qtyping.TFLOperationName.ALL_SUPPORTED
    recipe.add_static_config(
        regex=".*",
        operation_name=everything,
        activation_num_bits=8,
        weight_num_bits=8,
        weight_granularity=qtyping.QuantGranularity(
            {"per_channel": "CHANNELWISE", "per_tensor": "TENSORWISE"}[quantization.granularity]
        ),
    )
    recipe.add_quantization_config(
        regex=NORM, operation_name=everything, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE
    )
    return recipe


def _ranges(parent: Path, images: Images, recipe: Any) -> Ranges:
    """Return the smallest and largest value of every activation, from running one image at a time in TFLite."""
    import numpy
    from ai_edge_quantizer import calibrator
    from ai_edge_quantizer.utils import qsv_utils

    # gives the same ranges as TFLite's reference kernels, in a tenth of the time
    mode = calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED
    seeing = calibrator.Calibrator(str(parent), 1, mode, qsv_utils.min_max_update)
    ((signature, names),) = seeing.get_signature_list().items()
    for batch in images():
        image = numpy.ascontiguousarray(batch.transpose(0, 2, 3, 1))
        seeing.calibrate({signature: [{names["inputs"][0]: image}]}, recipe)
    found: Ranges = seeing.get_model_qsvs()
    if not found:
        raise CaseError("no calibration images: without them, int8 ranges cannot be found")
    found |= {padded: found[bare] for padded, bare in _padded(File(parent)).items()}
    return {tensor: _wide_enough(tensor, **ends) for tensor, ends in found.items()}


def _padded(file: File) -> dict[str, str]:
    """Map each tensor that results from padding with -infinity to the tensor before padding.

    The two tensors then get the same range, and the padding becomes the smallest integer of that range.
    """
    import numpy

    pads = (one for one in file.operators() if one.name == "PADV2" and file.is_constant(one.inputs[2]))
    return {
        one.output.name.decode(): one.inputs[0].name.decode()
        for one in pads
        if numpy.isneginf(file.values(one.inputs[2], "<f4"))
    }


def _wide_enough(tensor: str, min: Any, max: Any) -> dict[str, Any]:
    import numpy

    if not (numpy.isfinite(min).all() and numpy.isfinite(max).all()):
        raise CaseError(f"activation {tensor[-80:]} is not finite on the calibration images: it has no int8 range")
    return {"min": min, "max": numpy.maximum(max, min + LEAST_RANGE)}


def _room_for_biases(file: File, ranges: Ranges, granularity: str) -> Ranges:
    """Return wider weight ranges for channels whose weights are too small for their bias.

    A bias is stored as a number of steps; this number is too large for 32 bits if the weights' range is very narrow.
    """
    wider: Ranges = {}
    for one in file.operators():
        if one.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") and len(one.inputs) == 3:
            own, needed = _weight_ranges(file, one, ranges, granularity)
            if (needed > own).any():
                most = own.clip(needed)
                wider[one.inputs[1].name.decode()] = {"min": -most, "max": most}
    return wider


def _weight_ranges(file: File, operator: Operator, ranges: Ranges, granularity: str) -> tuple[Any, Any]:
    """Return each range's largest weight, and the least largest weight with which the bias fits into 32 bits."""
    import numpy

    source, weights, bias = operator.inputs
    values = numpy.abs(file.values(weights, "<f4"))
    channels = [3 if operator.name == "DEPTHWISE_CONV_2D" else 0]
    shape = [size if axis in channels else 1 for axis, size in enumerate(values.shape)]
    others = tuple(axis for axis in range(values.ndim) if granularity == "per_tensor" or axis not in channels)
    step = numpy.ptp(numpy.hstack([0.0, *map(numpy.ravel, ranges[source.name.decode()].values())])) / STEPS
    needed = numpy.abs(file.values(bias, "<f4")) / step / MOST_BIAS_STEPS * MOST_WEIGHT
    return values.max(others, keepdims=True), needed.astype("f4").reshape(shape).max(others, keepdims=True)
