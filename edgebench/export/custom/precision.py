"""Find the precision of a file from the types of its weights and activations."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EIGHT_BITS = ("int8", "uint8")
DYNAMIC, STORED, ACTIVATIONS = "dynamic range", "{} weights", "{} activations"
_FLOATS = {
    "float32": Precision.FP32,
    "float16": Precision.FP16,
    "bfloat16": Precision.BF16,
    "double": Precision.FP32,
}
_DYNAMIC = ("DynamicQuantize", "ConvInteger", "MatMulInteger")
_STATIC = ("QLinear", "QGemm")


def computed(activations: Iterable[str], weights: Iterable[str], stored: Iterable[str]) -> tuple[Precision, str]:
    """Return the precision, and a text such as `dynamic range` if the types of weights and activations differ.

    The arguments are names of types. `activations` has the types of the operators' data inputs and outputs, `weights`
    has the types of their weights, and `stored` has the types of weights that are converted to float on loading.
    """
    types, held = set(activations), set(weights)
    if wide := sorted(types - {"float32", "float16", "bfloat16", "float64", *EIGHT_BITS}):
        return Precision.INT8, ACTIVATIONS.format(wide[0])
    if types & {*EIGHT_BITS}:
        return Precision.INT8, ""
    if held & {*EIGHT_BITS}:
        return Precision.INT8, DYNAMIC
    if types and types <= {"float16"}:
        return Precision.FP16, ""
    return Precision.FP32, next((STORED.format(kind) for kind in sorted({*held, *stored} - {"float32"})), "")


def of_onnx(nodes: Sequence[Any], tensors: Sequence[Any]) -> tuple[Precision, str]:
    """Return a graph's precision, and a text such as `dynamic range` if the types of weights and activations differ."""
    kinds = {tensor.name: _kind(tensor) for tensor in tensors}
    values = ((node.output[0], one) for node in nodes for one in node.attribute if one.name == "value")
    kinds |= {output: _kind(value.t) for output, value in values if value.HasField("t")}
    operators = {node.op_type for node in nodes}
    activations = list(chain.from_iterable(_quantized(node, kinds) for node in nodes))
    if any(operator.startswith(_STATIC) for operator in operators):
        activations.append("int8")
    weights = ["int8"] if any(operator.startswith(_DYNAMIC) for operator in operators) else []
    stored = [kinds[node.input[0]] for node in nodes if node.op_type == "DequantizeLinear" and node.input[0] in kinds]
    stored += ["int4"] * ("MatMulNBits" in operators)
    if not (activations or weights or stored):
        return _of_floats(tensors)
    return computed(activations, weights, stored)


def _quantized(node: Any, kinds: dict[str, str]) -> Sequence[str]:
    """Return a tuple with the type to which a node quantizes an activation; an empty tuple if it quantizes none."""
    if node.op_type != "QuantizeLinear" or node.input[0] in kinds:
        return ()
    return (kinds.get(node.input[2], "int8"),) if len(node.input) > 2 and node.input[2] else ("uint8",)


def _of_floats(tensors: Sequence[Any]) -> tuple[Precision, str]:
    """Return the precision that most float weights have; only scales and limits have another float type."""
    sizes = Counter[str]()
    for tensor in tensors:
        if (kind := _kind(tensor)) in _FLOATS:
            sizes[kind] += prod(tensor.dims)
    most = max(sizes, key=lambda kind: sizes[kind], default="float32")
    return _FLOATS[most], STORED.format("float64") if most == "double" else ""


def _kind(tensor: Any) -> str:
    """Return the name of a tensor's type in lower case; the type float is called `float32`."""
    import onnx

    if tensor.data_type == onnx.TensorProto.FLOAT:
        return "float32"
    return str(onnx.TensorProto.DataType.Name(tensor.data_type)).lower()
