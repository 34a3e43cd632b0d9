"""A TFLite file's operators and tensors -> its types, its weights, and the multiply-adds of one image.

Numbers and layouts of operators are those of TensorFlow's `schema.fbs`, version 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from edgebench.export.formats.onnx.count import Uncounted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.export.custom.shape import Dimensions

_FIRST = (
    *("ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE"),
    *("EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP", "L2_NORMALIZATION", "L2_POOL_2D"),
    *("LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION", "LSTM", "MAX_POOL_2D", "MUL", "RELU"),
    *("RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH"),
    *("CONCAT_EMBEDDINGS", "SKIP_GRAM", "CALL", "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD"),
    *("UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN"),
    *("SUB", "DIV", "SQUEEZE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN"),
    *("EXP", "TOPK_V2", "SPLIT", "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU"),
    *("MAXIMUM", "ARG_MAX", "MINIMUM", "LESS", "NEG", "PADV2"),
)
NAMES = dict(enumerate(_FIRST)) | {
    67: "TRANSPOSE_CONV",
    82: "REDUCE_MAX",
    92: "SQUARE",
    97: "RESIZE_NEAREST_NEIGHBOR",
    98: "LEAKY_RELU",
    111: "ELU",
    114: "QUANTIZE",
    117: "HARD_SWISH",
    126: "BATCH_MATMUL",
    132: "CONV_3D",
    141: "CONV_3D_TRANSPOSE",
    150: "GELU",
    171: "STABLEHLO_CONVOLUTION",
    197: "STABLEHLO_DOT_GENERAL",
}
# Which inputs of an operator that multiplies are its data and its weights.
_MULTIPLIES = {
    "BATCH_MATMUL": (0, 1),
    "CONV_2D": (0, 1),
    "CONV_3D": (0, 1),
    "DEPTHWISE_CONV_2D": (0, 1),
    "FULLY_CONNECTED": (0, 1),
    "TRANSPOSE_CONV": (2, 1),
}
_BIAS = {"TRANSPOSE_CONV": 3}
_OTHERS = ("CONV_3D_TRANSPOSE", "CONVOLUTION", "DOT_GENERAL", "LSTM", "RNN", "SVDF", "operator")
_ADDRESSES = ("int32", "int64", "bool", "string")  # constants of these are shapes and axes, but for biases
CHANGES_TYPE = ("QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor of the graph; `dims` has 0 where a size is open.

    Attributes:
        place: its number in the file.
        scale, zero: what its integers stand for, scale x (integer - zero); a scale of 0 for no such thing.
        is_constant: its values lie in the file.
    """

    place: int
    name: str
    dims: Dimensions
    dtype: str
    scale: float
    zero: int
    is_constant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An operator: what it is called, what it reads, None where an optional input is not there, and what it makes.

    Attributes:
        is_turned: of a product, that what it reads is transposed.
    """

    name: str
    inputs: tuple[Tensor | None, ...]
    output: Tensor
    is_turned: bool

    @property
    def multiplies(self) -> bool:
        """Whether it is one of those whose multiply-adds are counted."""
        return self.name in _MULTIPLIES

    @property
    def is_float(self) -> bool:
        """Whether it reads or makes floats."""
        return "float32" in {tensor.dtype for tensor in (*self.inputs, self.output) if tensor}

    @property
    def data(self) -> Tensor:
        """What an operator that multiplies reads."""
        return self._input(_MULTIPLIES[self.name][0])

    @property
    def weight(self) -> Tensor:
        """What an operator that multiplies multiplies with."""
        return self._input(_MULTIPLIES[self.name][1])

    def _input(self, place: int) -> Tensor:
        if tensor := self.inputs[place]:
            return tensor
        raise Uncounted(f"{self.name} {self.output.name} has no input {place}")


def types(operators: Sequence[Operator]) -> tuple[list[str], list[str], list[str]]:
    """Return the types of activations, of weights, and of constants that are dequantized."""
    layers = [one for one in operators if one.multiplies]
    read = [one.inputs[0] for one in operators if one.name == "DEQUANTIZE"]
    return (
        [tensor.dtype for one in layers for tensor in (one.data, one.output)],
        [one.weight.dtype for one in layers],
        [tensor.dtype for tensor in read if tensor and tensor.is_constant],
    )


def weights(operators: Sequence[Operator]) -> int:
    """Count the values of all constants but shapes and axes, each tensor once.

    Raises:
        Uncounted: the size of one is open.
    """
    taken = {
        tensor.place: tensor
        for one in operators
        for place, tensor in enumerate(one.inputs)
        if tensor and tensor.is_constant and (tensor.dtype not in _ADDRESSES or _is_bias(one, place))
    }
    return sum(prod(_sizes(tensor)) for tensor in taken.values() if tensor.dims)


def _is_bias(operator: Operator, place: int) -> bool:
    return operator.multiplies and place == _BIAS.get(operator.name, 2)


def _sizes(tensor: Tensor) -> Dimensions:
    if 0 in tensor.dims[1:]:
        raise Uncounted(f"the size of {tensor.name} is open")
    return tensor.dims


def multiply_adds(operators: Sequence[Operator]) -> list[tuple[Operator, int]]:
    """Return the operators that multiply, and the multiply-adds of each for one image.

    Raises:
        Uncounted: one of them is not known, or a size is open.
    """
    for one in operators:
        if any(word in one.name for word in _OTHERS) and _has_weights(one):
            raise Uncounted(f"{one.name} {one.output.name} is not counted")
    rows = _rows(operators)
    return [(one, _of_operator(one, rows)) for one in operators if one.multiplies]


def integers(operators: Sequence[Operator]) -> tuple[tuple[str, ...], float | None]:
    """Name the operators that compute in float, and the share of multiply-adds that do not; None if not all count."""
    left = [one for one in operators if one.name not in CHANGES_TYPE and one.is_float]
    names = tuple(f"{one.name} {one.output.name}" for one in left)
    try:
        counted = multiply_adds(operators)
    except Uncounted:
        return names, None
    whole = sum(macs for one, macs in counted if not one.is_float)
    return names, whole / (sum(macs for _, macs in counted) or 1)


def _has_weights(operator: Operator) -> bool:
    return any(one and one.is_constant and len(one.dims) > 1 and one.dtype not in _ADDRESSES for one in operator.inputs)


def _rows(operators: Sequence[Operator]) -> dict[int, int]:
    """Return the first size of every tensor for one image: an open one may count more than images."""
    rows = dict[int, int]()
    for one in operators:
        source = next((tensor for tensor in one.inputs if tensor and not tensor.is_constant), None)
        if one.output.dims[:1] != (0,) or source is None:
            rows[one.output.place] = one.output.dims[0] if one.output.dims else 1
            continue
        before = rows.get(source.place, source.dims[0] or 1)
        whole = before * prod(source.dims[1:])
        if one.name == "RESHAPE":
            before = whole // (prod(one.output.dims[1:]) or 1)
        elif one.name == "FULLY_CONNECTED":
            before = whole // (one.weight.dims[-1] or 1)
        rows[one.output.place] = before
    return rows


def _of_operator(operator: Operator, rows: dict[int, int]) -> int:
    """Multiply an output's values by the products that each is the sum of; weights are OHWI, 1HWO, OI, DHWIO."""
    weight, data = _sizes(operator.weight), _sizes(operator.data)
    if 0 in weight:
        raise Uncounted(f"the size of {operator.weight.name} is open")
    made = rows[operator.output.place] * prod(_sizes(operator.output)[1:])
    match operator.name:
        case "TRANSPOSE_CONV":  # each value read goes into so many
            return rows.get(operator.data.place, data[0] or 1) * prod(data[1:]) * prod(weight[:3])
        case "DEPTHWISE_CONV_2D":
            return made * prod(weight[1:3])
        case "CONV_3D":
            return made * prod(weight[:4])
        case "BATCH_MATMUL":
            return made * data[-2 if operator.is_turned else -1]
        case "FULLY_CONNECTED":
            return made * weight[-1]
    return made * prod(weight[1:])
