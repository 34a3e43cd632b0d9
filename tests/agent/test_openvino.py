"""OpenVINO as a runtime: it computes what onnxruntime does, on as many threads as asked, and reports what is float."""

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench.agent.runtimes import onnxruntime, openvino
from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Precision
from tests.conftest import CPU, variant

lengthy = pytest.mark.lengthy
needs_openvino = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed: edgebench[openvino]")
FLOAT = ("f32",)
SCALES = {"x": 1 / 64, "w": 1 / 128, "y": 1 / 16}  # of the images, the weights and the features; exact in binary


def weights(random: Any, *shape: int) -> Any:
    return (random.integers(-100, 100, shape) / 1024).astype(numpy.float32)


def quantized(name: str, scale: float, kind: Any) -> tuple[list[Any], list[Any]]:
    """Nodes that quantize and dequantize a tensor, and their constants."""
    constants = [
        numpy_helper.from_array(numpy.array(scale, numpy.float32), f"{name}_s"),
        numpy_helper.from_array(numpy.array(128 if kind == numpy.uint8 else 0, kind), f"{name}_z"),
    ]
    ends = [f"{name}_s", f"{name}_z"]
    return [
        helper.make_node("QuantizeLinear", [name, *ends], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", *ends], [f"{name}_d"]),
    ], constants


def network(
    path: Path, *, int8: bool = False, batch: str | int = "n", layout: str = "NCHW", bytes: bool = False
) -> str:
    """Two convolutions, of 4 and 8 channels, of 3 x 8 x 8 images; with `int8`, only the first one is quantized."""
    random = numpy.random.default_rng(0)
    held = [numpy_helper.from_array(weights(random, *shape), name)
            for name, shape in (("w", (4, 3, 3, 3)), ("v", (8, 4, 3, 3)))]  # fmt: skip
    shape = (batch, 3, 8, 8) if layout == "NCHW" else (batch, 8, 8, 3)
    nodes, x, w, y = [], "images", "w", "y"
    if bytes:
        nodes, x = [helper.make_node("Cast", [x], ["cast"], to=TensorProto.FLOAT)], "cast"
    if layout == "NHWC":
        nodes, x = [*nodes, helper.make_node("Transpose", [x], ["moved"], perm=[0, 3, 1, 2])], "moved"
    if int8:
        for name, kind in ((x, numpy.uint8), ("w", numpy.int8)):
            added, constants = quantized(name, SCALES["w" if name == "w" else "x"], kind)
            nodes, held = nodes + added, held + constants
        x, w = f"{x}_d", "w_d"
    nodes += [helper.make_node("Conv", [x, w], [y], name="first", pads=[1] * 4)]
    if int8:
        added, constants = quantized(y, SCALES["y"], numpy.uint8)
        nodes, held, y = nodes + added, held + constants, "y_d"
    nodes += [
        helper.make_node("Conv", [y, "v"], ["z"], name="second", pads=[1] * 4),
        helper.make_node("GlobalAveragePool", ["z"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["logits"]),
    ]
    taken = TensorProto.UINT8 if bytes else TensorProto.FLOAT
    ends = (helper.make_tensor_value_info("images", taken, shape),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, (batch, 8)))  # fmt: skip
    graph = helper.make_graph(nodes, "net", [ends[0]], [ends[1]], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return str(path)


def scores(runtime: Any, path: str, images: Any, *, batch: int, options: tuple[str, ...]) -> Any:
    session = runtime.open(path, threads=1, batch=batch, options=options)
    session.run()
    return numpy.frombuffer(session.infer(images.tobytes(), images.shape, 8), "<f4").reshape(len(images), 8)


@lengthy
@needs_openvino
@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize(
    "changes",
    [{}, {"int8": True}, {"layout": "NHWC"}, {"layout": "NHWC", "bytes": True}, {"batch": 1}],
    ids=["float", "int8", "NHWC", "bytes", "one"],
)
def test_it_computes_what_onnxruntime_does(changes: dict[str, Any], batch: int, tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx", **changes)
    images = numpy.random.default_rng(1).uniform(-1, 1, (5, 3, 8, 8)).astype("<f4")
    images = numpy.rint(images * 100 + 100).astype("<f4") if changes.get("bytes") else images
    wanted = scores(onnxruntime, path, images, batch=changes.get("batch", batch), options=CPU)
    found = scores(openvino, path, images, batch=batch, options=FLOAT)
    assert abs(found - wanted).max() <= (1e-2 if changes.get("int8") else 1e-4) * abs(wanted).max()


@lengthy
@needs_openvino
def test_it_reports_what_an_int8_graph_computes_in_float_and_nothing_of_a_float_graph(tmp_path: Path) -> None:
    int8 = openvino.open(network(tmp_path / "int8.onnx", int8=True), threads=1, batch=1, options=FLOAT)
    first, second = (outputs * inputs * 9 * 64 for inputs, outputs in ((3, 4), (4, 8)))
    facts = int8.facts()
    assert float(facts["integer_share"]) == pytest.approx(first / (first + second), abs=1e-6)
    assert "Convolution second" in facts["float_operator_names"]
    assert "first" not in facts["float_operator_names"]
    whole = openvino.open(network(tmp_path / "float.onnx"), threads=1, batch=1, options=FLOAT)
    assert whole.facts() == {"inference_threads": "1"}


@lengthy
@needs_openvino
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool", "bfloat16"])
def test_a_model_with_a_feed_takes_inputs_of_every_type(dtype: str, tmp_path: Path) -> None:
    kind = getattr(TensorProto, {"float32": "FLOAT", "float64": "DOUBLE"}.get(dtype, dtype.upper()))
    nodes = [
        helper.make_node("Cast", ["x"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["cast", "y"], ["product"]),
        helper.make_node("Identity", ["x"], ["same"]),
    ]
    kinds = {"x": kind, "y": TensorProto.FLOAT, "product": TensorProto.FLOAT, "same": kind}
    ends = [helper.make_tensor_value_info(name, type, ("n", 4)) for name, type in kinds.items()]
    graph = helper.make_graph(nodes, "net", ends[:2], ends[2:])
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    entry = {"shape": [0, 4], "low": -3.0 if dtype.startswith(("f", "b")) else 0.0, "high": 3.0}
    feed = {"inputs": [{"name": "x", "dtype": dtype, **entry}, {"name": "y", "dtype": "float32", **entry}]}
    session, reference = (
        runtime.open(str(path), threads=1, batch=3, options=options, feed=feed)
        for runtime, options in ((openvino, FLOAT), (onnxruntime, CPU))
    )
    session.run()
    reference.run()
    found, wanted = session.outputs(), reference.outputs()
    assert found.keys() == wanted.keys() == {"product", "same"}
    for name, values in wanted.items():
        assert found[name].shape == (3, 4)
        numpy.testing.assert_allclose(found[name], values, rtol=1e-5)


@lengthy
@needs_openvino
def test_a_batch_that_the_graph_does_not_support_is_refused_in_one_line(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["images", "shape"], ["logits"])]
    ends = (helper.make_tensor_value_info("images", TensorProto.FLOAT, ("n", 3, 8, 8)),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 192)))  # fmt: skip
    shape = numpy_helper.from_array(numpy.array([1, 192]), "shape")
    graph = helper.make_graph(nodes, "net", [ends[0]], [ends[1]], [shape])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "n.onnx")
    with pytest.raises(RuntimeError, match=r"^OpenVINO cannot compile this graph for a batch of 4: [^\n]+$"):
        openvino.open(str(tmp_path / "n.onnx"), threads=1, batch=4, options=FLOAT)


@lengthy
@needs_openvino
def test_importing_the_engine_reports_nothing_to_its_vendor(tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir()
    code = "import sys; from edgebench.agent.runtimes import openvino; openvino.prepare(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"HOME": str(home), "PYTHONPATH": ":".join(sys.path)})  # fmt: skip
    modules = set(done.stdout.split())
    assert "openvino" in modules
    assert not any(name.startswith("openvino_telemetry.") for name in modules)
    assert list(home.iterdir()) == []


SIGNALLED = """
import gc, signal, sys
from edgebench.agent.runtimes import openvino
first, second = (openvino.open(sys.argv[1], threads=1, batch=1, options=("f32",)) for _ in range(2))
for name in ("first", "second"):
    del globals()[name]
    gc.collect()
signal.signal(signal.SIGHUP, lambda *_: print("handled"))
signal.raise_signal(signal.SIGHUP)
"""


@lengthy
@needs_openvino
def test_a_process_still_handles_signals_after_it_has_closed_two_graphs(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", SIGNALLED, network(tmp_path / "net.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_a_type_without_instructions_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"wanted bf16, found FP32, INT8 on this processor: leave \+bf16 out"):
        openvino._require_type("bf16", ["FP32", "INT8"])
    for option, capabilities in (("f32", ["FP32"]), ("f16", ["FP32", "FP16"]), ("bf16", ["FP32", "BF16"])):
        openvino._require_type(option, capabilities)


@pytest.mark.parametrize(
    ("machine", "isa", "is_refused"),
    [("aarch64", "asimd", True), ("aarch64", "asimd asimddp", False), ("aarch64", "", True), ("x86_64", "avx2", False)],
)
def test_int8_is_refused_on_arm_processors_without_dot_product(machine: str, isa: str, is_refused: bool) -> None:
    facts, of = {"machine": machine, "isa": isa}, variant()
    assert openvino.refuses_on(of, facts) == ""
    reason = openvino.refuses_on(replace(of, precision=Precision.INT8, quantization=Quantization()), facts)
    assert bool(reason) == is_refused
    if is_refused:
        assert "asimddp" in reason and reason.endswith("use --runtime onnxruntime or litert for int8")
