"""Check a user-supplied ONNX file; copy it with all weights inside and all input sizes (except the batch) fixed."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench.export.custom import detector, inputs, shape
from edgebench.export.custom.cost import Cost
from edgebench.export.custom.inputs import Declared
from edgebench.export.custom.precision import of_onnx
from edgebench.export.formats.onnx.count import account_of, held, loaded, prepared, sizes_of, weights
from edgebench.export.formats.onnx.inspect import integers_of
from edgebench.export.formats.onnx.skim import outline
from edgebench.foundation import bounded, files
from edgebench.foundation.errors import EdgebenchError, RequestError, in_words, shown
from edgebench.schema.cards import CustomModel
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_Function = tuple[str, str, str]  # a function's key in the file: domain, name and overload
FORMAT, SUFFIX = "onnx", ".onnx"
_STANDARD = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)")
_STRING = 8  # the number by which onnx denotes the type of strings
# Limits on operators and nesting levels after a runtime has inlined all functions.
# Large networks have a few thousand operators in a few levels.
MOST_OPERATORS, MOST_LEVELS = 20_000, 64
# Operators whose output has the same values as their input.
_PASSES = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


def content(path: Path, most_bytes: int) -> str:
    """Hash the file and its external data.

    Raises:
        RequestError: the file is damaged, its external data lie outside its folder, or the file and its data are too
            large together.
    """
    others = sorted(set(beside(path, _parsed(path))))
    if (size := sum(file.stat().st_size for file in (path, *others))) > most_bytes:
        raise RequestError(f"{path} and its external data have {size} bytes, wanted at most {most_bytes} (2 GiB)")
    own = files.sha256(path)
    if not others:
        return own
    return hashlib.sha256("\n".join((own, *map(files.sha256, others))).encode()).hexdigest()


def size(path: Path) -> int:
    """Return the total size of the file and its external data in bytes."""
    return sum(file.stat().st_size for file in {path, *beside(path, _parsed(path))})


def read(
    path: Path,
    place: Path,
    *,
    name: str,
    asked: str,
    content: str,
    source: str,
    is_fed: bool = False,
    decode: str = "",
) -> CustomModel:
    """Write the checked copy to `place`, and return the model's card.

    Raises:
        RequestError: onnxruntime cannot open the file, or an input has an axis without a size.
    """
    proto = _parsed(path)
    require_known_operators(name, proto)
    declared = declarations(name, proto)
    shapes = inputs.settle(name, declared, asked)
    precision, quantized = precision_of(proto)
    _settle(path, place, proto, shapes, name)
    require_bounded(name, sizes_of(prepared(skimmed(place, name))))
    cost = Cost.of(weights=lambda: weights(loaded(place)), multiply_adds=lambda: macs_of(loaded(place)))
    left, share = _integers(place, precision, is_dynamic=bool(quantized))
    return CustomModel(
        file="",
        sha256="",
        name=name,
        format=FORMAT,
        content_sha256=content,
        source=source,
        precision=precision,
        given=quantized,
        float_nodes=left,
        integer_share=share,
        **asdict(cost),
        **_takes(name, declared, shapes, outputs(name, place), is_fed=is_fed, decode=decode),
    )


def _takes(
    name: str,
    declared: Sequence[Declared],
    shapes: Sequence[shape.Dimensions],
    made: Mapping[str, tuple[str, shape.Dimensions]],
    *,
    is_fed: bool,
    decode: str,
) -> dict[str, Any]:
    """Return the card's fields that describe the inputs of a detector, an image classifier, or any other model."""
    if not decode:
        return inputs.kind(declared, shapes, tuple(made.values()), is_fed=is_fed)
    sizes = {label: dims for label, (kind, dims) in made.items() if kind in _FLOATS}
    if integers := [label for label in made if label not in sizes]:
        raise RequestError(
            f"{name}: wanted only float outputs with --decode, but {integers[0]} has another type; export it in float"
        )
    return detector.described(name, declared, shapes, sizes, decode)


def may_be_refused(proto: Any) -> bool:
    """Return whether onnxruntime may refuse a file, judged by the file's graph alone, without large weights.

    The graph lacks the values of large weights, so it is opened with these weights as inputs. If onnxruntime refuses
    this graph, the missing values may be the reason, because a few operators need them; then the whole file must be
    opened. Graphs with functions are not opened here at all, because the runtime inlines functions, and a few functions
    can become billions of operators.
    """
    import onnx
    import onnxruntime

    if proto.functions:
        return True
    light = onnx.ModelProto()
    light.CopyFrom(proto)
    declared = {entry.name for entry in light.graph.input}
    empty = [tensor for tensor in light.graph.initializer if prod(tensor.dims) and _is_empty(tensor)]
    for tensor in empty:
        if tensor.name not in declared:
            entry = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            light.graph.input.append(entry)
        light.graph.initializer.remove(tensor)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(light.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # onnxruntime raises many kinds of errors
        return True
    return False


def _is_empty(tensor: Any) -> bool:
    """Return whether a constant's values are missing here, because they were left out or are in another file."""
    fields = (tensor.raw_data, tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data)
    return not any((*fields, tensor.uint64_data, tensor.string_data))


def precision_of(proto: Any) -> tuple[Precision, str]:
    """Return a graph's precision, and a text such as `dynamic range` if the types of weights and activations differ."""
    return of_onnx(tuple(nodes(proto)), tuple(tensors(proto)))


def run_once(path: Path) -> None:
    """Run a file once on zeros, to find out whether it exceeds the memory limit; ignore other errors.

    Raises:
        MemoryError: the run takes more memory than this process may use.
    """
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        images = {
            given.name: numpy.zeros(
                [size if isinstance(size, int) else 1 for size in given.shape], of_numpy(given.type)
            )
            for given in session.get_inputs()
        }
        session.run(None, images)
    except Exception as error:  # onnxruntime raises many kinds of errors
        if bounded.is_out_of_memory(error):
            raise MemoryError from error


def of_numpy(kind: str) -> str:
    """Return numpy's name for one of onnxruntime's types: `tensor(float)` is float32."""
    name = kind.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)


def macs_of(proto: Any, *, may_open: bool = True) -> tuple[int, tuple[str, ...]]:
    """Return the sum of a graph's multiply-adds, and the reasons why some operators could not be counted."""
    account = account_of(proto, may_open=may_open)
    return sum(one.macs for one in account.counted), account.uncounted


def _settle(path: Path, place: Path, proto: Any, shapes: Sequence[shape.Dimensions], name: str) -> None:
    """Write the model with fixed input sizes and all weights inside; just copy a file that is already like this."""
    found = tuple(tuple(dim.dim_value for dim in one.type.tensor_type.shape.dim) for one in inputs_of(proto))
    if found == tuple(shapes) and not list(beside(path, proto)):
        shutil.copyfile(path, place)
    else:
        _write_settled(path, proto, shapes, place)


def skimmed(path: Path, name: str) -> Any:
    """Read a file's graph without the values of its weights.

    Raises:
        RequestError: the file is not a complete ONNX file.
    """
    with _said(name, "is not a complete ONNX file"):
        proto = outline(path)
    if not proto.graph.node or not proto.opset_import:
        raise RequestError(f"{name} is not a complete ONNX file: it has no operators; write it again")
    _require_foldable(name, proto)
    return proto


def require_bounded(name: str, known: Mapping[str, shape.Dimensions]) -> None:
    """Refuse a graph with a tensor too large for a small machine, before a runtime allocates it.

    Raises:
        RequestError: a tensor is too large.
    """
    for tensor, sizes in known.items():
        if (values := prod(sizes)) > inputs.MOST_VALUES:
            raise RequestError(
                f"{name}: tensor {tensor} of {shape.said(sizes)} would have {values} values, wanted at most"
                f" {inputs.MOST_VALUES}; export it for smaller inputs"
            )


def _parsed(path: Path) -> Any:
    """Read the graph without its external data."""
    import onnx

    with _said(str(path), "is not a complete ONNX file"):
        proto = onnx.load(path, load_external_data=False)
    if not proto.graph.node or not proto.opset_import:
        raise RequestError(f"{path} is not a complete ONNX file: it has no operators; write it again")
    _require_foldable(path.name, proto)
    return proto


def _require_foldable(name: str, proto: Any) -> None:
    """Refuse functions that call each other so often, or so deeply, that inlining them would never finish.

    Raises:
        RequestError: the functions have too many operators or levels after inlining, or a function calls itself.
    """
    if not proto.functions:
        return
    left = {(entry.domain, entry.name, entry.overload): _called(entry) for entry in proto.functions}
    sizes = dict[_Function, int]()
    for _ in range(MOST_LEVELS):
        ready = {key: calls for key, calls in left.items() if left.keys().isdisjoint(calls)}
        sizes |= {key: _unfolded(calls, sizes) for key, calls in ready.items()}
        left = {key: calls for key, calls in left.items() if key not in ready}
    if left:
        raise RequestError(
            f"{name}: function {shown(next(iter(left))[1])[:80]} calls itself, or is nested more than {MOST_LEVELS}"
            " levels deep; export it with its functions inlined"
        )
    if _unfolded(_called(proto.graph), sizes) > MOST_OPERATORS:
        raise RequestError(
            f"{name}: its functions are inlined to more than {MOST_OPERATORS} operators, wanted at most that many;"
            " export it with its functions inlined, or export a smaller network"
        )


def _called(graph: Any) -> Counter[_Function]:
    """Count the calls of each operator in a graph or a function, including its branches and loops."""
    nodes = chain.from_iterable(inner.node for inner in _graphs_from(graph))
    return Counter((node.domain, node.op_type, node.overload) for node in nodes)


def _unfolded(calls: Counter[_Function], sizes: Mapping[_Function, int]) -> int:
    """Return the number of operators after inlining all called functions; return the limit plus one if it is larger."""
    return min(MOST_OPERATORS + 1, sum(count * sizes.get(call, 1) for call, count in calls.items()))


@contextmanager
def _said(name: str, what: str) -> Iterator[None]:
    """Turn any exception of a library into a RequestError of one line.

    Each library raises its own kinds of exceptions for a damaged file.
    """
    try:
        yield
    except (EdgebenchError, OSError):
        raise
    except Exception as error:
        told = re.sub(r"Load model from .*?(failed:|Error:)\s*", "", in_words(error))
        raise RequestError(f"{name} {what}: {told[:220]}") from error


def _graphs(proto: Any) -> Iterator[Any]:
    """Return every graph of a file: the main graph, the functions, and the bodies of their branches and loops."""
    return _graphs_from(proto.graph, *proto.functions)


def _graphs_from(*graphs: Any) -> Iterator[Any]:
    waiting = [*graphs]
    while waiting:
        yield (one := waiting.pop())
        for attribute in chain.from_iterable(node.attribute for node in one.node):
            waiting += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def nodes(proto: Any) -> Iterator[Any]:
    """Yield every operator of a file, including the operators in functions, branches and loops."""
    return chain.from_iterable(graph.node for graph in _graphs(proto))


def tensors(proto: Any) -> Iterator[Any]:
    """Yield every constant of a file, including the constants in functions, branches and loops."""
    for graph in _graphs(proto):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
    for attribute in chain.from_iterable(node.attribute for node in nodes(proto)):
        yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)


def beside(path: Path, proto: Any) -> Iterator[Path]:
    """Yield the files of external data; refuse files outside the model's folder, because models are not trusted."""
    import onnx

    folder = path.parent.resolve()
    for tensor in tensors(proto):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        file = (folder / location).resolve()
        if Path(location).is_absolute() or ".." in Path(location).parts or not file.is_relative_to(folder):
            raise RequestError(
                f"{path}: weights {tensor.name} lie outside the model's folder, in {location}; move them"
            )
        if not file.is_file():
            raise RequestError(f"{path}: weights {tensor.name} are in {location}, which is missing; put it there")
        _require_within(path, tensor, file.stat().st_size)
        yield file


def _require_within(path: Path, tensor: Any, size: int) -> None:
    """Refuse a tensor whose values do not lie inside the external file, which has `size` bytes."""
    stated = {entry.key: entry.value for entry in tensor.external_data if entry.key in ("offset", "length")}
    if not all(re.fullmatch("[0-9]{1,18}", text) for text in stated.values()):
        found = ", ".join(f"{key} {shown(text)[:40]}" for key, text in stated.items())
        raise RequestError(f"{path}: weights {tensor.name} have {found}, wanted whole numbers; write it again")
    end = int(stated.get("offset", 0)) + int(stated.get("length", 0))
    if end > size:
        raise RequestError(
            f"{path}: weights {tensor.name} end at byte {end} of a file of {size} bytes; copy that file again"
        )


def require_known_operators(name: str, proto: Any) -> None:
    """Refuse custom operators, which neither onnxruntime nor the file itself defines.

    Raises:
        RequestError: the file has a custom operator.
    """
    own = {(function.domain, function.name) for function in proto.functions}
    for node in nodes(proto):
        if node.domain not in _STANDARD and (node.domain, node.op_type) not in own:
            raise RequestError(
                f"{name}: operator {node.op_type} of {node.domain} is a custom one, which no runtime here has;"
                " export the model without it"
            )


def inputs_of(proto: Any) -> list[Any]:
    """Return a file's inputs without the constants, which old files list among the inputs."""
    constants = {one.name for one in proto.graph.initializer}
    return [one for one in proto.graph.input if one.name not in constants]


def declarations(name: str, proto: Any) -> tuple[Declared, ...]:
    """Return the inputs as the file declares them.

    Raises:
        RequestError: an input or an output is not a tensor of numbers, or the rank of an input is unknown.
    """
    most = _tables(proto)
    declared = tuple(_declared(name, one, most.get(one.name)) for one in inputs_of(proto))
    inputs.require_types(name, declared)
    for output in proto.graph.output:
        _require_tensor(name, "output", output)
        if output.type.tensor_type.elem_type == _STRING:
            raise RequestError(
                f"{name}: output {output.name} has strings, wanted numbers; export the model without this output"
            )
    return declared


def _require_tensor(name: str, noun: str, value: Any) -> None:
    if (kind := value.type.WhichOneof("value")) not in ("tensor_type", None):
        found = kind.removesuffix("_type").replace("_", " ")
        raise RequestError(
            f"{name}: {noun} {value.name} is of type {found}, wanted a tensor; export the model without this {noun}"
        )


def _declared(name: str, given: Any, most: int | None) -> Declared:
    _require_tensor(name, "input", given)
    tensor = given.type.tensor_type
    if not tensor.HasField("shape"):
        raise RequestError(f"{name}: input {given.name} has no shape; export it with a known number of axes")
    axes = tuple(_axis(dim) for dim in tensor.shape.dim)
    return Declared(name=given.name, dtype=type_name(tensor.elem_type), axes=axes, most=most)


def type_name(number: int) -> str:
    """Return numpy's name for one of onnx's types."""
    import onnx

    types = onnx.TensorProto
    if number in (types.FLOAT, types.DOUBLE):
        return "float32" if number == types.FLOAT else "float64"
    return next((str(label).lower() for label, one in types.DataType.items() if one == number), "another type")


def _axis(dim: Any) -> int | str:
    """Return the size of a fixed axis, or the name of an open axis; some files give open axes the size -1."""
    return int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value >= 0 else str(dim.dim_param)


def _tables(proto: Any) -> dict[str, int]:
    """Map the name of each tensor that holds indices of a lookup table to the largest valid index."""
    sizes, most, sources = held(proto), dict[str, int](), dict[str, str]()
    for node in proto.graph.node:
        if node.op_type in _PASSES and node.input:
            sources[node.output[0]] = sources.get(node.input[0], node.input[0])
        for index, table, axis in _looked_up(node):
            dims = sizes.get(table, ())
            if -len(dims) <= axis < len(dims):
                source = sources.get(index, index)
                most[source] = min(most.get(source, dims[axis] - 1), dims[axis] - 1)
    return most


def _looked_up(node: Any) -> Iterator[tuple[str, str, int]]:
    """For each table that an operator looks up, yield the tensor of indices, the table, and the indexed axis."""
    if node.op_type in ("Gather", "GatherElements") and len(node.input) > 1:
        yield node.input[1], node.input[0], next((one.i for one in node.attribute if one.name == "axis"), 0)
    if node.op_type == "EmbedLayerNormalization" and len(node.input) > 4:
        yield node.input[0], node.input[2], 0
        yield node.input[1], node.input[4], 0


def _write_settled(path: Path, proto: Any, shapes: Sequence[shape.Dimensions], place: Path) -> None:
    """Write the model as one file with fixed input sizes."""
    import onnx

    with _said(str(path), "has external data that cannot be read"):
        onnx.load_external_data_for_model(proto, str(path.parent))
    onnx.save(settled(proto, shapes), place)


def settled(proto: Any, shapes: Sequence[shape.Dimensions]) -> Any:
    """Return the graph with fixed input sizes; remove other declared shapes, which can contradict them."""
    for one, sizes in zip(inputs_of(proto), shapes, strict=True):
        for dim, size in zip(one.type.tensor_type.shape.dim, sizes, strict=True):
            if size:
                dim.dim_value = size
            elif dim.HasField("dim_value"):
                dim.dim_param = "batch"
    del proto.graph.value_info[:]
    return proto


def _integers(place: Path, precision: Precision, *, is_dynamic: bool) -> tuple[tuple[str, ...], float | None]:
    """Return the float operators of an int8 file, and the share of multiply-adds that are computed in integers.

    If the graph cannot be analysed, the operators are an empty tuple and the share is None.
    """
    if precision != Precision.INT8:
        return (), None
    try:
        return integers_of(place, products_only=is_dynamic)
    except Exception:  # libraries raise many kinds of errors on graphs that they cannot analyse
        return (), None


def outputs(name: str, place: Path) -> dict[str, tuple[str, shape.Dimensions]]:
    """Map the name of every output to its type and its sizes for a batch of one; 0 stands for an open size.

    With a batch of one, most sizes are constants, and onnxruntime's optimizer can compute nearly all shapes. This
    function is the first to open the file with onnxruntime, so it also finds out whether onnxruntime can open it.
    """
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    proto = onnx.load(place)
    for given in inputs_of(proto):
        for dim in given.type.tensor_type.shape.dim[:1]:
            dim.dim_value = max(1, dim.dim_value)
    with TemporaryDirectory() as scratch:
        onnx.save(proto, one := Path(scratch) / "one.onnx")
        with _said(name, "cannot be opened by onnxruntime"):
            session = onnxruntime.InferenceSession(str(one), options, providers=["CPUExecutionProvider"])
    return {
        output.name: (output.type, tuple(size if isinstance(size, int) else 0 for size in output.shape))
        for output in session.get_outputs()
    }
