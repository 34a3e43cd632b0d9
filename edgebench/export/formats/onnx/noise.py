"""How much of the signal each layer of an int8 file loses, compared with the float file on the same images.

Only sums of squares are kept, so that memory does not grow with the number of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING, Any

from edgebench.export.formats.onnx.calibrate import fed, inputs
from edgebench.export.formats.onnx.inspect import AT_THE_EDGE, MOVES_DATA, layer_name
from edgebench.export.formats.onnx.range_methods import MASKED
from edgebench.schema.artifact import LayerNoise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy import float32
    from numpy.typing import NDArray

    from edgebench.export.formats.onnx.calibrate import Batch

# The highest SQNR of 8 bits, in dB, is the SQNR of a full-scale sine (Bennett 1948).
# A tensor without noise gets this value, too.
MOST_DB = 6.02 * 8 + 1.76
# Suffix that onnxruntime's quantizer appends to the name of an output of the graph.
_BEFORE_QUANTIZE = "_QuantizeLinear_Input"

Pair = tuple[str, str]  # a tensor's names in the float and in the int8 graph


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedOperator:
    """An operator of an int8 graph, and the tensors at its output and inputs."""

    name: str
    operator: str
    output: Pair
    inputs: tuple[Pair, ...]


@dataclass(slots=True, kw_only=True)
class Power:
    """Sums of squares over some tensors: of the float values (signal), and of int8 minus float values (noise)."""

    signal: float = 0.0
    noise: float = 0.0

    @property
    def sqnr_db(self) -> float | None:
        """Signal-to-quantization-noise ratio, dB; None without noise or without signal."""
        return 10 * log10(self.signal / self.noise) if self.signal and self.noise else None


def layer_noise(float_path: Path, int8_path: Path, images: Iterable[Batch]) -> tuple[LayerNoise, ...]:
    """Return the noise of every layer of the int8 graph, compared with the same layer of the float graph.

    `images` yields batches of images, of shape (n, C, R, R), or mappings from input name to array. `float_path` must be
    the file that was quantized, because equalization rescales the tensors between layers.
    """
    import onnx

    reference, quantized = onnx.load(float_path), onnx.load(int8_path)
    layers = tuple(_layers(quantized.graph, _tensors(reference.graph)))
    powers = {pair: Power() for layer in layers for pair in (layer.output, *layer.inputs)}
    infer_float = opened(reference, (name for name, _ in powers))
    infer_int8 = opened(quantized, (name for _, name in powers))
    for batch in images:
        wanted, found = infer_float(batch), infer_int8(batch)
        for (float_name, int8_name), power in powers.items():
            if is_comparable(wanted[float_name], found[int8_name]) and not _is_masked(wanted[float_name]):
                power.signal += _power(wanted[float_name])
                power.noise += _power(wanted[float_name] - found[int8_name])
    return tuple(_noise(layer, powers) for layer in layers)


def is_comparable(wanted: Any, found: Any) -> bool:
    """Return whether two arrays are both float32 and have the same shape; a shape can depend on computed values."""
    return bool(getattr(wanted, "dtype", None) == found.dtype == "float32" and wanted.shape == found.shape)


def _is_masked(tensor: NDArray[float32]) -> bool:
    """Return whether a float tensor contains values by which an attention mask excludes entries."""
    return not abs(tensor).max(initial=0.0) < -MASKED


def _power(tensor: NDArray[float32]) -> float:
    import numpy

    return float(numpy.vdot(tensor, tensor))


def _noise(layer: QuantizedOperator, powers: dict[Pair, Power]) -> LayerNoise:
    before = _together(layer.operator, [powers[pair] for pair in layer.inputs]).sqnr_db
    after = powers[layer.output].sqnr_db
    lost_db = _at_most(before) - _at_most(after)
    return LayerNoise(name=layer.name, operator=layer.operator, sqnr_db=after, lost_db=lost_db)


def _together(operator: str, inputs: Sequence[Power]) -> Power:
    """Combine the signals and noises of an operator's inputs.

    For a product, the ratios of noise to signal are added; for any other operator, signals and noises are added.
    """
    if operator == "Mul":
        return Power(signal=1.0, noise=sum(one.noise / one.signal for one in inputs if one.signal))
    return Power(signal=sum(one.signal for one in inputs), noise=sum(one.noise for one in inputs))


def _at_most(sqnr_db: float | None) -> float:
    return MOST_DB if sqnr_db is None else min(sqnr_db, MOST_DB)


def _tensors(graph: Any) -> set[str]:
    """Return the names of a float graph's inputs and computed tensors."""
    return {one.name for one in graph.input} | {name for node in graph.node for name in node.output}


def _layers(graph: Any, known: set[str]) -> Iterator[QuantizedOperator]:
    """Yield each operator that computes something; its inputs are only tensors that the float graph has, too."""
    tensors = _Tensors(graph)
    for node in graph.node:
        output = tensors.pair(tensors.read(node.output[0]))
        if node.op_type not in AT_THE_EDGE | MOVES_DATA and output[0] in known:
            inputs = tuple(pair for pair in map(tensors.pair, node.input) if pair[0] in known)
            yield QuantizedOperator(name=layer_name(node.name), operator=node.op_type, output=output, inputs=inputs)


class _Tensors:
    """The tensors of an int8 graph: a QuantizeLinear and a DequantizeLinear lie between each tensor and its readers.

    If an activation function was fused into a convolution, the node has the convolution's name, but the output has the
    activation function's name.
    """

    def __init__(self, graph: Any) -> None:
        self._makers = {name: node for node in graph.node for name in node.output}
        self._quantizers = {node.input[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
        self._readers = {node.input[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}

    def read(self, tensor: str) -> str:
        """Return what the next layer reads: the dequantized form of `tensor`, or `tensor` itself if there is none."""
        quantizer = self._quantizers.get(tensor)
        reader: Any = self._readers.get(quantizer.output[0]) if quantizer else None
        return reader.output[0] if reader else tensor

    def pair(self, tensor: str) -> Pair:
        """Return a tensor's names in the float graph and in the int8 graph; the first name is empty for a constant."""
        reader = self._makers.get(tensor)
        if reader is None or reader.op_type != "DequantizeLinear":
            return tensor, tensor
        quantizer = self._makers.get(reader.input[0])
        return (quantizer.input[0].removesuffix(_BEFORE_QUANTIZE) if quantizer else ""), tensor


def opened(
    model: Any, names: Iterable[str], *, as_written: bool = False
) -> Callable[[Batch], Mapping[str, NDArray[Any]]]:
    """Return a function that runs a graph on a batch and returns the named tensors, which may include inputs.

    With `as_written`, onnxruntime does not fuse an int8 graph's operators to integer operators, because integer
    operators saturate on some processors.
    """
    import onnx
    import onnxruntime

    outputs = {one.name for one in model.graph.output}
    sources = inputs(model.graph)
    wanted = [name for name in dict.fromkeys(names) if name not in sources]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in outputs)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def infer(batch: Batch) -> Mapping[str, NDArray[Any]]:
        values = fed(sources, batch)
        made = session.run(wanted, values) if wanted else []  # for an empty list, onnxruntime would return every output
        return {**values, **dict(zip(wanted, made, strict=True))}

    return infer
