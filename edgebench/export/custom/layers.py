"""Functions that find the number types, the number of weights, and the multiply-adds of a TFLite file.

Operator codes and layouts follow TensorFlow's `schema.fbs`, version 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from edgebench.export.formats.onnx.count import Uncounted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.export.custom.shape import Dimensions

_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG
SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5
SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO
RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE
RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD
STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM STABLEHLO_NEGATE
STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH
STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE
STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE
STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE
STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
NAMES = tuple(_NAMES.split())  # TFLite's number of an operator is its index
# For each multiplying operator, the index of the input that is data, and the index of the input that is weights.
_MULTIPLIES = {
    "BATCH_MATMUL": (0, 1),
    "CONV_2D": (0, 1),
    "CONV_3D": (0, 1),
    "DEPTHWISE_CONV_2D": (0, 1),
    "FULLY_CONNECTED": (0, 1),
    "TRANSPOSE_CONV": (2, 1),
}
_BIAS = {"TRANSPOSE_CONV": 3}
# Recurrent operators, which multiply each time step of their input with each of their weight matrices.
_RECURRENT = {
    *("BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "LSTM", "RNN", "SVDF"),
    *("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"),
}
_OTHERS = ("AudioSpectrogram", "CONV_3D_TRANSPOSE", "CONVOLUTION", "DOT_GENERAL", "Mfcc", "RFFT2D")
_HAVE_GRAPHS = ("CALL", "IF", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE", "WHILE")
_ADDRESSES = ("int32", "int64", "bool", "string")  # types of constants that hold shapes, axes or biases
_LOOKS_UP = {"EMBEDDING_LOOKUP": (0, 1), "GATHER": (1, 0)}  # positions of the indices and of the table among the inputs
_PASSES = ("CAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE", "TRANSPOSE")
CHANGES_TYPE = ("QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor of the graph; a 0 in `dims` stands for an open size.

    Attributes:
        place: the tensor's index among the graph's tensors.
        scale, zero: an integer represents scale x (integer - zero); a scale of 0 means that the tensor is not
            quantized.
        is_constant: whether its values are in the file.
        is_open: whether the file marks a size as open; if it does not, a 0 in `dims` means that the axis is empty.
    """

    place: int
    name: str
    dims: Dimensions
    dtype: str
    scale: float
    zero: int
    is_constant: bool
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """An operator: its name, its first output, and its inputs; None stands for an optional input that is absent.

    Attributes:
        is_turned: whether a matrix product transposes its first input.
    """

    name: str
    inputs: tuple[Tensor | None, ...]
    output: Tensor
    is_turned: bool

    @property
    def multiplies(self) -> bool:
        """Whether the operator multiplies data with weights."""
        return self.name in _MULTIPLIES

    @property
    def is_float(self) -> bool:
        """Whether an input or the output is float32."""
        return "float32" in {tensor.dtype for tensor in (*self.inputs, self.output) if tensor}

    @property
    def data(self) -> Tensor:
        """The input of a multiplying operator that is data."""
        return self._input(_MULTIPLIES[self.name][0])

    @property
    def weight(self) -> Tensor:
        """The input of a multiplying operator that is weights."""
        return self._input(_MULTIPLIES[self.name][1])

    def _input(self, place: int) -> Tensor:
        if tensor := self.inputs[place]:
            return tensor
        raise Uncounted(f"{self.name} {self.output.name} has no input {place}")


def types(operators: Sequence[Operator]) -> tuple[list[str], list[str], list[str]]:
    """Return three lists of types: of multiplying operators' activations and weights, and of dequantized constants."""
    layers = [one for one in operators if one.multiplies]
    read = [one.inputs[0] for one in operators if one.name == "DEQUANTIZE"]
    return (
        [tensor.dtype for one in layers for tensor in (one.data, one.output)],
        [one.weight.dtype for one in layers],
        [tensor.dtype for tensor in read if tensor and tensor.is_constant],
    )


def weights(operators: Sequence[Operator]) -> tuple[int, tuple[str, ...]]:
    """Count the values of all constants except shapes and axes, each tensor once.

    Also return the reasons why some values could not be counted.
    """
    taken = {
        tensor.place: tensor
        for one in operators
        for place, tensor in enumerate(one.inputs)
        if tensor and tensor.is_constant and (tensor.dtype not in _ADDRESSES or _is_bias(one, place))
    }
    count, reasons = 0, [f"{one.name} may contain weights" for one in operators if one.name in _HAVE_GRAPHS]
    for tensor in (tensor for tensor in taken.values() if tensor.dims):
        try:
            count += prod(_sizes(tensor))
        except Uncounted as error:
            reasons.append(str(error))
    return count, tuple(dict.fromkeys(reasons))


def _is_bias(operator: Operator, place: int) -> bool:
    return operator.multiplies and place == _BIAS.get(operator.name, 2)


def _sizes(tensor: Tensor) -> Dimensions:
    if 0 in tensor.dims[1:]:
        raise Uncounted(f"the size of {tensor.name} is open")
    return tensor.dims


def multiply_adds(operators: Sequence[Operator]) -> list[tuple[Operator, int]]:
    """Return each multiplying operator with its multiply-adds for one image.

    Raises:
        Uncounted: an operator is unknown, or a size is open.
    """
    counted, reasons = account(operators)
    if reasons:
        raise Uncounted(reasons[0])
    return counted


def macs(operators: Sequence[Operator]) -> tuple[int, tuple[str, ...]]:
    """Return the sum of multiply-adds for one image, and the reasons why some operators could not be counted."""
    counted, reasons = account(operators)
    return sum(count for _, count in counted), reasons


def account(operators: Sequence[Operator]) -> tuple[list[tuple[Operator, int]], tuple[str, ...]]:
    """Return the counted operators with their multiply-adds for one image, and why other operators are not counted."""
    counted, reasons, rows = list[tuple[Operator, int]](), list[str](), _rows(operators)
    for one in operators:
        if one.name in _HAVE_GRAPHS:
            reasons.append(f"{one.name} {one.output.name} runs a graph an unknown number of times")
        elif any(word in one.name for word in _OTHERS) or (one.name.startswith("operator ") and _has_weights(one)):
            reasons.append(f"{one.name} {one.output.name} is not counted")
        elif one.multiplies or one.name in _RECURRENT:
            try:
                counted.append((one, _of_operator(one, rows) if one.multiplies else _of_steps(one, rows)))
            except Uncounted as error:
                reasons.append(str(error))
    return counted, tuple(dict.fromkeys(reasons))


def integers(operators: Sequence[Operator]) -> tuple[tuple[str, ...], float | None]:
    """Return the float operators, and the share of multiply-adds that are computed in integers.

    The share is None if not all multiply-adds can be counted.
    """
    left = [one for one in operators if one.name not in CHANGES_TYPE and one.is_float]
    names = tuple(f"{one.name} {one.output.name}" for one in left)
    try:
        counted = multiply_adds(operators)
    except Uncounted:
        return names, None
    whole = sum(macs for one, macs in counted if not one.is_float)
    return names, whole / (sum(macs for _, macs in counted) or 1)


def tables(operators: Sequence[Operator]) -> dict[int, int]:
    """For each tensor that holds indices of a lookup table, map the tensor's `place` to the largest valid index."""
    most, sources = dict[int, int](), dict[int, int]()
    for one in operators:
        first = one.inputs[0] if one.inputs else None
        if first and one.name in _PASSES:
            sources[one.output.place] = sources.get(first.place, first.place)
        if one.name not in _LOOKS_UP or len(one.inputs) < 2:
            continue
        index, table = (one.inputs[place] for place in _LOOKS_UP[one.name])
        if index and table and table.dims and table.dims[0]:
            source = sources.get(index.place, index.place)
            most[source] = min(most.get(source, table.dims[0] - 1), table.dims[0] - 1)
    return most


def _has_weights(operator: Operator) -> bool:
    return any(one and one.is_constant and len(one.dims) > 1 and one.dtype not in _ADDRESSES for one in operator.inputs)


def _rows(operators: Sequence[Operator]) -> dict[int, int]:
    """Return the size that the first axis of every tensor has if the model runs on one image.

    An open first axis may have more entries than there are images, for example after a reshape.
    """
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


def _of_steps(operator: Operator, rows: dict[int, int]) -> int:
    """Return the multiply-adds of a recurrent operator: the number of time steps times the number of weights."""
    read = operator.inputs[0] if operator.inputs else None
    if read is None or len(read.dims) < 2:
        raise Uncounted(f"{operator.name} {operator.output.name} is not counted")
    matrices = [one for one in operator.inputs if one and one.is_constant and len(one.dims) == 2]
    steps = rows.get(read.place, read.dims[0] or 1) * prod(_sizes(read)[1:-1])
    return steps * sum(prod(matrix.dims) for matrix in matrices)


def _of_operator(operator: Operator, rows: dict[int, int]) -> int:
    """Return the multiply-adds of an operator: the number of output values times the multiply-adds for one value.

    The axes of weights are OHWI, 1HWO for a depthwise convolution, OI for a dense layer, and DHWIO for CONV_3D.
    """
    weight, data = _sizes(operator.weight), _sizes(operator.data)
    if 0 in weight:
        raise Uncounted(f"the size of {operator.weight.name} is open")
    made = rows[operator.output.place] * prod(_sizes(operator.output)[1:])
    match operator.name:
        case "TRANSPOSE_CONV":  # each input value is multiplied with this many weights
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
