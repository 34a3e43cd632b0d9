"""How far each output of an int8 file is from the same output of its float file, and why.

The int8 graph runs without fused operators, so that the figures do not depend on how a processor adds integers. Only
sums are kept in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log10, sqrt
from typing import TYPE_CHECKING, Any

from edgebench.export.formats.onnx.noise import is_comparable, opened
from edgebench.schema.artifact import OutputNoise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edgebench.export.formats.onnx.calibrate import Batch

APART = 100.0  # ratio of two ranges that share a scale; the smaller range then gets only two of the 256 steps
MIXED = 10.0  # the ratio for a detector's output of boxes and scores; scores from 0 to 1 then get 26 steps
# Channels up to this magnitude are taken for probabilities, and are not compared.
# Probabilities of absent classes are near zero, where an error of one step is harmless.
PROBABLE = 1.0
# Operators that pass on their first input's values and scale.
_PASSES = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
_EDGE = ("QuantizeLinear", "DequantizeLinear")


@dataclass(slots=True, kw_only=True)
class Gap:
    """Running sums, from which the difference between an int8 output and the float output is computed."""

    signal: float = 0.0
    noise: float = 0.0
    made: float = 0.0
    product: float = 0.0
    largest: float = 0.0
    rows: int = 0
    agreed: int = 0
    not_finite: int = 0
    uncompared: str = ""
    ranges: NDArray[Any] | None = None

    def add(self, wanted: Any, found: Any) -> None:
        """Update the sums with the float and the int8 output for one set of inputs."""
        import numpy

        if not is_comparable(wanted, found):
            self.uncompared = f"its size depends on the values, {_sizes(wanted)} in float and {_sizes(found)} in int8"
            return
        is_finite = numpy.isfinite(wanted) & numpy.isfinite(found)
        self.not_finite += int((numpy.isfinite(wanted) & ~is_finite).sum())
        of_float, of_int8 = (numpy.where(is_finite, side, 0).astype(numpy.float64) for side in (wanted, found))
        gap = of_float - of_int8
        self.signal += float((of_float**2).sum())
        self.made += float((of_int8**2).sum())
        self.noise += float((gap**2).sum())
        self.product += float((of_float * of_int8).sum())
        self.largest = max(self.largest, float(abs(gap).max(initial=0.0)))
        self._add_ranges(of_float)
        if of_float.size:
            rows = [side.reshape(len(side) if side.ndim > 1 else 1, -1).argmax(1) for side in (of_float, of_int8)]
            self.rows, self.agreed = self.rows + len(rows[0]), self.agreed + int((rows[0] == rows[1]).sum())

    def _add_ranges(self, values: Any) -> None:
        """Update the largest magnitude of each channel with the values of one set of inputs.

        The channels are the second axis of a map, and the shorter axis of a list of boxes.
        """
        if values.ndim < 2 or not values.size:
            return
        sizes = values.shape[1:]
        axis = 1 + (sizes.index(min(sizes)) if len(sizes) == 2 else 0)
        largest = abs(values).max(tuple(place for place in range(values.ndim) if place != axis))
        before = self.ranges
        self.ranges = largest if before is None or before.shape != largest.shape else largest.clip(min=before)

    def noise_of(self, name: str, *, is_scores: bool, trap: tuple[float, str]) -> OutputNoise:
        """Return the comparison of the named output, computed from the sums."""
        if self.uncompared:
            return OutputNoise(name=name, uncompared=self.uncompared)
        scale = sqrt(self.signal * self.made)
        return OutputNoise(
            name=name,
            sqnr_db=10 * log10(self.signal / self.noise) if self.signal and self.noise else None,
            largest_difference=self.largest,
            cosine=min(1.0, self.product / scale) if scale else None,
            agreement=self.agreed / self.rows if is_scores and self.rows and not self.not_finite else None,
            rows=self.rows,
            apart=trap[0],
            parts=trap[1],
            not_finite=self.not_finite,
        )


@dataclass(slots=True, kw_only=True)
class Parts:
    """The tensors that a Concat joins into an output, and the largest magnitude of each tensor."""

    names: tuple[str, ...]
    ranges: dict[str, float] = field(default_factory=dict)

    def add(self, values: Mapping[str, Any]) -> None:
        """Update the magnitudes with one set of inputs."""
        for name in self.names:
            self.ranges[name] = max(self.ranges.get(name, 0.0), float(abs(values[name]).max(initial=0.0)))


def output_noise(
    float_path: Path, int8_path: Path, sets: Iterable[Batch], *, compares_rows: bool, apart: float = APART
) -> tuple[OutputNoise, ...]:
    """Return, for every output of the graph, the difference between its int8 and its float values.

    With `compares_rows`, the rows of class scores that agree are counted, too. If two parts of an output share a scale,
    and the ratio of their ranges exceeds `apart`, the result describes both parts.
    """
    import onnx

    reference, quantized = onnx.load(float_path), onnx.load(int8_path)
    names = _of_floats(reference.graph)
    shared = [name for name in names if _shares_scale(quantized.graph, name)]
    parts = {name: Parts(names=_joined(reference.graph, name)) for name in shared}
    gaps = {name: Gap() for name in names}
    every = [one.name for one in reference.graph.output]
    infer_float = opened(reference, (*every, *(part for one in parts.values() for part in one.names)))
    infer_int8 = opened(quantized, names, as_written=True)
    scores = ""
    for batch in sets:
        wanted, found = infer_float(batch), infer_int8(batch)
        scores = _scores({name: wanted[name] for name in every}) if compares_rows else ""
        for name in names:
            gaps[name].add(wanted[name], found[name])
        for one in parts.values():
            one.add(wanted)
    return tuple(
        gap.noise_of(
            name, is_scores=name == scores, trap=_trap(gap, parts[name], apart) if name in parts else (0.0, "")
        )
        for name, gap in gaps.items()
    )


def _scores(outputs: Mapping[str, Any]) -> str:
    """Return the name of the only output that is a row of class scores; an empty text if there is not exactly one."""
    sizes = {name: values.size for name, values in outputs.items() if hasattr(values, "shape")}
    rows = [name for name in sizes if outputs[name].ndim > 1 and sizes[name] in outputs[name].shape and sizes[name] > 1]
    alike = [name for name, size in sizes.items() if rows and size == sizes[rows[0]]]
    return rows[0] if len(rows) == 1 and len(alike) == 1 and outputs[rows[0]].shape[0] == 1 else ""


def _sizes(values: Any) -> str:
    return "x".join(map(str, values.shape)) or "scalar"


def _of_floats(graph: Any) -> list[str]:
    """Return the names of 32-bit float outputs that the graph computes; integers, such as classes, have no noise."""
    import onnx

    made = {tensor for node in graph.node for tensor in node.output}
    outputs = [one for one in graph.output if one.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
    return [one.name for one in outputs if one.name in made]


def _shares_scale(graph: Any, output: str) -> bool:
    """Return whether an output of an int8 graph comes from one DequantizeLinear with a single scale."""
    makers = {name: node for node in graph.node for name in node.output}
    node = makers.get(output)
    while node is not None and node.op_type in _PASSES:
        node = makers.get(node.input[0])
    return node is not None and node.op_type == "DequantizeLinear"


def _joined(graph: Any, output: str) -> tuple[str, ...]:
    """Return the names of the tensors that the last Concat before an output joins; an empty tuple without a Concat."""
    makers = {name: node for node in graph.node for name in node.output}
    node = makers.get(output)
    while node is not None and node.op_type in _PASSES:
        node = makers.get(node.input[0])
    if node is None or node.op_type != "Concat":
        return ()
    return tuple(name for name in node.input if name in makers)


def _trap(gap: Gap, parts: Parts, least: float) -> tuple[float, str]:
    """Return the ratio of two ranges that share a scale, and a description of them; return 0 for a harmless ratio."""
    joined = {f"{name} (up to {largest:.3g})": largest for name, largest in parts.ranges.items() if largest}
    apart = _apart(joined, least)
    if apart[0] or gap.ranges is None or gap.ranges.max(initial=0.0) <= PROBABLE:
        return apart
    return _apart(
        {f"channel {place} (up to {largest:.3g})": largest for place, largest in enumerate(gap.ranges) if largest},
        least,
    )


def _apart(ranges: Mapping[str, float], limit: float) -> tuple[float, str]:
    if not ranges:
        return 0.0, ""
    most, least = max(ranges, key=lambda one: ranges[one]), min(ranges, key=lambda one: ranges[one])
    ratio = float(ranges[most] / ranges[least])
    return (ratio, f"{most} and {least}") if ratio > limit else (0.0, "")
