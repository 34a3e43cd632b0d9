"""Write the transposed convolutions of a float file as convolutions, which runtimes compute faster.

XNNPACK computes the pixels of a transposed convolution one at a time, and pixels of a convolution several at a time. An
Ethos-U55 has no transposed convolution with a stride of 4.

If the kernel is twice as large as the stride s, each output pixel depends on 2x2 input pixels, and blocks of s x s
output pixels depend on the same ones. A convolution with a kernel of 2x2 computes all values of a block as the channels
of one pixel. It has the same weights in another order, and adds the same products. The values are then moved to their
pixels, and half a block is cut off at each border.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.export.formats.tflite.flatbuffer import File, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SAME, VALID = 0, 1  # TFLite's numbers of the two kinds of padding
NOT_CUT = 0b1001  # one bit for each axis of a map that is not cut: images and channels


def enlarge_by_convolutions(path: Path) -> None:
    """Rewrite the file in place, without transposed convolutions whose kernel is twice as large as their stride."""
    file = File(path)
    operators = tuple(file.operators())
    if any(_is_rewritten(file, one) for one in operators):
        file.graph.operators = [
            raw
            for one in operators
            for raw in (_Rewriting(file, one).steps() if _is_rewritten(file, one) else [one.raw])
        ]
        file.write(path)


def _is_rewritten(file: File, operator: Operator) -> bool:
    if operator.name != "TRANSPOSE_CONV" or not file.is_constant(operator.inputs[1]):
        return False
    _, weights, source, *biases = operator.inputs
    options, stride = operator.raw.builtinOptions, operator.raw.builtinOptions.strideH
    blocks = 0 if options.padding == SAME else 1
    return (
        options.strideW == stride
        and list(weights.shape[1:3]) == [2 * stride, 2 * stride]
        and list(operator.output.shape[1:3]) == [stride * (side + blocks) for side in source.shape[1:3]]
        and {file.type(tensor) for tensor in (weights, source)} == {"FLOAT32"}
        and all(file.is_constant(bias) for bias in biases)
    )


class _Rewriting:
    """The operators that replace one transposed convolution."""

    def __init__(self, file: File, operator: Operator) -> None:
        self._file, self._operator = file, operator
        self._stride = operator.raw.builtinOptions.strideH
        self._name = operator.output.name.decode()
        self._made = 0

    def steps(self) -> Iterator[Any]:
        """Yield the operators in the order in which they run."""
        _, weights, source, *biases = self._operator.inputs
        options, stride, output = self._operator.raw.builtinOptions, self._stride, self._operator.raw.outputs[0]
        channels, _, _, depth = map(int, weights.shape)
        rows, columns = (int(side) for side in source.shape[1:3])
        step = self._file.operator

        padded = self._like(source, [1, rows + 2, columns + 2, depth])
        borders = self._integers([[0, 0], [1, 1], [1, 1], [0, 0]])
        yield step("PAD", [self._operator.raw.inputs[2], borders], padded)

        blocks = self._like(self._operator.output, [1, rows + 1, columns + 1, stride * stride * channels])
        constants = [
            self._constant(weights, self._blockwise),
            *(self._constant(bias, self._repeated) for bias in biases),
        ]
        yield step(
            *("CONV_2D", [padded, *constants], blocks),
            padding=VALID,
            strideH=1,
            strideW=1,
            fusedActivationFunction=options.fusedActivationFunction,
        )

        split = [rows + 1, columns + 1, stride, stride * channels]
        yield self._reshape(blocks, parts := self._like(self._operator.output, split))
        lines = self._like(self._operator.output, [split[0], stride, split[1], split[3]])
        yield step("TRANSPOSE", [parts, self._integers([0, 2, 1, 3])], lines)
        if options.padding == VALID:
            yield self._reshape(lines, output)
            return
        whole = self._like(self._operator.output, [1, stride * (rows + 1), stride * (columns + 1), channels])
        yield self._reshape(lines, whole)
        first, last = stride // 2, [stride // 2 + stride * side for side in (rows, columns)]
        bounds = ([0, first, first, 0], [0, *last, 0], [1, 1, 1, 1])
        masks = {"beginMask": NOT_CUT, "endMask": NOT_CUT}
        yield step("STRIDED_SLICE", [whole, *map(self._integers, bounds)], output, **masks)

    def _reshape(self, source: int, output: int) -> Any:
        """Return a reshape that accepts any number of images."""
        shape = [-1, *map(int, self._file.graph.tensors[output].shape[1:])]
        return self._file.operator("RESHAPE", [source, self._integers(shape)], output, newShape=shape)

    def _blockwise(self, weights: NDArray[Any]) -> NDArray[Any]:
        """Return (outputs, 2s, 2s, inputs) as (s * s * outputs, 2, 2, inputs)."""
        outputs, _, _, inputs = weights.shape
        parts = weights.reshape(outputs, 2, self._stride, 2, self._stride, inputs)
        # The first pixel of a pair is the one whose values the kernel's second half adds to the block.
        return parts[:, ::-1, :, ::-1].transpose(2, 4, 0, 1, 3, 5).reshape(-1, 2, 2, inputs)

    def _repeated(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values of the channels for each pixel of a block."""
        import numpy

        return numpy.tile(values, self._stride**2)

    def _constant(self, tensor: Any, changed: Any) -> int:
        """Add a changed constant, and return its index."""
        return self._file.add_constant(self._next_name(), changed(self._file.values(tensor, "<f4")))

    def _integers(self, values: Sequence[Any]) -> int:
        import numpy

        return self._file.add_constant(self._next_name(), numpy.array(values, numpy.int32))

    def _like(self, tensor: Any, shape: Sequence[int]) -> int:
        """Add a tensor of the type of another one."""
        return self._file.add_tensor(self._next_name(), shape, self._file.type(tensor))

    def _next_name(self) -> str:
        self._made += 1
        return f"{self._name};enlarge{self._made}"
