"""Sessions of LiteRT and tflite-runtime, for image classifiers (one NHWC input) and for models with other inputs."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from edgebench.agent.feed import arrays

SEED = 0  # seed of the image for timing


def session(interpreter: Any, batch: int, feed: Mapping[str, Any] | None) -> "InferenceSession | FedSession":
    """Return the session of an image classifier, or of a model whose feed describes its inputs."""
    return FedSession(interpreter, batch, feed) if feed else InferenceSession(interpreter, batch)


def delegate(interpreter: Any) -> str:
    """Return the delegate that took over operators: `XNNPACK` (the default delegate) or `none`."""
    operators = {operator["op_name"] for operator in interpreter._get_ops_details()}
    return "XNNPACK" if "DELEGATE" in operators else "none"


class FedSession:
    """A session on a model with a feed (a description of its inputs); it runs the graph of the feed's signature.

    If the feed names no signature, the session runs the file's first graph.

    The interpreter's signature runner resizes and allocates the tensors again for every inference. To avoid this, the
    class calls lower-level functions of the interpreter.
    """

    def __init__(self, interpreter: Any, batch: int, feed: Mapping[str, Any]) -> None:
        self._interpreter, self._graph = interpreter, interpreter._interpreter
        self._number, inputs, self._places = _signature(interpreter, feed.get("signature", ""))
        self._inputs = {name: (details["index"], tuple(details["shape"])) for name, details in inputs.items()}
        values = arrays(feed, batch)
        for name, value in values.items():
            self._resize(name, value.shape)
        self._graph.AllocateTensors(self._number)
        for name, value in values.items():
            self._graph.SetTensor(inputs[name]["index"], value, self._number)

    def _resize(self, name: str, wanted: tuple[int, ...]) -> bool:
        """Resize an input to the shape of the value if they differ; return whether tensors must be allocated again."""
        import numpy

        index, shape = self._inputs[name]
        if shape == wanted:
            return False
        self._graph.ResizeInputTensor(index, numpy.array(wanted, numpy.int32), False, self._number)
        self._inputs[name] = index, wanted
        return True

    def give(self, name: str, value: Any) -> None:
        """Set an input to the output of another session."""
        if self._resize(name, value.shape):
            self._graph.AllocateTensors(self._number)
        self._graph.SetTensor(self._inputs[name][0], value, self._number)

    def take(self, name: str) -> Any:
        """Return a copy of an output of the last run."""
        return self._graph.GetTensor(self._places[name], self._number)

    def run(self) -> None:
        """Run the graph on the bound inputs; the outputs are in host memory on return."""
        self._graph.Invoke(self._number)

    def outputs(self) -> dict[str, Any]:
        """Return every output of the last run, by name."""
        return {name: self._graph.GetTensor(place, self._number) for name, place in self._places.items()}

    def facts(self) -> dict[str, str]:
        """Return the delegate that took over operators."""
        return {"delegate": delegate(self._interpreter)}


def _signature(interpreter: Any, name: str) -> tuple[int, dict[str, Any], dict[str, int]]:
    """Return the index of a signature's graph, each input's details by name, and each output's index by name."""
    if name:
        runner = interpreter.get_signature_runner(name)
        outputs = {output: details["index"] for output, details in runner.get_output_details().items()}
        return runner._subgraph_index, runner.get_input_details(), outputs
    inputs = {details["name"]: details for details in interpreter.get_input_details()}
    return 0, inputs, {details["name"]: details["index"] for details in interpreter.get_output_details()}


class InferenceSession:
    """A session on an image classifier, whose input is resized once, to a fixed batch size.

    If the file itself fixes a different batch size, tflite-runtime 2.14.0 can crash when the input is resized.
    """

    def __init__(self, interpreter: Any, batch: int) -> None:
        self._interpreter, self._batch = interpreter, batch
        shape = (batch, *interpreter.get_input_details()[0]["shape"][1:])
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], shape)
        interpreter.allocate_tensors()
        self._input, self._outputs = interpreter.get_input_details()[0], interpreter.get_output_details()
        self._bind(self._noise(shape))

    def _noise(self, shape: tuple[int, ...]) -> Any:
        """Draw random images with values from -1 to 1, or with all integers of the input's type if it takes integers.

        Denormal values are avoided because they slow kernels, and zeros are rare because kernels could skip them.
        """
        import numpy

        noise, (scale, zero) = numpy.random.default_rng(SEED), self._input["quantization"]
        if numpy.issubdtype(self._input["dtype"], numpy.integer):
            levels = numpy.iinfo(self._input["dtype"])
            return (noise.integers(levels.min, levels.max + 1, shape).astype(numpy.float32) - zero) * (scale or 1)
        return noise.uniform(-1, 1, shape).astype(numpy.float32)

    def _bind(self, images: Any) -> None:
        """Write a batch, (N, R, R, C) float32, to the input; quantize the batch if the input takes integers."""
        import numpy

        scale, zero = self._input["quantization"]
        if numpy.issubdtype(self._input["dtype"], numpy.integer):
            levels = numpy.iinfo(self._input["dtype"])
            images = numpy.clip(numpy.rint(images / (scale or 1)) + zero, levels.min, levels.max).astype(levels.dtype)
        self._interpreter.set_tensor(self._input["index"], images)

    def run(self) -> None:
        """Run the graph on the bound images; the outputs are in host memory on return."""
        self._interpreter.invoke()

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...], classes: int = 0) -> bytes:
        """Run the graph on float32 inputs of `shape` (N, C, R, R), batch by batch; return the scores as float32."""
        import numpy

        self._answers = _scores(self._outputs, classes)
        images = numpy.frombuffer(data, dtype="<f4").reshape(shape).transpose(0, 2, 3, 1)
        parts = numpy.split(images, range(self._batch, len(images), self._batch))
        answers: bytes = numpy.concatenate([self._answer(part) for part in parts]).astype("<f4").tobytes()
        return answers

    def _answer(self, part: Any) -> Any:
        """Run at most one batch of images, padded to a full batch; return their outputs."""
        import numpy

        self._bind(numpy.pad(part, [(0, self._batch - len(part)), (0, 0), (0, 0), (0, 0)]))
        self._interpreter.invoke()
        outputs = [self._output(details)[: len(part)] for details in self._answers]
        return numpy.concatenate(list(map(_flat, outputs)), 1)

    def _output(self, details: Any) -> Any:
        """Return an output in float32."""
        outputs = self._interpreter.get_tensor(details["index"]).astype("<f4")
        scale, zero = details["quantization"]
        return (outputs - zero) * scale if scale else outputs

    def facts(self) -> dict[str, str]:
        """Return the delegate that took over operators: `XNNPACK` (the default delegate) or `none`."""
        return {"delegate": delegate(self._interpreter)}


def _flat(outputs: Any) -> Any:
    """Return the outputs of N images as an array (N, values), after maps are transposed from NHWC to NCHW."""
    is_map = outputs.ndim == 4
    return (outputs.transpose(0, 3, 1, 2) if is_map else outputs).reshape(len(outputs), -1)


def _scores(outputs: Sequence[Any], classes: int) -> Sequence[Any]:
    """Return the outputs that contain the scores.

    If an output has one value per class, return that output. If no output has one value per class, but all outputs
    together have, return all outputs. In all other cases, return the first output.
    """
    counts = [prod(output["shape"][1:]) for output in outputs]
    if classes in counts:
        return [outputs[counts.index(classes)]]
    return outputs if sum(counts) == classes else outputs[:1]
