"""Read and change the operators and tensors of a TFLite file, with the flatbuffer schema of ai-edge-litert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


# For each operator that this package adds to files: its version, and the name of its options in the schema.
_ADDED = {
    "CONV_2D": (3, "Conv2DOptions"),
    "PAD": (2, "PadOptions"),
    "RESHAPE": (1, "ReshapeOptions"),
    "STRIDED_SLICE": (2, "StridedSliceOptions"),
    "TRANSPOSE": (2, "TransposeOptions"),
}


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a file: its name in TFLite's schema, such as `CONV_2D`, and its input and output tensors."""

    name: str
    raw: Any
    inputs: tuple[Any, ...]
    output: Any


class File:
    """A file with a single graph, which can be read and changed."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.tools import flatbuffer_utils

        self._tools = flatbuffer_utils
        self._model = flatbuffer_utils.read_model(str(path))
        self.graph = self._model.subgraphs[0]

    def operators(self) -> Iterator[Operator]:
        """Yield the operators in the order in which they run."""
        names = {code: name for name, code in vars(self._tools.schema_fb.BuiltinOperator).items()}
        for raw in self.graph.operators:
            code = self._model.operatorCodes[raw.opcodeIndex]
            name = names[self._tools.get_builtin_code_from_operator_code(code)]
            inputs = tuple(self.graph.tensors[place] for place in raw.inputs if place >= 0)  # -1 is an absent input
            yield Operator(name, raw, inputs, self.graph.tensors[raw.outputs[0]])

    def type(self, tensor: Any) -> str:
        """Return a tensor's type, such as `FLOAT32` or `INT8`."""
        name: str = self._tools.type_to_name(tensor.type)
        return name

    def is_constant(self, tensor: Any) -> bool:
        """Return whether a tensor's values are stored in the file."""
        return self._model.buffers[tensor.buffer].data is not None

    def values(self, tensor: Any, kind: str) -> NDArray[Any]:
        """Return a constant's values in the tensor's shape."""
        import numpy

        return numpy.frombuffer(self._model.buffers[tensor.buffer].data, kind).reshape(tensor.shape)

    def set_values(self, tensor: Any, values: NDArray[Any]) -> None:
        """Replace a constant's values by the same number of values of the same type."""
        import numpy

        self._model.buffers[tensor.buffer].data = numpy.frombuffer(values.tobytes(), numpy.uint8)

    def add_constant(self, name: str, values: NDArray[Any]) -> int:
        """Add a constant of float32 or int32, and return its index."""
        import numpy

        place = self.add_tensor(name, values.shape, values.dtype.name)
        buffer = self._tools.schema_fb.BufferT()
        buffer.data = numpy.frombuffer(values.tobytes(), numpy.uint8)
        self._model.buffers.append(buffer)
        self.graph.tensors[place].buffer = len(self._model.buffers) - 1
        return place

    def add_tensor(self, name: str, shape: Sequence[int], kind: str) -> int:
        """Add a tensor, whose values an operator computes, and return its index."""
        import numpy

        tensor = self._tools.schema_fb.TensorT()
        tensor.name, tensor.shape, tensor.hasRank = name.encode(), numpy.array(shape, numpy.int32), True
        tensor.type = getattr(self._tools.schema_fb.TensorType, kind.upper())
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, name: str, inputs: Sequence[int], output: int, **options: Any) -> Any:
        """Return a new operator, which the caller puts into the graph; tensors are given by their indices."""
        import numpy

        schema, (version, kind) = self._tools.schema_fb, _ADDED[name]
        raw = schema.OperatorT()
        raw.opcodeIndex = self._code(getattr(schema.BuiltinOperator, name), version)
        raw.inputs, raw.outputs = numpy.array(inputs, numpy.int32), numpy.array([output], numpy.int32)
        raw.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        raw.builtinOptions = getattr(schema, f"{kind}T")()
        for option, value in options.items():
            setattr(raw.builtinOptions, option, value)
        return raw

    def _code(self, builtin: int, version: int) -> int:
        """Return the index of an operator's code among the file's codes; add the code if the file lacks it."""
        codes = self._model.operatorCodes
        for place, code in enumerate(codes):
            if self._tools.get_builtin_code_from_operator_code(code) == builtin:
                code.version = max(code.version, version)
                return place
        code = self._tools.schema_fb.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = version
        codes.append(code)
        return len(codes) - 1

    def write(self, path: Path) -> None:
        """Write the changed file."""
        self._tools.write_model(self._model, str(path))
