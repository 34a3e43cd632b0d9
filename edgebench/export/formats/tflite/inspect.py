"""An int8 TFLite file -> its operators that compute in float."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from edgebench.export.formats.tflite.flatbuffer import File, Operator

if TYPE_CHECKING:
    from pathlib import Path

CHANGES_TYPE = {"QUANTIZE", "DEQUANTIZE"}
MULTIPLIES = {"BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}


def float_nodes(path: Path) -> tuple[str, ...]:
    """Return the operators that compute in float; each text has the operator's type and the name of its layer."""
    file = File(path)
    return tuple(
        f"{one.name} {layer_name(one.output.name.decode())}"
        for one in file.operators()
        if one.name not in CHANGES_TYPE and not _is_integer(file, one)
    )


def integer_share(path: Path) -> float:
    """Return the share of the multiply-adds that are computed in integers."""
    file = File(path)
    macs = [(multiply_adds(one), _is_integer(file, one)) for one in file.operators() if one.name in MULTIPLIES]
    return sum(count for count, is_integer in macs if is_integer) / (sum(count for count, _ in macs) or 1)


def _is_integer(file: File, operator: Operator) -> bool:
    return "FLOAT32" not in {file.type(tensor) for tensor in (*operator.inputs, operator.output)}


def multiply_adds(operator: Operator) -> int:
    """Return the multiply-adds for one image: the number of output values times the multiply-adds for one value.

    For a transposed convolution: the number of input values times the weights by which each is multiplied.
    """
    weights = operator.inputs[1].shape  # (out, rows, columns, in); depthwise (1, rows, columns, out); dense (out, in)
    if operator.name == "TRANSPOSE_CONV":
        return prod(map(int, operator.inputs[2].shape)) * prod(map(int, weights[:3]))
    each = weights[1:3] if operator.name == "DEPTHWISE_CONV_2D" else weights[1:]
    return prod(map(int, operator.output.shape)) * prod(map(int, each))


def layer_name(tensor: str) -> str:
    """Return the name that the network itself gives to the layer that computes a tensor, without class names.

    `...ChannelLastIOWrapper/net.Net_wrapped/nn.Sequential_features/nn.Conv2d_0;` is features.0. A tensor that fused
    layers compute has the name of the first layer.
    """
    scopes = [scope.rpartition(".")[2].partition("_")[2] for scope in tensor.split(";")[0].split("/")]
    return ".".join(scopes[2:]) or tensor
