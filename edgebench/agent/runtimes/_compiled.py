"""Sessions of LiteRT's CompiledModel, the interface for its accelerators, on the same files as its interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from edgebench.agent.feed import arrays
from edgebench.agent.runtimes._tflite import InferenceSession

UNKNOWN = (0.0, 0)  # stands for a scale and a zero point, because the interface does not report them
Facts = Callable[[], dict[str, str]]


class Compiled:
    """A compiled signature with those methods of an interpreter that sessions call.

    The index of an input or an output is its place in the signature.
    """

    def __init__(self, model: Any, signature: str = "") -> None:
        self._model, listed = model, model.get_signature_list()
        self._key = signature or next(iter(listed))
        self._number = model.get_signature_index(self._key)
        self._names = listed[self._key]
        self.allocate_tensors()

    def get_input_details(self) -> list[dict[str, Any]]:
        """Describe the inputs, in the signature's order."""
        return self._details(self._names["inputs"], self._model.get_input_tensor_details(self._key))

    def get_output_details(self) -> list[dict[str, Any]]:
        """Describe the outputs, in the signature's order."""
        return self._details(self._names["outputs"], self._model.get_output_tensor_details(self._key))

    def _details(self, names: Sequence[str], details: Mapping[str, Any]) -> list[dict[str, Any]]:
        import numpy

        tensors = [details[name] for name in names]
        return [
            tensor
            | {
                "index": place,
                "tensor": tensor["index"],
                "argument": name,
                "dtype": numpy.dtype(tensor["dtype"]),
                "quantization": UNKNOWN,
            }
            for place, (name, tensor) in enumerate(zip(names, tensors, strict=True))
        ]

    def resize_tensor_input(self, index: int, shape: Sequence[int]) -> None:
        """Give an input a static shape; call `allocate_tensors` afterwards."""
        if tuple(self.get_input_details()[index]["shape"]) != tuple(shape):
            self._model.resize_input_tensor(index, [int(size) for size in shape], self._number, strict=False)

    def allocate_tensors(self) -> None:
        """Make the buffers of inputs and outputs."""
        self._inputs = self._model.create_input_buffers(self._number)
        self._outputs = self._model.create_output_buffers(self._number)
        self._shapes = [(tuple(output["shape"]), output["dtype"].type) for output in self.get_output_details()]

    def set_tensor(self, index: int, value: Any) -> None:
        """Write an input."""
        self._inputs[index].write(value)

    def get_tensor(self, index: int) -> Any:
        """Return a copy of an output of the last run."""
        shape, dtype = self._shapes[index]
        return self._outputs[index].read(prod(shape), dtype).reshape(shape)

    def invoke(self) -> None:
        """Run the signature."""
        self._model.run_by_index(self._number, self._inputs, self._outputs)


class CompiledSession(InferenceSession):
    """A session on an image classifier; with `is_on_gpu`, a run includes the copies to the GPU and back."""

    def __init__(self, model: Any, batch: int, path: str, facts: Facts, *, is_on_gpu: bool) -> None:
        super().__init__(Compiled(model), batch)
        self._path, self._facts, self._is_on_gpu = path, facts, is_on_gpu
        self._image = self._noise((batch, *self._input["shape"][1:]))

    def run(self) -> None:
        """Run the graph on the bound images; the outputs are in host memory on return."""
        if self._is_on_gpu:
            self._bind(self._image)
        self._interpreter.invoke()
        if self._is_on_gpu:
            for output in self._outputs:
                self._interpreter.get_tensor(output["index"])

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...], classes: int = 0) -> bytes:
        """Run the graph on float32 inputs of `shape` (N, C, R, R), batch by batch; return the scores as float32."""
        if self._path:
            self._learn_scales()
        return super().infer(data, shape, classes)

    def _learn_scales(self) -> None:
        """Read the scales and the order of the outputs from the file; the compiled model does not report them."""
        from ai_edge_litert.interpreter import Interpreter

        file, outputs = Interpreter(self._path), {output["tensor"]: output for output in self._outputs}
        self._input |= {"quantization": file.get_input_details()[0]["quantization"]}
        self._outputs = [
            outputs[details["index"]] | {"quantization": details["quantization"]}
            for details in file.get_output_details()
        ]
        self._path = ""

    def facts(self) -> dict[str, str]:
        """Return facts about the compiled model and its weight cache."""
        return self._facts()


class CompiledFedSession:
    """A session on a model with a feed (a description of its inputs), as `FedSession` is for the interpreter."""

    def __init__(self, model: Any, batch: int, feed: Mapping[str, Any], facts: Facts) -> None:
        signature = feed.get("signature", "")
        self._compiled, self.facts = Compiled(model, signature), facts
        named = "argument" if signature else "name"
        self._inputs = {details[named]: details["index"] for details in self._compiled.get_input_details()}
        self._places = {details[named]: details["index"] for details in self._compiled.get_output_details()}
        self._values = arrays(feed, batch)
        self._write()

    def _write(self) -> None:
        """Give every input the shape of its value, and then write all values."""
        for name, value in self._values.items():
            self._compiled.resize_tensor_input(self._inputs[name], value.shape)
        self._compiled.allocate_tensors()
        for name, value in self._values.items():
            self._compiled.set_tensor(self._inputs[name], value)

    def give(self, name: str, value: Any) -> None:
        """Set an input to the output of another session."""
        has_shape = name in self._values and self._values[name].shape == value.shape
        self._values[name] = value
        if has_shape:
            self._compiled.set_tensor(self._inputs[name], value)
        else:
            self._write()

    def take(self, name: str) -> Any:
        """Return a copy of an output of the last run."""
        return self._compiled.get_tensor(self._places[name])

    def run(self) -> None:
        """Run the graph on the bound inputs; the outputs are in host memory on return."""
        self._compiled.invoke()

    def outputs(self) -> dict[str, Any]:
        """Return every output of the last run, by name."""
        return {name: self.take(name) for name in self._places}
