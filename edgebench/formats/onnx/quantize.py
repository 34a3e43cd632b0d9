"""A float file, a scheme and images -> an int8 file, written by onnxruntime's quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy import float32
    from numpy.typing import NDArray

    from edgebench.spec import Quantization


def quantize(
    parent: Path, path: Path, quantization: Quantization, images: Callable[[], Iterator[NDArray[float32]]]
) -> None:
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
            self._batches = images()

        def get_next(self) -> dict[str, NDArray[float32]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"images": batch}

    if next(images(), None) is None:
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
