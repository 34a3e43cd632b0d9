"""Read and change the operators and tensors of a TFLite file, with the flatbuffer schema of ai-edge-litert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray


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

    def write(self, path: Path) -> None:
        """Write the changed file."""
        self._tools.write_model(self._model, str(path))
