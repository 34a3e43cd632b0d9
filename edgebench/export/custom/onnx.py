"""An ONNX file that somebody gives -> a checked copy with its weights in it and every axis but the batch fixed."""

from __future__ import annotations

import hashlib
import re
import shutil
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench.export.custom import shape
from edgebench.export.custom.cost import Cost
from edgebench.export.custom.precision import EIGHT_BITS, of_onnx
from edgebench.export.formats.onnx.count import multiply_adds, weights
from edgebench.export.formats.onnx.inspect import integers_of
from edgebench.foundation import bounded, files
from edgebench.foundation.errors import EdgebenchError, RequestError, in_words
from edgebench.schema.cards import CustomModel
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = "onnx"
_STANDARD = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
_DTYPES = ("float32", *EIGHT_BITS)
_SCORES = {"tensor(float)", "tensor(uint8)", "tensor(int8)"}  # integers are in the order of what they stand for


def content(path: Path, most_bytes: int) -> str:
    """Hash the file, and the files that its weights are in.

    Raises:
        RequestError: it is no whole ONNX file, its weights lie outside of its folder, or all are too large.
    """
    beside = sorted(set(_beside(path, _parsed(path))))
    if (size := sum(file.stat().st_size for file in (path, *beside))) > most_bytes:
        raise RequestError(f"{path} and its external data have {size} bytes, wanted at most {most_bytes} (2 GiB)")
    own = files.sha256(path)
    if not beside:
        return own
    return hashlib.sha256("\n".join((own, *map(files.sha256, beside))).encode()).hexdigest()


def size(path: Path) -> int:
    """Return how many bytes the file and those that its weights are in have."""
    return sum(file.stat().st_size for file in {path, *_beside(path, _parsed(path))})


def read(path: Path, place: Path, *, name: str, asked: str, content: str, source: str) -> CustomModel:
    """Write the copy to `place` and describe it.

    Raises:
        RequestError: onnxruntime could not run it, or it is no classifier of images.
    """
    proto = _parsed(path)
    _require_known_operators(name, proto)
    given = _input(name, proto)
    precision, quantized = of_onnx(name, tuple(_nodes(proto)), tuple(_tensors(proto)))
    dtype, image = _dtype(name, given), _settle(path, place, proto, given, name, asked)
    classes = _classes(name, place)
    cost = Cost.of(weights=lambda: weights(place), multiply_adds=lambda: (one.macs for one in multiply_adds(place)))
    left, share = _integers(place, precision, is_dynamic=bool(quantized))
    return CustomModel(
        file="",
        sha256="",
        name=name,
        format=FORMAT,
        content_sha256=content,
        source=source,
        layout=image.layout,
        channels=image.channels,
        resolution=image.resolution,
        dtype=dtype,
        batch=image.batch,
        classes=classes,
        precision=precision,
        given=quantized,
        params=cost.params,
        macs=cost.macs,
        uncounted=cost.uncounted,
        float_nodes=left,
        integer_share=share,
    )


def run_once(path: Path) -> None:
    """Run one image through a file as it will be measured; why it cannot be run is said by its row.

    Raises:
        MemoryError: it takes more memory than this process may.
    """
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        images = {
            given.name: numpy.zeros([size if isinstance(size, int) else 1 for size in given.shape], _of_numpy(given))
            for given in session.get_inputs()
        }
        session.run(None, images)
    except Exception as error:  # whatever it makes of a graph that it cannot run
        if bounded.is_out_of_memory(error):
            raise MemoryError from error


def _of_numpy(given: Any) -> str:
    """Return numpy's name of an input's type: `tensor(float)` is float32."""
    name = str(given.type).removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)


def _settle(path: Path, place: Path, proto: Any, given: Any, name: str, asked: str) -> shape.Image:
    """Write the file as it is, or with its input's sizes settled and its weights in it; return what the input is."""
    import onnx

    found = tuple(one.dim_value for one in given.type.tensor_type.shape.dim)
    fixed = shape.fit(name, given.name, found, asked)
    image = shape.image(name, fixed)
    if fixed == found and not list(_beside(path, proto)):
        shutil.copyfile(path, place)
    else:
        _write_settled(path, proto, given, fixed, place)
    with _said(name, "is no valid ONNX file"):
        onnx.checker.check_model(str(place))
    return image


def _parsed(path: Path) -> Any:
    """Read the graph without what lies outside of the file."""
    import onnx

    with _said(str(path), "is no whole ONNX file"):
        proto = onnx.load(path, load_external_data=False)
    if not proto.graph.node or not proto.opset_import:
        raise RequestError(f"{path} is no whole ONNX file: it has no operators; write it again")
    return proto


@contextmanager
def _said(name: str, what: str) -> Iterator[None]:
    """Say in one line what a library raised: each has errors of its own for a file that is cut off or wrong."""
    try:
        yield
    except (EdgebenchError, OSError):
        raise
    except Exception as error:
        told = re.sub(r"Load model from .*?(failed:|Error:)\s*", "", in_words(error))
        raise RequestError(f"{name} {what}: {told[:220]}") from error


def _graphs(proto: Any) -> Iterator[Any]:
    """Yield everything that holds nodes: the graph, the functions, and the bodies of their branches and loops."""
    waiting = [proto.graph, *proto.functions]
    while waiting:
        yield (one := waiting.pop())
        for attribute in chain.from_iterable(node.attribute for node in one.node):
            waiting += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _nodes(proto: Any) -> Iterator[Any]:
    return chain.from_iterable(graph.node for graph in _graphs(proto))


def _tensors(proto: Any) -> Iterator[Any]:
    for graph in _graphs(proto):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
    for attribute in chain.from_iterable(node.attribute for node in _nodes(proto)):
        yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)


def _beside(path: Path, proto: Any) -> Iterator[Path]:
    """Yield the files of external data, which may not leave the model's folder: whoever wrote it is not trusted."""
    import onnx

    folder = path.parent.resolve()
    for tensor in _tensors(proto):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        file = (folder / location).resolve()
        if Path(location).is_absolute() or ".." in Path(location).parts or not file.is_relative_to(folder):
            raise RequestError(f"{path}: weights {tensor.name} lie outside of its folder, in {location}; move them")
        if not file.is_file():
            raise RequestError(f"{path}: weights {tensor.name} are in {location}, which is not there; put it there")
        yield file


def _require_known_operators(name: str, proto: Any) -> None:
    own = {(function.domain, function.name) for function in proto.functions}
    for node in _nodes(proto):
        if node.domain not in _STANDARD and (node.domain, node.op_type) not in own:
            raise RequestError(
                f"{name}: operator {node.op_type} of {node.domain} is a custom one, which no runtime here has;"
                " export without it"
            )


def _input(name: str, proto: Any) -> Any:
    constants = {one.name for one in proto.graph.initializer}  # old files list them among the inputs
    inputs = [one for one in proto.graph.input if one.name not in constants]
    if len(inputs) != 1:
        found = ", ".join(one.name for one in inputs) or "none"
        raise RequestError(f"{name}: wanted one input, of images; found {len(inputs)}: {found}")
    if len(proto.graph.output) != 1:
        found = ", ".join(one.name for one in proto.graph.output)
        raise RequestError(f"{name}: wanted one output, of class scores; found {len(proto.graph.output)}: {found}")
    return inputs[0]


def _dtype(name: str, given: Any) -> str:
    import onnx

    number = given.type.tensor_type.elem_type
    named = {one: str(label).lower() for label, one in onnx.TensorProto.DataType.items()}
    dtype = (named | {onnx.TensorProto.FLOAT: "float32"}).get(number, "another type")
    if dtype not in _DTYPES:
        raise RequestError(f"{name}: wanted images as {', '.join(_DTYPES)}, found input {given.name} of {dtype}")
    return dtype


def _write_settled(path: Path, proto: Any, given: Any, fixed: shape.Dimensions, place: Path) -> None:
    """Write the model as one file, its input's sizes settled; what it said of open sizes inside is dropped."""
    import onnx

    with _said(str(path), "has external data that cannot be read"):
        onnx.load_external_data_for_model(proto, str(path.parent))
    for one, size in list(zip(given.type.tensor_type.shape.dim, fixed, strict=True))[1:]:
        one.dim_value = size
    del proto.graph.value_info[:]
    onnx.save(proto, place)


def _integers(place: Path, precision: Precision, *, is_dynamic: bool) -> tuple[tuple[str, ...], float | None]:
    """Say what of an int8 file computes in float, and what share does not; nothing where that cannot be looked at."""
    if precision != Precision.INT8:
        return (), None
    try:
        return integers_of(place, products_only=is_dynamic)
    except Exception:  # whatever a library makes of a graph that it runs and cannot follow
        return (), None


def _classes(name: str, place: Path) -> int:
    """Return how many classes there are, from the graph that one image goes through.

    At a batch of one every size is a constant, and onnxruntime's own simplifications leave no shape to compute.
    """
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with TemporaryDirectory() as scratch, _said(name, "cannot be opened by onnxruntime"):
        proto = onnx.load(place)
        _input(name, proto).type.tensor_type.shape.dim[0].dim_value = 1
        onnx.save(proto, one := Path(scratch) / "one.onnx")
        session = onnxruntime.InferenceSession(str(one), options, providers=["CPUExecutionProvider"])
    output = session.get_outputs()[0]
    if output.type not in _SCORES:
        raise RequestError(
            f"{name}: wanted class scores as float32 or 8 bits, found output {output.name} of {output.type}"
        )
    return shape.classes(name, tuple(size if isinstance(size, int) else 0 for size in output.shape))
