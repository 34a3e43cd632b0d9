"""Find the range of every activation by running a float file once on each calibration image.

onnxruntime's own calibrators keep every activation of every image and run an unoptimised graph. This module runs an
optimised graph on one batch at a time. For each tensor, the module keeps only what the range method needs: the smallest
and the largest value, or more of the outermost values, or a histogram. The resulting ranges are the same as
onnxruntime's.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench.export.formats.onnx.range_methods import CHOOSERS, OUTSIDE, BinCounts, Outermost, finite, is_masked
from edgebench.foundation.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from numpy import float32
    from numpy.typing import NDArray
    from onnx import GraphProto

    from edgebench.export.formats.onnx.range_methods import Range
    from edgebench.schema.quantization import Quantization

    Batch = NDArray[float32] | Mapping[str, NDArray[Any]]
    Images = Callable[[], Iterator[Batch]]


REMEDY = "use --precision fp32"


def nothing_of(nodes: Iterable[Any]) -> str:
    """Return a message which says that nothing can be quantized, and which lists the operators of the graph."""
    return f"none of its operators can be quantized: they are {', '.join(dict.fromkeys(one.op_type for one in nodes))}"


def ranges(path: Path, images: Images, quantization: Quantization) -> dict[str, Range]:
    """Map the name of every activation that a quantizer may need to the activation's range.

    Some ranges cannot be used, because they contain the values of attention masks; `is_masked` recognizes these ranges.

    Raises:
        CaseError: there are no images, or an activation is not finite.
    """
    read_by_relu = _folded(path)
    if quantization.range_method == "min-max":
        found = _extremes(path, images, read_by_relu)
    else:
        found = _chosen(path, images, read_by_relu, quantization)
    return found | {tensor: found[output] for tensor, output in read_by_relu.items()}


def _folded(path: Path) -> dict[str, str]:
    """Map tensors that only a ReLU reads to the ReLU's output, because the quantizer merges a ReLU with its input."""
    import onnx

    nodes = onnx.load(path, load_external_data=False).graph.node
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for tensor in node.input:
            readers.setdefault(tensor, []).append(node)
    made = {tensor for node in nodes for tensor in node.output}
    return {
        tensor: of[0].output[0]
        for tensor, of in readers.items()
        if tensor in made and [node.op_type for node in of] in (["Relu"], ["Clip"])
    }


def _extremes(path: Path, images: Images, unseen: Container[str]) -> dict[str, Range]:
    """Return each tensor's range; operators that are added to the graph compute the smallest and the largest value.

    For a tensor that is never negative, the lower end is 0.
    """
    import numpy

    tensors, signed = list[str](), list[str]()

    def probe(graph: GraphProto) -> None:
        tensors.extend(_tensors(graph, unseen))
        rectified = _rectified(graph)
        signed.extend(tensor for tensor in tensors if tensor not in rectified)
        # onnxruntime computes the last node's inputs first, so each tensor is still in the cache when it is reduced.
        for tensor in reversed(tensors):
            _look(graph, tensor, is_signed=tensor not in rectified)
        _give_out(graph, [*map(_high, tensors), *map(_low, signed)])

    seen = numpy.array([_largest(outputs) for outputs in _outputs(path, images, probe)])
    seen[numpy.isinf(seen) & _empty(seen, tensors, signed)] = 0.0
    highs, lows = seen[:, : len(tensors)].max(0), seen[:, len(tensors) :].min(0)
    low = dict.fromkeys(tensors, 0.0) | dict(zip(signed, lows, strict=True))
    return {tensor: finite(tensor, low[tensor], high) for tensor, high in zip(tensors, highs, strict=True)}


def _empty(seen: NDArray[float32], tensors: Sequence[str], signed: Sequence[str]) -> Any:
    """Return whether each tensor had no values; if so, its recorded maximum is less than its recorded minimum."""
    import numpy

    highs, lows = seen[:, : len(tensors)], seen[:, len(tensors) :]
    empty = lows > highs[:, [tensors.index(tensor) for tensor in signed]]
    of_highs = numpy.zeros(highs.shape, bool)
    of_highs[:, [tensors.index(tensor) for tensor in signed]] = empty
    return numpy.concatenate([of_highs, empty], 1)


def _high(tensor: str) -> str:
    return f"{tensor} high"


def _low(tensor: str) -> str:
    return f"{tensor} low"


def _look(graph: GraphProto, tensor: str, *, is_signed: bool) -> None:
    """Add operators that compute a tensor's smallest and largest value.

    For a tensor that is never negative, add operators that compute only the largest value of each channel.
    """
    from onnx.helper import make_node

    if is_signed:
        graph.node.append(make_node("ReduceMin", [tensor], [_low(tensor)]))
        graph.node.append(make_node("ReduceMax", [tensor], [_high(tensor)]))
        return
    # A pooling works in onnxruntime's internal layout, whereas a reduction would first reorder the whole tensor.
    # A pooling whose layout is changed may run at another time; the Flatten that follows it keeps its place.
    graph.node.append(make_node("GlobalMaxPool", [tensor], [pooled := f"{tensor} pooled"]))
    graph.node.append(make_node("Flatten", [pooled], [_high(tensor)]))


def _largest(arrays: Sequence[NDArray[float32]]) -> NDArray[float32]:
    """Return the largest value of each array, or NaN if the array contains NaN; read all arrays in one pass."""
    import numpy

    starts = numpy.cumsum([0, *(values.size for values in arrays[:-1])])
    return numpy.maximum.reduceat(numpy.concatenate(arrays, axis=None), starts)


def _rectified(graph: GraphProto) -> set[str]:
    """Return the names of the feature maps, (N, C, H, W), that are never negative."""
    from onnx.numpy_helper import to_array

    maps = {value.name for value in graph.value_info if len(value.type.tensor_type.shape.dim) == 4}
    zeros = {one.name for one in graph.initializer if list(one.dims) == [] and to_array(one) == 0}
    relus = {node.output[0] for node in graph.node if node.op_type == "Relu"}
    clips = {node.output[0] for node in graph.node if node.op_type == "Clip" and node.input[1] in zeros}
    return (relus | clips) & maps


def _chosen(path: Path, images: Images, unseen: Container[str], quantization: Quantization) -> dict[str, Range]:
    """Return each tensor's range, chosen by a collector that has seen the tensor's values for every image."""
    found, tensors = dict[str, Outermost | BinCounts](), list[str]()

    def probe(graph: GraphProto) -> None:
        tensors.extend(_tensors(graph, unseen))
        _give_out(graph, tensors)

    masked: dict[str, Range] = {}
    for outputs in _outputs(path, images, probe):
        for tensor, values in zip(tensors, outputs, strict=True):
            if tensor in masked or not values.size:
                continue
            if is_masked(values.min(), values.max()):
                masked[tensor] = (float(values.min()), float(values.max()))
                continue
            if tensor not in found:
                found[tensor] = _collector(tensor, values.size, quantization)
            found[tensor].add(values.ravel())
    empty = dict.fromkeys(tensors, (0.0, 0.0))
    return empty | {tensor: collector.range() for tensor, collector in found.items()} | masked


def _collector(tensor: str, an_image: int, quantization: Quantization) -> Outermost | BinCounts:
    """Return a new collector of the values of a tensor that has `an_image` values per image."""
    if quantization.range_method == "percentile":
        return Outermost(tensor, int(an_image * quantization.images * OUTSIDE) + 1)
    return BinCounts(tensor, CHOOSERS[quantization.range_method], mirrored=quantization.symmetric)


def _tensors(graph: GraphProto, unseen: Container[str]) -> Iterator[str]:
    """Return the names of all float tensors of a graph, except `unseen`; only float tensors are quantized."""
    import onnx

    infos = [*graph.input, *graph.value_info]
    others = {one.name for one in infos if one.type.tensor_type.elem_type != onnx.TensorProto.FLOAT}
    made = (tensor for node in graph.node for tensor in node.output if tensor)
    return (tensor for tensor in (*inputs(graph), *made) if tensor not in others and tensor not in unseen)


def inputs(graph: GraphProto) -> list[str]:
    """Return the names of a graph's inputs, without the weights that older files list among them."""
    constants = {one.name for one in graph.initializer}
    return [one.name for one in graph.input if one.name not in constants]


def fed(names: Sequence[str], batch: Batch) -> Mapping[str, NDArray[Any]]:
    """Return a batch as a mapping from input name to array; images belong to the graph's first input."""
    from collections.abc import Mapping

    return batch if isinstance(batch, Mapping) else {names[0]: batch}


def _give_out(graph: GraphProto, tensors: Iterable[str]) -> None:
    from onnx import helper

    graph.output.extend(helper.make_empty_tensor_value_info(tensor) for tensor in tensors)


def _outputs(path: Path, images: Images, probe: Callable[[GraphProto], None]) -> Iterator[list[NDArray[float32]]]:
    """Run every image through the graph, and yield the outputs that `probe` has added to the graph.

    The graph runs on one thread with all optimisations.

    Raises:
        CaseError: there are no images, or no tensors that need a range.
    """
    import onnx
    import onnxruntime

    model = onnx.load(path)
    model.graph.value_info.extend([*model.graph.output, *_of_unknown_type(model)])
    del model.graph.output[:]
    probe(model.graph)
    if not model.graph.output:
        raise CaseError(f"{nothing_of(model.graph.node)}, and none of its tensors are 32-bit floats; {REMEDY}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with TemporaryDirectory() as scratch:
        onnx.save(model, probed := Path(scratch) / "probed.onnx")
        del model  # frees memory: VGG16 takes half a gigabyte
        session = onnxruntime.InferenceSession(str(probed), options, providers=["CPUExecutionProvider"])
    outputs, names = None, [one.name for one in session.get_inputs()]
    for batch in images():
        outputs = session.run(None, fed(names, batch))
        yield outputs
    if outputs is None:
        raise CaseError("no calibration images: without them, int8 ranges cannot be found")


def _of_unknown_type(model: Any) -> Iterator[Any]:
    """Yield the types of tensors that only onnxruntime can infer, such as outputs of onnxruntime's own operators."""
    import onnx
    import onnxruntime

    graph = model.graph
    known = {one.name for one in (*graph.value_info, *graph.output)}
    made = {tensor for node in graph.node for tensor in node.output if tensor}
    if not (unknown := made - known):
        return
    open_graph = onnx.ModelProto()
    open_graph.CopyFrom(model)
    open_graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in unknown)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(open_graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for one in session.get_outputs():
        if one.name in unknown:
            is_float = one.type == "tensor(float)"
            kind = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, None) if is_float else None
            yield onnx.ValueInfoProto(name=one.name, type=kind)
