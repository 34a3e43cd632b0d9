"""Describe the content of a model's file, without running the model or reading its weights."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.export import custom
from edgebench.export.custom import inputs, layers, onnx, shape, tflite
from edgebench.export.custom.cost import Cost
from edgebench.export.custom.precision import computed
from edgebench.export.formats.onnx.count import prepared, sizes_of, weights
from edgebench.foundation.errors import RequestError, shown
from edgebench.schema.names import MODEL_FILES, PARTS, file_and_function, parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edgebench.export.custom.inputs import Declared
    from edgebench.export.custom.shape import Dimensions
    from edgebench.schema.variant import Precision

    Outputs = Sequence[tuple[str, Dimensions]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or an output of a model. In `shape`, an open size is `?` or `[name]`; an unknown shape is empty."""

    name: str
    dtype: str
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a model file can be run, or why it cannot be run.

    Attributes:
        shapes: the shapes of the inputs; an empty tuple if the size of an axis is not known yet.
        asked: the `--input` options that `run` needs, one for each input with an open axis; an empty tuple if it needs
            none.
        refusal: why the file cannot be run; an empty text if it can be run.
        is_classifier: whether the model maps square images to class scores.
    """

    shapes: tuple[Dimensions, ...] = ()
    asked: tuple[str, ...] = ()
    refusal: str = ""
    is_classifier: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The content of a model's file.

    Attributes:
        opset: the operator sets of an ONNX file, or the schema version of a TFLite file.
        operators: number of operators of each kind, most frequent first.
        types: number of constant values of each type, most frequent first.
        given: how the types of weights and activations differ, such as `dynamic range`; empty if they do not differ.
        cost: the cost of a batch of one.
        signatures: the names of all signatures of a TFLite file.
    """

    name: str
    format: str
    size_bytes: int
    opset: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: Mapping[str, int]
    types: Mapping[str, int]
    precision: Precision
    given: str
    cost: Cost
    way: Way
    signatures: tuple[str, ...] = ()


def inspect(name: str, asked: str = "") -> Inspected:
    """Describe a model file; `asked` is the value of the option `--input`, which gives sizes to open axes.

    Raises:
        RequestError: the file is not a complete model file.
    """
    if PARTS in name:
        raise RequestError(f"wanted one file to inspect, found {name}; inspect each of {', '.join(parts(name))}")
    path = Path(file_and_function(name)[0])
    if path.suffix not in MODEL_FILES or not path.is_file():
        raise RequestError(f"wanted a file such as net.onnx or net.tflite, found {name}; name an existing file")
    try:
        custom.require_file(path)
        return _inspected(path, name, asked)
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}; check its permissions") from error


def ports(path: Path, signature: str = "") -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Return the declared inputs and outputs of a model's file, or of one of the file's signatures."""
    if path.suffix == onnx.SUFFIX:
        graph = onnx.skimmed(path, path.name)
        return tuple(map(_port_of_onnx, onnx.inputs_of(graph))), tuple(map(_port_of_onnx, graph.graph.output))
    found = tflite.graph_of(path, f"{path.name}:{signature}" if signature else path.name)
    return (
        tuple(_port(entry.name, entry.dtype, entry.sizes) for entry in found.inputs),
        tuple(_port(label, tensor.dtype, tensor.dims) for label, tensor in found.outputs.items()),
    )


def _inspected(path: Path, name: str, asked: str) -> Inspected:
    return _of_onnx(path, asked) if path.suffix == onnx.SUFFIX else _of_tflite(path, Path(name).name, asked)


def _of_onnx(path: Path, asked: str) -> Inspected:
    graph = onnx.skimmed(path, path.name)
    inputs_found, outputs_found = (
        [_port_of_onnx(one) for one in some] for some in (onnx.inputs_of(graph), graph.graph.output)
    )
    precision, given = onnx.precision_of(graph)
    operators = Counter(shown(node.op_type) for node in onnx.nodes(graph))
    types = _types((onnx.type_name(tensor.data_type), prod(tensor.dims)) for tensor in onnx.tensors(graph))
    way, declared = _way(path.name, lambda: _declared_of_onnx(path, graph), asked)
    way = way if way.refusal else _opened(way, path, graph, asked)
    is_safe = bool(way.shapes) or not graph.functions  # inlined functions can become billions of operators
    sized = onnx.settled(graph, way.shapes) if way.shapes else graph
    sized = prepared(sized) if is_safe else sized
    sizes = sizes_of(sized) if is_safe else {}
    made = [(port.dtype, sizes.get(port.name, ())) for port in outputs_found]
    return Inspected(
        name=path.name,
        format=onnx.FORMAT,
        size_bytes=path.stat().st_size,
        opset=", ".join(f"{one.domain or 'ai.onnx'} {one.version}" for one in graph.opset_import),
        inputs=tuple(inputs_found),
        outputs=tuple(_sized(port, sizes) for port in outputs_found),
        operators=dict(operators.most_common()),
        types=types,
        precision=precision,
        given=given,
        cost=_cost(sized) if is_safe else Cost(params=None, macs=None, uncounted="functions are not inlined here"),
        way=_judged(way, declared, made, lambda: onnx.require_bounded(path.name, sizes)),
    )


def _cost(sized: Any) -> Cost:
    return Cost.of(weights=lambda: weights(sized), multiply_adds=lambda: onnx.macs_of(sized, may_open=False))


def _opened(way: Way, path: Path, graph: Any, asked: str) -> Way:
    """Return the way to run a file, or a refusal if onnxruntime cannot open the file.

    If the graph alone does not show whether onnxruntime can open the file, the file is opened in a process with limited
    memory and time.
    """
    if not onnx.may_be_refused(graph):
        return way
    try:
        custom.adopt(str(path), asked) if way.shapes else None
    except RequestError as error:
        return Way(refusal=str(error))
    return way


def _declared_of_onnx(path: Path, graph: Any) -> Sequence[Declared]:
    onnx.require_known_operators(path.name, graph)
    list(onnx.beside(path, graph))
    return onnx.declarations(path.name, graph)


def _of_tflite(path: Path, name: str, asked: str) -> Inspected:
    graph = tflite.graph_of(path, name, is_any=True)
    precision, given = computed(*layers.types(graph.operators))
    way, declared = _way(name, lambda: _declared_of_tflite(path, name, graph), asked)
    constants = [tensor for tensor in graph.tensors if tensor.is_constant]
    return Inspected(
        name=name,
        format=tflite.FORMAT,
        size_bytes=path.stat().st_size,
        opset="TFLite schema 3",
        inputs=tuple(_port(entry.name, entry.dtype, entry.sizes) for entry in graph.inputs),
        outputs=tuple(_port(label, tensor.dtype, tensor.dims) for label, tensor in graph.outputs.items()),
        operators=dict(Counter(shown(one.name) for one in graph.operators).most_common()),
        types=_types((tensor.dtype, prod(tensor.dims)) for tensor in constants),
        precision=precision,
        given=given,
        cost=Cost.of(
            weights=lambda: layers.weights(graph.operators), multiply_adds=lambda: layers.macs(graph.operators)
        ),
        way=_judged(
            way,
            declared,
            [(tensor.dtype, tensor.dims) for tensor in graph.outputs.values()],
            lambda: tflite.require_bounded(name, graph.tensors),
        ),
        signatures=graph.signatures,
    )


def _declared_of_tflite(path: Path, name: str, graph: tflite.Graph) -> Sequence[Declared]:
    tflite.require_measurable(name, graph)
    tflite.graph_of(path, name)
    return graph.inputs


def _way(name: str, declared: Callable[[], Sequence[Declared]], asked: str) -> tuple[Way, Sequence[Declared]]:
    """Return the way to run a file, and the inputs that the file declares.

    The returned `Way` has the shapes of the inputs, or the `--input` options that are missing, or the reason why the
    file cannot be run.
    """
    try:
        entries = declared()
    except RequestError as error:
        return Way(refusal=str(error)), ()
    missing = () if asked else inputs.missing(entries)
    if missing:
        return Way(asked=missing), entries
    try:
        return Way(shapes=inputs.settle(name, entries, asked), asked=inputs.parts(asked)), entries
    except RequestError as error:
        return Way(refusal=str(error)), entries


def _judged(way: Way, declared: Sequence[Declared], outputs: Outputs, require: Callable[[], None]) -> Way:
    """Refuse a graph with tensors that are too large; otherwise, find out whether the model is a classifier."""
    if not way.shapes:
        return way
    try:
        require()
    except RequestError as error:
        return Way(refusal=str(error))
    described = inputs.kind(declared, way.shapes, outputs)
    return Way(shapes=way.shapes, asked=way.asked, is_classifier=bool(described["classes"]))


def _types(counted: Any) -> dict[str, int]:
    """Return the number of values of each type, most frequent type first."""
    counts = Counter[str]()
    for dtype, values in counted:
        counts[dtype] += values
    return dict(counts.most_common())


def _port_of_onnx(value: Any) -> Port:
    tensor = value.type.tensor_type
    kind = value.type.WhichOneof("value") or "tensor_type"
    if kind != "tensor_type":
        return Port(name=shown(value.name), dtype=kind.removesuffix("_type"), shape="")
    axes = [f"[{dim.dim_param}]" if dim.dim_param else str(max(0, dim.dim_value) or "?") for dim in tensor.shape.dim]
    shape = ("x".join(axes) or "scalar") if tensor.HasField("shape") else ""
    return Port(name=shown(value.name), dtype=onnx.type_name(tensor.elem_type), shape=shown(shape))


def _port(name: str, dtype: str, sizes: Dimensions) -> Port:
    return Port(name=shown(name), dtype=dtype, shape=shape.said(sizes) or "scalar")


def _sized(port: Port, sizes: Mapping[str, Dimensions]) -> Port:
    """Add the inferred shape to an output whose shape the file does not declare."""
    return port if port.shape or port.name not in sizes else _port(port.name, port.dtype, sizes[port.name])
