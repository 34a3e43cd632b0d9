"""What LiteRT and tflite-runtime share: a session on an interpreter with one image input, in NHWC, and one output."""

from typing import Any

SEED = 0  # of the image it is timed on


class Session:
    """One loaded file. Its images may be as many as are asked for: the interpreter is resized where that changes."""

    def __init__(self, interpreter: Any, batch: int) -> None:
        self._interpreter = interpreter
        self._input, self._output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        self._batch = 0
        self._bind(self._noise(batch))

    def _noise(self, batch: int) -> Any:
        import numpy

        # Noise in the range of a normalised image: no denormals, no zeros that a kernel could skip.
        shape = (batch, *self._input["shape"][1:])
        return numpy.random.default_rng(SEED).uniform(-1, 1, shape).astype(numpy.float32)

    def _bind(self, images: Any) -> None:
        """Put images (N, R, R, C) float32 into the input; a file of integers takes them by its scale."""
        import numpy

        if len(images) != self._batch:
            self._batch = len(images)
            self._interpreter.resize_tensor_input(self._input["index"], images.shape)
            self._interpreter.allocate_tensors()
        scale, zero = self._input["quantization"]
        if scale:
            levels = numpy.iinfo(self._input["dtype"])
            images = numpy.clip(numpy.rint(images / scale) + zero, levels.min, levels.max).astype(levels.dtype)
        self._interpreter.set_tensor(self._input["index"], images)

    def run(self) -> None:
        """Run the graph on the bound image; the outputs lie in host memory on return."""
        self._interpreter.invoke()

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...]) -> bytes:
        """Run the graph on `shape` (N, C, R, R) float32 inputs; return its outputs, float32 whatever the file gives."""
        import numpy

        images = numpy.frombuffer(data, dtype="<f4").reshape(shape).transpose(0, 2, 3, 1)
        try:
            answers = self._answers(images)
        except RuntimeError:  # a file may hold the size of its batch inside, too, and not let itself be resized
            self._batch = 0
            answers = numpy.concatenate([self._answers(image[None]) for image in images])
        return answers.astype("<f4").tobytes()  # type: ignore[no-any-return]

    def _answers(self, images: Any) -> Any:
        self._bind(images)
        self._interpreter.invoke()
        outputs = self._interpreter.get_tensor(self._output["index"]).astype("<f4")
        scale, zero = self._output["quantization"]
        return (outputs - zero) * scale if scale else outputs

    def facts(self) -> dict[str, str]:
        """Name the delegate that took over operators: XNNPACK, which the interpreter tries by itself, or none."""
        operators = {one["op_name"] for one in self._interpreter._get_ops_details()}
        return {"delegate": "XNNPACK" if "DELEGATE" in operators else "none"}
