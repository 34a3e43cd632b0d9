"""The session shared by LiteRT and tflite-runtime: an interpreter with one image input, NHWC, and one output."""

from typing import Any

SEED = 0  # of the image for timing


class InferenceSession:
    """One loaded file for a fixed batch size, to which it is resized once before use.

    Some files also contain a fixed batch size; tflite-runtime 2.14.0 may crash when such a file is resized.
    """

    def __init__(self, interpreter: Any, batch: int) -> None:

        self._interpreter, self._batch = interpreter, batch
        shape = (batch, *interpreter.get_input_details()[0]["shape"][1:])
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], shape)
        interpreter.allocate_tensors()
        self._input, self._output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        self._bind(self._noise(shape))

    def _noise(self, shape: tuple[int, ...]) -> Any:
        """Draw noise in the range of normalized images, or of integers: no denormals, few zeros to skip."""
        import numpy

        noise, (scale, zero) = numpy.random.default_rng(SEED), self._input["quantization"]
        if numpy.issubdtype(self._input["dtype"], numpy.integer):
            levels = numpy.iinfo(self._input["dtype"])
            return (noise.integers(levels.min, levels.max + 1, shape).astype(numpy.float32) - zero) * (scale or 1)
        return noise.uniform(-1, 1, shape).astype(numpy.float32)

    def _bind(self, images: Any) -> None:
        """Write a batch, (N, R, R, C) float32, to the input; quantize it if the input has integers with a scale."""
        import numpy

        scale, zero = self._input["quantization"]
        if numpy.issubdtype(self._input["dtype"], numpy.integer):
            levels = numpy.iinfo(self._input["dtype"])
            images = numpy.clip(numpy.rint(images / (scale or 1)) + zero, levels.min, levels.max).astype(levels.dtype)
        self._interpreter.set_tensor(self._input["index"], images)

    def run(self) -> None:
        """Run the graph on the bound images; the outputs are in host memory on return."""
        self._interpreter.invoke()

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...]) -> bytes:
        """Run the graph on float32 inputs of `shape` (N, C, R, R), batch by batch; return its outputs as float32."""
        import numpy

        images = numpy.frombuffer(data, dtype="<f4").reshape(shape).transpose(0, 2, 3, 1)
        parts = numpy.split(images, range(self._batch, len(images), self._batch))
        answers: bytes = numpy.concatenate([self._answer(part) for part in parts]).astype("<f4").tobytes()
        return answers

    def _answer(self, part: Any) -> Any:
        """Return the outputs of at most one batch, padded to a full batch."""
        import numpy

        self._bind(numpy.pad(part, [(0, self._batch - len(part)), (0, 0), (0, 0), (0, 0)]))
        self._interpreter.invoke()
        outputs = self._interpreter.get_tensor(self._output["index"])[: len(part)].astype("<f4")
        scale, zero = self._output["quantization"]
        return (outputs - zero) * scale if scale else outputs

    def facts(self) -> dict[str, str]:
        """Return the delegate that took over operators: XNNPACK, which the interpreter tries by default, or none."""
        operators = {operator["op_name"] for operator in self._interpreter._get_ops_details()}
        return {"delegate": "XNNPACK" if "DELEGATE" in operators else "none"}
