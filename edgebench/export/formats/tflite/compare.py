"""How far each output of an int8 file is from the same output of its float file, when LiteRT runs both files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.export.formats.onnx.outputs import Gap
from edgebench.export.formats.tflite.silence import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy import float32
    from numpy.typing import NDArray

    from edgebench.schema.artifact import OutputNoise

    Infer = Callable[[NDArray[float32]], list[NDArray[Any]]]


def output_noise(float_path: Path, int8_path: Path, images: Iterable[NDArray[float32]]) -> tuple[OutputNoise, ...]:
    """Return how far each int8 output is from the float output, in the order of the outputs.

    Each image has shape (1, C, R, R).
    """
    infer_float, infer_int8 = opened(float_path), opened(int8_path)
    gaps = list[Gap]()
    for image in images:
        pairs = list(zip(infer_float(image), infer_int8(image), strict=True))
        gaps = gaps or [Gap() for _ in pairs]
        for gap, (wanted, found) in zip(gaps, pairs, strict=True):
            gap.add(wanted, found)
    return tuple(gap.noise_of(f"output {place}", is_scores=False, trap=(0.0, "")) for place, gap in enumerate(gaps))


def opened(path: Path) -> Infer:
    """Return a function that runs a file on a float image, (1, C, R, R), and returns the outputs in float."""
    with silent():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    (entry,), outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def infer(image: NDArray[float32]) -> list[NDArray[Any]]:
        import numpy

        pixels = numpy.ascontiguousarray(image.transpose(0, 2, 3, 1))
        interpreter.set_tensor(entry["index"], _rounded(pixels, entry))
        interpreter.invoke()
        return [_in_float(interpreter.get_tensor(output["index"]), output) for output in outputs]

    return infer


def _rounded(values: NDArray[float32], details: Any) -> NDArray[Any]:
    import numpy

    scale, zero = details["quantization"]
    if not scale:
        return values
    bounds = numpy.iinfo(details["dtype"])
    rounded: NDArray[Any] = (values / scale + zero).round().clip(bounds.min, bounds.max).astype(details["dtype"])
    return rounded


def _in_float(values: NDArray[Any], details: Any) -> NDArray[Any]:
    scale, zero = details["quantization"]
    return (values.astype("f4") - zero) * scale if scale else values
