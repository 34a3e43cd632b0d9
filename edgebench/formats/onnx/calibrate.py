"""A float file and images -> the range of every activation, by one or two looks at each image.

onnxruntime's own calibrators keep every activation of every image and run without optimisation; these run an
optimised graph on one batch at a time and keep two numbers, the outermost values or a histogram a tensor. The ranges
are the same.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench.errors import CaseError
from edgebench.formats.onnx.range_methods import BINS, CHOOSERS, OUTSIDE, Outermost, count, finite

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from numpy import float32
    from numpy.typing import NDArray
    from onnx import GraphProto

    from edgebench.formats.onnx.range_methods import Histogram, Range
    from edgebench.quantization import Quantization

    Images = Callable[[], Iterator[NDArray[float32]]]


def ranges(path: Path, images: Images, quantization: Quantization) -> dict[str, Range]:
    """Return the range of every activation that a quantizer may ask for, by tensor.

    Raises:
        CaseError: there are no images, or an activation is not finite.
    """
    read_by_relu, choose = _folded(path), CHOOSERS.get(quantization.range_method)
    if quantization.range_method == "percentile":
        found = _percentiles(path, images, read_by_relu, quantization.images)
    else:
        found = _extremes(path, images, read_by_relu)
    if choose:
        histograms = _histograms(path, images, found, mirrored=quantization.symmetric)
        found = {tensor: _within(choose(*histograms[tensor]), found[tensor]) for tensor in found}
    return found | {tensor: found[output] for tensor, output in read_by_relu.items()}


def _within(found: Range, seen: Range) -> Range:
    return max(found[0], seen[0]), min(found[1], seen[1])


def _folded(path: Path) -> dict[str, str]:
    """Map each tensor that only a ReLU reads to the ReLU's output: the quantizer makes one layer of the two."""
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
    """Let the graph itself find each tensor's smallest and largest value."""
    import numpy

    tensors = list[str]()

    def probe(graph: GraphProto) -> None:
        from onnx import TensorProto, helper

        tensors.extend(_tensors(graph, unseen))
        for tensor in tensors:
            for end in ("Min", "Max"):
                name = f"{tensor} {end}"
                graph.node.append(helper.make_node(f"Reduce{end}", [tensor], [name], keepdims=0))
                graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, []))

    seen = numpy.array(list(_outputs(path, images, probe))).reshape(-1, len(tensors), 2)
    lows, highs = seen[:, :, 0].min(0), seen[:, :, 1].max(0)
    return {tensor: finite(tensor, low, high) for tensor, low, high in zip(tensors, lows, highs, strict=True)}


def _percentiles(path: Path, images: Images, unseen: Container[str], most_images: int) -> dict[str, Range]:
    """Leave out each tensor's 0.001 % of largest magnitude: only the outermost values are kept to find them."""
    found, tensors = dict[str, Outermost](), list[str]()

    def probe(graph: GraphProto) -> None:
        tensors.extend(_tensors(graph, unseen))
        _give_out(graph, tensors)

    for outputs in _outputs(path, images, probe):
        for tensor, values in zip(tensors, outputs, strict=True):
            an_image = values.size // len(outputs[0])
            kept = found.setdefault(tensor, Outermost(tensor, int(an_image * most_images * OUTSIDE) + 1))
            kept.add(values.ravel())
    return {tensor: kept.range() for tensor, kept in found.items()}


def _histograms(path: Path, images: Images, seen: dict[str, Range], *, mirrored: bool) -> dict[str, Histogram]:
    """Count each tensor's values in bins between plus and minus its largest magnitude; mirrored, -x with every x."""
    import numpy

    sides = {tensor: max(abs(low), abs(high)) or 1.0 for tensor, (low, high) in seen.items()}
    counts = {tensor: numpy.zeros(BINS, numpy.int64) for tensor in seen}
    for outputs in _outputs(path, images, lambda graph: _give_out(graph, seen)):
        for tensor, values in zip(seen, outputs, strict=True):
            counts[tensor] += count(values, sides[tensor])
    if mirrored:
        counts = {tensor: own + own[::-1] for tensor, own in counts.items()}
    return {tensor: (counts[tensor], numpy.linspace(-side, side, BINS + 1)) for tensor, side in sides.items()}


def _tensors(graph: GraphProto, unseen: Container[str]) -> Iterator[str]:
    """Name the input and every output, but those unseen."""
    made = (tensor for node in graph.node for tensor in node.output)
    return (tensor for tensor in (graph.input[0].name, *made) if tensor not in unseen)


def _give_out(graph: GraphProto, tensors: Iterable[str]) -> None:
    from onnx import helper

    graph.output.extend(helper.make_empty_tensor_value_info(tensor) for tensor in tensors)


def _outputs(path: Path, images: Images, probe: Callable[[GraphProto], None]) -> Iterator[list[NDArray[float32]]]:
    """Run every image through the graph that gives out what the probe adds: one thread, every optimisation.

    Raises:
        CaseError: there are no images.
    """
    import onnx
    import onnxruntime

    model = onnx.load(path)
    del model.graph.output[:]
    probe(model.graph)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with TemporaryDirectory() as scratch:
        onnx.save(model, probed := Path(scratch) / "probed.onnx")
        del model  # VGG16 is half a gigabyte
        session = onnxruntime.InferenceSession(str(probed), options, providers=["CPUExecutionProvider"])
    outputs = None
    for batch in images():
        outputs = session.run(None, {session.get_inputs()[0].name: batch})
        yield outputs
    if outputs is None:
        raise CaseError("no calibration images: an int8 range cannot be found")
