"""onnxruntime with its CPU, CUDA or TensorRT provider; inputs and outputs are bound once."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, defaultdict
from contextlib import redirect_stdout
from importlib import metadata
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.agent.feed import BFLOAT16, arrays
from edgebench.agent.runtimes._onnx import as_taken, noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from edgebench.schema.variant import Variant

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"

FORMAT = "onnx"
NEEDS = ("onnxruntime",)
REFERENCE = "reference"  # the option to compute the graph as it stands, without optimizations
OPTIONS = ((CPU, CUDA, TENSORRT), ("", "tf32"), ("", REFERENCE))
DEVICES = {CPU: "cpu", CUDA: "cuda", TENSORRT: "cuda"}
SCHEMES = {TENSORRT: "s8s8+symmetric"}  # the option for TensorRT, whose int8 has no zero points
NO_PROFILE = ""
WARMS_UP = True

INTEGERS = {"tensor(uint8)": "uint8", "tensor(int8)": "int8"}  # onnxruntime's names of integer input types -> numpy's
ONNX_BFLOAT16 = 16  # onnx's number for the type bfloat16
PACKAGES = ("onnxruntime-gpu", "onnxruntime")
_ON_INTEGERS = ("QLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear")  # in names of operators on integers
_KERNEL = "_kernel_time"  # ending of the name of a node's event in a trace
# Operators that compute shapes: onnxruntime leaves them on the CPU by design, because the CPU needs the shapes.
_BOOKKEEPING = {"Shape", "Gather", "Concat", "Unsqueeze", "Squeeze", "Slice", "Cast", "Constant"}


class InferenceSession:
    """A loaded graph, with inputs and outputs in host memory.

    The only input of the graph is a batch of images, unless a feed describes the inputs of the model.
    """

    def __init__(self, session: Any, batch: int, feed: Mapping[str, Any] | None = None) -> None:
        import onnxruntime

        self._session, self._names = session, [output.name for output in session.get_outputs()]
        if feed:
            self._values = _bound(feed, batch)
        else:
            self._input = session.get_inputs()[0]
            self._integers: str = INTEGERS.get(self._input.type, "")
            image = noise((batch, *self._input.shape[1:]), self._integers)
            self._values = {self._input.name: onnxruntime.OrtValue.ortvalue_from_numpy(image)}
        self._binding = session.io_binding()
        self._bind_inputs()
        for name in self._names:
            self._binding.bind_output(name, "cpu")

    def _bind_inputs(self) -> None:
        for name, value in self._values.items():
            self._binding.bind_ortvalue_input(name, value)

    def run(self) -> None:
        """Run the graph on the bound inputs; the outputs are in host memory on return."""
        self._session.run_with_iobinding(self._binding)

    def outputs(self) -> dict[str, Any]:
        """Return every output of the last run, by name; bfloat16 outputs become float32."""
        values = self._binding.get_outputs()
        return {name: _array(value) for name, value in zip(self._names, values, strict=True)}

    def give(self, name: str, value: Any) -> None:
        """Bind an input to the output of another session."""
        self._values[name] = value
        self._binding.bind_ortvalue_input(name, value)

    def take(self, name: str) -> Any:
        """Return an output of the last run as onnxruntime's own value."""
        return self._binding.get_outputs()[self._names.index(name)]

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...], classes: int = 0) -> bytes:
        """Run the graph on float32 inputs of `shape` (N, C, R, R); return the scores of the classes as float32."""
        import numpy

        given = numpy.frombuffer(data, dtype="<f4").reshape(shape)
        images = as_taken(given, tuple(self._input.shape[1:]), self._integers)
        size = self._input.shape[0] if isinstance(self._input.shape[0], int) else len(images)
        parts = (images[start : start + size] for start in range(0, len(images), size))
        outputs = [scores(self._session.run(None, {self._input.name: part}), len(part), classes) for part in parts]
        answers: bytes = numpy.concatenate(outputs).astype("<f4").tobytes()
        return answers

    def facts(self) -> dict[str, str]:
        """Return no facts, because on the CPU no operator can fall back to another device."""
        return {}


class DeviceSession(InferenceSession):
    """A graph on a GPU; every run copies the inputs to the GPU, as an application would."""

    def __init__(
        self, session: Any, batch: int, path: str, provider: str, *, tf32: bool, feed: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(session, batch, feed)
        self._path, self._provider, self._tf32 = path, provider, tf32

    def run(self) -> None:
        """Copy the inputs to the GPU and run the graph; the outputs are in host memory on return."""
        self._bind_inputs()  # binding copies the inputs to the GPU
        self._session.run_with_iobinding(self._binding)

    def facts(self) -> dict[str, str]:
        """Return the operators that ran on the CPU instead of the GPU."""

        def use(session: Any) -> None:
            session.run_with_ort_values(self._names, self._values)

        return fallback(_profiled(self._path, self._provider, 1, use, tf32=self._tf32))


def _bound(feed: Mapping[str, Any], batch: int) -> dict[str, Any]:
    """Return onnxruntime's own value for each input that the feed describes."""
    import onnxruntime

    values, make = arrays(feed, batch), onnxruntime.OrtValue
    bound = {}
    for entry in feed["inputs"]:
        name = entry["name"]
        if entry["dtype"] != BFLOAT16:
            bound[name] = make.ortvalue_from_numpy(values[name])
            continue
        bound[name] = make.ortvalue_from_shape_and_type(values[name].shape, ONNX_BFLOAT16)
        _bits(bound[name])[...] = values[name]
    return bound


def _array(value: Any) -> Any:
    """Return a copy of an output; bfloat16, which numpy lacks, becomes float32 without loss."""
    import numpy

    if value.data_type() != "tensor(bfloat16)":
        return numpy.array(value.numpy())
    return (_bits(value).astype(numpy.uint32) << 16).view(numpy.float32)


def _bits(value: Any) -> Any:
    """Return the memory of bfloat16 values as an array of uint16."""
    from ctypes import c_uint16

    import numpy

    shape = tuple(value.shape())
    if not (count := prod(shape)):
        return numpy.zeros(shape, numpy.uint16)
    return numpy.ctypeslib.as_array((c_uint16 * count).from_address(value.data_ptr())).reshape(shape)


def scores(outputs: Sequence[Any], images: int, classes: int) -> Any:
    """Return the output with one value per class.

    If no output has one value per class, but all outputs together have, join all outputs and return them. In all other
    cases, return the first output.
    """
    import numpy

    fitting = [output for output in outputs if output.size == images * classes]
    if not fitting and sum(output.size for output in outputs) == images * classes:
        return numpy.concatenate([output.reshape(images, -1) for output in outputs], 1)
    return fitting[0] if fitting else outputs[0]


def version() -> str:
    """Return the version of the installed package, one of `PACKAGES`, without importing it.

    Raises:
        PackageNotFoundError: none of `PACKAGES` is installed.
    """
    versions = (item.version for name in PACKAGES for item in metadata.distributions(name=name))
    return next(versions, "") or metadata.version(NEEDS[0])


def prepare() -> None:
    """Import the engine and its dependencies."""
    import numpy  # noqa: F401
    import onnxruntime  # noqa: F401


def refuses(variant: Variant, options: Sequence[str]) -> str:
    """Return why these options are refused for the variant; an empty text if they are accepted.

    Options are refused if the provider cannot compute the variant's int8, or if TF32 would have no effect.
    """
    quantization = variant.quantization
    if CUDA in options and quantization:
        return f"onnxruntime's CUDA provider has no integer convolution: use --runtime onnxruntime+{TENSORRT} for int8"
    if TENSORRT in options and quantization and not _is_signed_and_symmetric(quantization):
        return f"TensorRT computes signed symmetric int8 only, found {quantization}: use --quantization s8s8+symmetric"
    if REFERENCE in options and CPU not in options:
        return f"{REFERENCE} computes on the CPU: leave {options[0]} out"
    if "tf32" in options and (CPU in options or quantization):
        return "tf32 only affects fp32 on a GPU: leave it out"
    return ""


def _is_signed_and_symmetric(quantization: Any) -> bool:
    return (quantization.activations, quantization.weights, quantization.symmetric) == ("int8", "int8", True)


def open(
    path: str, *, threads: int, batch: int, options: Sequence[str], feed: Mapping[str, Any] | None = None
) -> InferenceSession:
    """Load the graph with exactly `threads` threads, either with all optimizations or as it stands.

    Raises:
        RuntimeError: onnxruntime used a different provider from the requested one, or the option `reference` was given
            for a graph that has operators on integers.
    """
    provider, tf32 = options[0], "tf32" in options
    if REFERENCE in options:
        return InferenceSession(_as_it_stands(path, threads), batch, feed)
    session = _loaded(path, provider, _settings(threads), tf32=tf32)
    require(provider, session.get_providers(), _available())
    return (
        InferenceSession(session, batch, feed)
        if provider == CPU
        else DeviceSession(session, batch, path, provider, tf32=tf32, feed=feed)
    )


def _as_it_stands(path: str, threads: int) -> Any:
    """Load the graph without optimizations, so that int8 is quantized and dequantized in float32 as the graph says.

    Raises:
        RuntimeError: the graph has operators on integers, which onnxruntime computes with its own int8 kernels.
    """
    import onnxruntime

    content = Path(path).read_bytes()
    if own := [name for name in _ON_INTEGERS if name.encode() in content]:
        raise RuntimeError(f"wanted QuantizeLinear and DequantizeLinear, found {own[0]}: leave +{REFERENCE} out")
    settings = _settings(threads)
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return _loaded(path, CPU, settings)


def _settings(threads: int) -> Any:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3  # errors only
    return settings


def _loaded(path: str, provider: str, settings: Any, *, tf32: bool = False) -> Any:
    """Load the graph; operators that TensorRT lacks run on CUDA, and operators that CUDA lacks run on the CPU."""
    import onnxruntime

    if provider == CPU:
        return onnxruntime.InferenceSession(path, settings, providers=[CPU])
    if not tf32:
        os.environ["NVIDIA_TF32_OVERRIDE"] = (
            "0"  # CUDA's libraries read this variable when they are loaded; without it they would round fp32 to TF32
        )
    with redirect_stdout(sys.stderr):  # preload_dlls prints missing libraries, but stdout is only for the answer
        onnxruntime.preload_dlls()  # NVIDIA's packages install CUDA's libraries where the loader does not search
    chain: list[Any] = [(CUDA, {"use_tf32": str(int(tf32))})]
    if provider == TENSORRT:
        # TensorRT would quantize a float file itself, so the option for int8 is set only for quantized files.
        is_int8 = b"QuantizeLinear" in Path(path).read_bytes()
        chain.insert(0, (TENSORRT, {"trt_int8_enable": str(int(is_int8))}))
    return onnxruntime.InferenceSession(path, settings, providers=chain)


def _available() -> Sequence[str]:
    """List the providers that the installed package was built with."""
    import onnxruntime

    providers: Sequence[str] = onnxruntime.get_available_providers()
    return providers


def require(provider: str, used: Sequence[str], available: Sequence[str]) -> None:
    """Refuse a session that silently uses a different provider.

    Raises:
        RuntimeError: the session uses a different provider; the message names all providers that it uses.
    """
    if used[0] == provider:
        return
    if provider not in available:
        advice = "install onnxruntime-gpu in place of onnxruntime"
    elif provider == TENSORRT:
        advice = "install TensorRT's libraries"
    else:
        advice = "install CUDA's libraries and cuDNN's: pip install 'onnxruntime-gpu[cuda,cudnn]'"
    raise RuntimeError(f"wanted onnxruntime's {provider}, found {', '.join(used)}: {advice}")


def _profiled(
    path: str, provider: str, threads: int, use: Callable[[Any], object], *, tf32: bool
) -> list[dict[str, Any]]:
    """Load the graph into a profiling session, call `use` with it, and return the events of the session's trace."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as scratch:
        settings = _settings(threads)
        settings.enable_profiling = True
        settings.profile_file_prefix = str(Path(scratch) / "profile")
        session = _loaded(path, provider, settings, tf32=tf32)
        use(session)
        events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return events


def profile(
    path: str,
    *,
    threads: int,
    batch: int,
    options: Sequence[str],
    warm_up: int,
    iterations: int,
    feed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Time every operator in a profiling session, on the same inputs as in measurements."""

    def use(session: Any) -> None:
        bound = InferenceSession(session, batch, feed)
        for _ in range(warm_up + iterations):
            bound.run()

    return operators(_profiled(path, options[0], threads, use, tf32="tf32" in options), iterations)


def operators(events: Iterable[dict[str, Any]], iterations: int) -> dict[str, Any]:
    """Summarize a trace: median seconds of each node and of the whole inference, over the last `iterations` runs."""
    from statistics import median

    runs, whole = defaultdict[str, list[dict[str, Any]]](list), list[float]()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            runs[event["args"]["node_index"]].append(event)
        elif event["name"] == "model_run":
            whole.append(event["dur"] / 1e6)
    return {
        "whole_s": median(whole[-iterations:]),
        "operators": [_operator(node[-iterations:]) for node in sorted(runs.values(), key=lambda node: node[-1]["ts"])],
    }


def _operator(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    from statistics import median

    last, arguments = runs[-1], runs[-1]["args"]
    types = [kind for shape_by_type in arguments.get("input_type_shape", ()) for kind in shape_by_type]
    return {
        "name": last["name"].removesuffix(_KERNEL),
        "operator": arguments["op_name"],
        "type": types[0] if types else "",
        "bytes": sum(int(arguments.get(size, 0)) for size in ("activation_size", "parameter_size", "output_size")),
        "seconds": median(run["dur"] for run in runs) / 1e6,
    }


def fallback(events: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Count a trace's operators per provider; the entry `fallback` names operators that fell back to the CPU."""
    ran = [
        (event["args"]["provider"], event["args"]["op_name"])
        for event in events
        if event.get("cat") == "Node" and event.get("args", {}).get("provider")
    ]
    per_provider = Counter(provider for provider, _ in ran)
    counts = {f"operators_on_{provider}": str(count) for provider, count in per_provider.items()}
    fallen = sorted({operator for provider, operator in ran if provider == CPU} - _BOOKKEEPING)
    return counts | ({"fallback": ", ".join(fallen)} if fallen else {})
