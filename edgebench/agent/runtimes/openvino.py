"""OpenVINO's CPU plug-in: it reads the same ONNX files as onnxruntime, and compiles them for one batch size."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from functools import cache
from importlib import metadata
from math import prod
from typing import TYPE_CHECKING, Any

from edgebench.agent.feed import BFLOAT16, arrays
from edgebench.agent.runtimes._onnx import as_taken, noise
from edgebench.agent.runtimes.onnxruntime import scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench.schema.variant import Variant

FORMAT = "onnx"
NEEDS = ("openvino",)
OPTIONS = (("f32", "f16", "bf16"),)  # the type in which operators that are not quantized compute
DEVICES: dict[str, str] = {}
SCHEMES: dict[str, str] = {}
NO_PROFILE = (
    "OpenVINO averages its operator times over all inferences, also the slow first one, in whole microseconds; its tool"
    " benchmark_app -pc shows them"
)
WARMS_UP = True
INSPECTS = True
GLIBC = {"aarch64": "2.35", "x86_64": "2.28"}

CAPABILITIES = {"f16": "FP16", "bf16": "BF16"}  # option -> its name in OpenVINO's list of what a processor can compute
DOT_PRODUCT = "asimddp"  # Linux' name of the int8 dot product of ARM processors
INTEGERS = {"u8": "uint8", "i8": "int8"}  # OpenVINO's names of integer types -> numpy's
MULTIPLIES = {
    "Convolution",
    "ConvolutionBackpropData",
    "GroupConvolution",
    "GroupConvolutionBackpropData",
    "MatMul",
}
# Types of executed nodes that compute nothing: constants, and nodes that only move or convert data.
_MOVES_DATA = {
    "Broadcast",
    "Concatenation",
    "Const",
    "Convert",
    "Gather",
    "Input",
    "Output",
    "Pad",
    "Reorder",
    "Reshape",
    "Split",
    "StridedSlice",
    "Tile",
    "Transpose",
}
_SINK = "/sink_port_0"  # OpenVINO's suffix of the name of an output
_MADE = re.compile(r"[A-Z]\w*_\d+")
_NAMED = 20  # how many of the operators in float are named


class InferenceSession:
    """A compiled graph with inputs in host memory; without a feed, its only input is a batch of images."""

    def __init__(
        self, compiled: Any, names: Sequence[str], macs: Mapping[str, int], batch: int, feed: Mapping[str, Any] | None
    ) -> None:
        self._compiled, self._names, self._macs, self._batch = compiled, names, macs, batch
        self._request = compiled.create_infer_request()
        if feed:
            self._values = _bound(feed, batch)
        else:
            self._input = compiled.inputs[0]
            self._integers = INTEGERS.get(self._input.get_element_type().get_type_name(), "")
            self._shape = tuple(self._input.shape)
            self._values = {self._input: noise(self._shape, self._integers)}
        for key, value in self._values.items():
            self.give(key, value)

    def give(self, name: Any, value: Any) -> None:
        """Set an input to an array, or to the output of another session."""
        import openvino

        tensor = openvino.Tensor(value, shared_memory=True) if hasattr(value, "dtype") else value
        self._values[name] = value  # a shared tensor does not keep its array alive
        self._request.set_tensor(name, tensor)

    def take(self, name: str) -> Any:
        """Return an output of the last run as OpenVINO's own value."""
        return self._request.output_tensors[self._names.index(name)]

    def run(self) -> None:
        """Run the graph on the inputs; the outputs are in host memory on return."""
        self._request.infer()

    def outputs(self) -> dict[str, Any]:
        """Return a copy of every output of the last run, by name."""
        return {
            name: tensor.data.copy() for name, tensor in zip(self._names, self._request.output_tensors, strict=True)
        }

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...], classes: int = 0) -> bytes:
        """Run the graph on float32 inputs of `shape` (N, C, R, R); return the scores of the classes as float32.

        Raises:
            RuntimeError: an output has fewer values than images.
        """
        import numpy

        images = as_taken(numpy.frombuffer(data, dtype="<f4").reshape(shape), self._shape[1:], self._integers)
        parts = [images[start : start + self._shape[0]] for start in range(0, len(images), self._shape[0])]
        answers: bytes = numpy.concatenate([self._answer(part, classes) for part in parts]).astype("<f4").tobytes()
        return answers

    def _answer(self, part: Any, classes: int) -> Any:
        """Run at most one batch of images, padded to a full batch; return their scores."""
        import numpy

        self._values[self._input][: len(part)] = part
        self._request.infer()
        outputs = [numpy.array(tensor.data) for tensor in self._request.output_tensors]
        if empty := [name for name, output in zip(self._names, outputs, strict=True) if output.size < len(part)]:
            raise RuntimeError(f"OpenVINO returned no values in output {empty[0]}; use --runtime onnxruntime")
        return scores([output[: len(part)] for output in outputs], len(part), classes)

    def facts(self) -> dict[str, str]:
        """Return the number of threads, and what an int8 graph computes in integers and in float."""
        threads = {"inference_threads": str(self._compiled.get_property("INFERENCE_NUM_THREADS"))}
        nodes = [Executed(node) for node in self._compiled.get_runtime_model().get_ordered_ops()]
        if not any(node.reads_integers for node in nodes):
            return threads
        share, left = inspected(nodes, self._macs)
        named = ", ".join(left[:_NAMED])
        counts = {"integer_share": f"{share:.6f}"} if share is not None else {}
        return threads | counts | {"float_operators": str(len(left)), "float_operator_names": named}


class Executed:
    """A node that OpenVINO executes.

    Attributes:
        kind: OpenVINO's name of the operator; a `Subgraph` is several operators in one kernel.
        origins: names of the file's operators that the node computes.
        reads: types of its inputs that hold values.
        weights: number of its 8-bit inputs that are matrices; a Subgraph takes the weights of its products as inputs.
        is_float: whether it computes floats from floats.
    """

    def __init__(self, node: Any) -> None:
        facts = {key: str(value.value) for key, value in node.get_rt_info().items() if hasattr(value, "value")}
        self.kind, type = facts["layerType"], facts["runtimePrecision"]
        self.origins = [name for name in facts["originalLayersNames"].split(",") if name] or [node.get_friendly_name()]
        inputs = [port for port in node.inputs() if not _is_empty(port)]
        self.reads = [_type(port) for port in inputs]
        self.weights = sum(_type(port) in INTEGERS and len(port.get_partial_shape()) > 1 for port in inputs[1:])
        is_integer = INTEGERS.keys() & {*self.reads, *map(_type, node.outputs())}
        self.is_float = not is_integer and type.startswith(("f", "bf"))

    @property
    def reads_integers(self) -> bool:
        """Whether one of its inputs has 8-bit integers."""
        return bool(INTEGERS.keys() & set(self.reads))

    @property
    def products(self) -> int:
        """The number of its products of two quantized tensors."""
        return self.weights if self.kind == "Subgraph" else int(all(kind in INTEGERS for kind in self.reads[:2]))

    def computes(self, operator: str) -> bool:
        """Return whether it computes an operator of the file, also if OpenVINO has renamed the operator."""
        return any(origin == operator or origin.startswith(f"{operator}/") for origin in self.origins)


def inspected(nodes: Sequence[Executed], macs: Mapping[str, int]) -> tuple[float | None, list[str]]:
    """Return the share of multiply-adds that are computed in integers, and the operators that are computed in float.

    The share is None if the file has no multiplying operator, or if one of them is in no executed node. If a Subgraph
    has fewer quantized products than multiplying operators, all of these operators count as float.
    """
    inside = {operator: [node for node in nodes if node.computes(operator)] for operator in macs}
    held = defaultdict[int, list[str]](list)
    for operator, found in inside.items():
        for node in found[:1]:
            held[id(node)].append(operator)
    integer = {operator for node in nodes if node.products >= len(held[id(node)]) for operator in held[id(node)]}
    left = [f"{node.kind} {_origin(node)}" for node in nodes if _is_left(node, held[id(node)], integer)]
    if not macs or not all(inside.values()):
        return None, left
    return sum(macs[operator] for operator in integer) / sum(macs.values()), left


def _is_left(node: Executed, operators: Sequence[str], integer: set[str]) -> bool:
    """Return whether an executed node computes products in float, or, if it has none, computes in float at all."""
    if operators:
        return not integer.issuperset(operators)
    return node.is_float and node.kind not in _MOVES_DATA and bool(node.reads)


def _origin(node: Executed) -> str:
    """Return the file's name of a node's first operator; names such as `Multiply_25` are OpenVINO's own."""
    names = [name for name in node.origins if not _MADE.fullmatch(name)]
    return (names or node.origins)[0].removesuffix("/WithoutBiases")


def _is_empty(port: Any) -> bool:
    shape = port.get_partial_shape()
    return bool(shape.is_static and not prod(shape.to_shape()))


def _type(port: Any) -> str:
    name: str = port.get_element_type().get_type_name()
    return name


def _bound(feed: Mapping[str, Any], batch: int) -> dict[str, Any]:
    """Return the values of a feed in OpenVINO's types."""
    import openvino

    values = arrays(feed, batch)
    halves = {entry["name"] for entry in feed["inputs"] if entry["dtype"] == BFLOAT16}
    return {
        name: openvino.Tensor(value, value.shape, openvino.Type.bf16) if name in halves else value
        for name, value in values.items()
    }


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(NEEDS[0])


def prepare() -> None:
    """Import the engine and its dependencies, without the package that reports every import to OpenVINO's vendor."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None makes the import fail
    import numpy  # noqa: F401
    import openvino  # noqa: F401


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Refuse nothing that the format can contain; `refuses_on` says what a processor cannot compute."""
    return ""


def refuses_on(variant: Variant, machine: Mapping[str, str]) -> str:
    """Return why a machine, described by the agent's facts, cannot compute the variant.

    The only such reason is int8 on an ARM processor without the int8 dot product.
    """
    is_arm, isa = machine.get("machine") == "aarch64", machine.get("isa", "").split()
    if variant.quantization and is_arm and DOT_PRODUCT not in isa:
        return (
            f"OpenVINO's int8 needs an ARM processor with the instructions {DOT_PRODUCT}, found one without (such as a"
            " Cortex-A72): use --runtime onnxruntime or litert for int8"
        )
    return ""


def open(
    path: str, *, threads: int, batch: int, options: Sequence[str], feed: Mapping[str, Any] | None = None
) -> InferenceSession:
    """Compile the graph for one batch size, one stream and exactly `threads` threads, which are not pinned to cores.

    Raises:
        RuntimeError: the processor cannot compute in the requested type, or OpenVINO uses another number of threads.
    """
    compiled, names, macs = _compiled(path, threads, batch, options, feed)
    return InferenceSession(compiled, names, macs, batch, feed)


def _compiled(
    path: str, threads: int, batch: int, options: Sequence[str], feed: Mapping[str, Any] | None
) -> tuple[Any, list[str], dict[str, int]]:
    """Compile the graph; also return the names of its outputs, and the multiply-adds of each multiplying operator."""
    core = _core()
    _require_type(options[0], core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    model = _with_float_outputs(core.read_model(path))
    _fix_shapes(model, batch, feed)
    macs = {node.get_friendly_name(): _macs(node) for node in model.get_ordered_ops() if _multiplies(node)}
    names = [_name(output) for output in model.outputs]
    settings = {"INFERENCE_PRECISION_HINT": options[0], "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    compiled = core.compile_model(model, "CPU", settings | {"ENABLE_CPU_PINNING": False})
    if (used := compiled.get_property("INFERENCE_NUM_THREADS")) != threads:
        raise RuntimeError(f"wanted {threads} threads, found {used} in OpenVINO; use --threads {used}")
    return compiled, names, macs


@cache
def _core() -> Any:
    """Return the process's only Core.

    A Core gives the main thread another stack for signal handlers, and at its end restores the one that it found. If of
    two Cores the first ended first, the second would restore memory that is gone, and the next signal would be fatal.
    """
    prepare()
    import openvino

    return openvino.Core()


def _require_type(option: str, capabilities: Sequence[str]) -> None:
    """Refuse a type that the processor has no instructions for.

    Raises:
        RuntimeError: OpenVINO does not list the type among the processor's capabilities.
    """
    if CAPABILITIES.get(option, "FP32") not in capabilities:
        raise RuntimeError(f"wanted {option}, found {', '.join(capabilities)} on this processor: leave +{option} out")


def _with_float_outputs(model: Any) -> Any:
    """Make bfloat16 outputs float32, because numpy lacks bfloat16."""
    import openvino

    halves = [place for place, port in enumerate(model.outputs) if port.get_element_type() == openvino.Type.bf16]
    if not halves:
        return model
    prepared = openvino.preprocess.PrePostProcessor(model)
    for place in halves:
        prepared.output(place).tensor().set_element_type(openvino.Type.f32)
    return prepared.build()


def _fix_shapes(model: Any, batch: int, feed: Mapping[str, Any] | None) -> None:
    """Give each input a static shape; inputs that come from another part keep the file's shapes.

    Raises:
        RuntimeError: the graph does not support this batch size.
    """
    import openvino

    shapes: dict[Any, Any]
    if feed:
        shapes = {name: openvino.PartialShape(list(value.shape)) for name, value in arrays(feed, batch).items()}
    else:
        shape = model.inputs[0].get_partial_shape()
        shape[0] = batch
        shapes = {model.inputs[0]: shape}
    try:
        model.reshape(shapes)
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise RuntimeError(f"OpenVINO cannot compile this graph for a batch of {batch}: {last}") from error


def _name(output: Any) -> str:
    """Return the file's name of an output, which can share its tensor with other names."""
    name: str = output.get_node().get_friendly_name().removesuffix(_SINK)
    return name if name in output.get_names() else str(output.get_any_name())


def _multiplies(node: Any) -> bool:
    is_static = all(port.get_partial_shape().is_static for port in (*node.inputs(), *node.outputs()))
    return node.get_type_name() in MULTIPLIES and is_static


def _macs(node: Any) -> int:
    """Return the multiply-adds of a convolution or a matrix product."""
    values, weights = (tuple(map(int, port.get_shape())) for port in node.inputs()[:2])
    outputs, kind = prod(map(int, node.outputs()[0].get_shape())), node.get_type_name()
    if kind == "MatMul":
        is_transposed = node.get_attributes()["transpose_a"] and len(values) > 1
        return outputs * values[-2 if is_transposed else -1]
    # Weights of a convolution: (output channels, input channels, ...).
    # Weights of its gradient, a transposed convolution: (input channels, output channels, ...).
    # In both, the number of groups comes first, if there are groups.
    per_value = prod(weights[2:] if kind.startswith("Group") else weights[1:])
    return per_value * (prod(values) if kind.endswith("BackpropData") else outputs)
