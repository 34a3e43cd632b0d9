"""Files of integers are fed the pixels as they are, and say truly what they compute in."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.export import custom
from edgebench.images.preprocessing import PRESETS, normalization, read_as
from edgebench.measure.plan import custom as own_cells
from edgebench.schema.variant import Preprocessing
from tests.hostile import flat
from tests.hostile.colours import DATA, colours, rows
from tests.hostile.flat import Flat, constant

PIXELS = numpy.arange(3 * 4 * 4, dtype=numpy.uint8).reshape(1, 3, 4, 4) * 5
FED = """
import sys, numpy
from edgebench.agent.runtimes import litert, onnxruntime
for line in sys.stdin:
    path, values, answer = line.rstrip("\\n").split("\\t")
    runtime, options = (onnxruntime, ["CPUExecutionProvider"]) if path.endswith(".onnx") else (litert, [])
    session = runtime.open(path, threads=1, batch=1, options=options)
    session.run()
    fed = numpy.load(values).astype("<f4")
    with open(answer, "wb") as stream:
        stream.write(session.infer(fed.tobytes(), fed.shape))
    print(path, flush=True)
"""
Fed = subprocess.Popen[str]


@pytest.fixture(scope="module")
def fed() -> Iterator[Fed]:
    """A process that feeds files: not this one, as two builds of TFLite in one may end it."""
    with Fed([sys.executable, "-c", FED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()
    assert process.returncode == 0


def answered(fed: Fed, path: Path, recipe: Preprocessing, place: Path) -> Any:
    """What a file gives back of the pixels."""
    assert fed.stdin and fed.stdout
    numpy.save(place / "values.npy", normalization(recipe, 255.0, grey=False).apply(PIXELS))
    print(path, place / "values.npy", place / "answer", sep="\t", file=fed.stdin, flush=True)
    assert fed.stdout.readline() == f"{path}\n"
    return numpy.frombuffer((place / "answer").read_bytes(), "<f4")


def echo(path: Path, dtype: str, scale: float, zero: int) -> Path:
    """A TFLite file whose scores are its integers: what it is fed is what it answers."""
    shape = (1, 4, 4, 3)
    tensors = [Flat(name="image", shape=shape, dtype=dtype, scale=scale, zero=zero)]
    tensors += [constant("shape", numpy.array([1, 48], numpy.int32))]
    tensors += [Flat(name="scores", shape=(1, 48), dtype=dtype, scale=scale, zero=zero)]
    return flat.write(path, tensors, [(22, ["image", "shape"], ["scores"])], "image", "scores")


@pytest.mark.lengthy
@pytest.mark.parametrize("preset", ["", "raw", "tf_1000", "torchvision", "caffe"])
@pytest.mark.parametrize(
    ("dtype", "scale", "zero"),
    [
        *(("uint8", 1 / 255, 0), ("uint8", 1 / 127.5, 128), ("uint8", 0.018658, 114), ("uint8", 1.0, 0)),
        *(("int8", 1 / 255, -128), ("int8", 1.0, -128), ("uint8", 0.0, 0), ("int8", 0.0, 0)),
    ],
)
def test_an_integer_input_of_tflite_takes_pixels_as_they_are(
    place: Path, fed: Fed, dtype: str, scale: float, zero: int, preset: str
) -> None:
    pytest.importorskip("ai_edge_litert")
    card = custom.adopt(str(echo(place / "echo.tflite", dtype, scale, zero)), "")
    recipe = own_cells.recipe(PRESETS[preset or own_cells.RAW], card)
    assert recipe and recipe.name.endswith("raw-128" if dtype == "int8" else "raw")
    integers = answered(fed, place / "echo.tflite", recipe, place) / (scale or 1) + (zero if scale else 0)
    levels = PIXELS.transpose(0, 2, 3, 1).ravel().astype("f4") - (128 if dtype == "int8" else 0)
    assert numpy.abs(integers - levels).max() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_an_integer_input_of_onnx_takes_pixels_as_they_are(place: Path, fed: Fed, dtype: str) -> None:
    import onnx
    from onnx import TensorProto, helper

    kind = TensorProto.DataType.Value(dtype.upper())
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("Cast", ["flat"], ["scores"], to=1),
    ]  # fmt: skip
    ends = [helper.make_tensor_value_info("image", kind, ["n", 3, 4, 4])]
    ends += [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 48])]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "echo.onnx")
    card = custom.adopt("echo.onnx", "")
    recipe = own_cells.recipe(PRESETS["raw"], card)
    assert recipe and (recipe == PRESETS["raw"]) == (dtype == "uint8")
    levels = PIXELS.ravel().astype("f4") - (128 if dtype == "int8" else 0)
    assert (answered(fed, place / "echo.onnx", recipe, place) == levels).all()


def test_the_row_says_what_its_scale_makes_of_the_pixels() -> None:
    for name, meant in (("unit", "0 to 1"), ("int8u", "-1 to 0.996")):
        recipe = own_cells.recipe(PRESETS["raw"], custom.adopt(str(DATA / f"{name}.tflite"), ""))
        assert recipe and read_as(recipe) == f"fed unchanged pixels, which stand for {meant} by the scale of its input"
    assert [read_as(preset) for preset in PRESETS.values()] == [""] * len(PRESETS)


def dense(path: Path, data: str, weights: str, *, dequantized: bool = False) -> Path:
    """A dense layer whose image and weights are of these types."""
    scaled = {"scale": 0.01} if data != "float32" else {}
    stored = constant("weights", numpy.ones((5, 48), weights), scale=0.0 if "float" in weights else 0.01)
    tensors = [Flat(name="image", shape=(1, 4, 4, 3), dtype=data, **scaled), stored]  # type: ignore[arg-type]
    tensors += [Flat(name="floats", shape=(5, 48)), Flat(name="scores", shape=(1, 5), dtype=data, **scaled)]  # type: ignore[arg-type]
    steps: list[flat.Operator] = [(flat.DEQUANTIZE, ["weights"], ["floats"])] if dequantized else []
    steps += [(flat.DENSE, ["image", "floats" if dequantized else "weights"], ["scores"])]
    return flat.write(path, tensors, steps, "image", "scores")


@pytest.mark.parametrize(
    ("data", "weights", "dequantized", "precision", "given"),
    [
        ("float32", "float32", False, "fp32", ""),
        ("float32", "int8", False, "int8", "dynamic range"),
        ("float32", "uint8", False, "int8", "dynamic range"),
        ("float32", "float16", True, "fp32", "float16 weights"),
        ("float32", "int8", True, "fp32", "int8 weights"),
        ("int8", "int8", False, "int8", ""),
        ("uint8", "uint8", False, "int8", ""),
    ],
)
def test_tflite_s_precision_is_that_of_weights_and_activations(
    place: Path, data: str, weights: str, dequantized: bool, precision: str, given: str
) -> None:
    card = custom.adopt(str(dense(place / "net.tflite", data, weights, dequantized=dequantized)), "")
    assert (card.precision, card.given) == (precision, given)


@pytest.mark.lengthy
def test_16_bit_activations_are_told_by_their_name(place: Path) -> None:
    card = custom.adopt(str(dense(place / "net.tflite", "int16", "int8")), "")
    assert (card.precision, card.given, card.takes_images) == ("int8", "int16 activations", False)


def product(path: Path, kind: str) -> Path:
    """A matrix product as tools quantize it: dynamically, its weights alone, statically, in 16 bits."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    constants = {"weights": numpy.ones((48, 5), numpy.int8), "scale": numpy.float32(0.1), "zero": numpy.int8(0)}
    constants |= {"wide": numpy.uint16(0)}
    pairs = {"static": "zero", "16 bits": "wide"}
    nodes = [helper.make_node("Flatten", ["image"], ["flat"])]
    if kind == "dynamic":
        nodes += [helper.make_node("DynamicQuantizeLinear", ["flat"], ["q", "s", "z"])]
        nodes += [helper.make_node("MatMulInteger", ["q", "weights", "z", "zero"], ["sums"])]
        nodes += [helper.make_node("Cast", ["sums"], ["scores"], to=TensorProto.FLOAT)]
    else:
        if kind in pairs:
            nodes += [helper.make_node("QuantizeLinear", ["flat", "scale", pairs[kind]], ["q"])]
            nodes += [helper.make_node("DequantizeLinear", ["q", "scale", pairs[kind]], ["again"])]
        nodes += [helper.make_node("DequantizeLinear", ["weights", "scale", "zero"], ["floats"])]
        nodes += [helper.make_node("MatMul", ["again" if kind in pairs else "flat", "floats"], ["scores"])]
    ends = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 4, 4])]
    ends += [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 5])]
    made = [numpy_helper.from_array(numpy.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], made)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "precision", "given"),
    [("dynamic", "int8", "dynamic range"), ("weights", "fp32", "int8 weights"), ("static", "int8", "")],
)
def test_onnx_s_precision_is_that_of_weights_and_activations(
    place: Path, kind: str, precision: str, given: str
) -> None:
    card = custom.adopt(str(product(place / "net.onnx", kind)), "")
    assert (card.precision, card.given) == (precision, given)


@pytest.mark.slow
def test_16_bit_activations_of_onnx_are_told_by_their_name(place: Path) -> None:
    card = custom.adopt(str(product(place / "net.onnx", "16 bits")), "")
    assert (card.precision, card.given) == ("int8", "uint16 activations")


@pytest.mark.slow
def test_a_dynamic_range_file_from_the_field_is_told_as_one() -> None:
    card = custom.adopt(str(DATA / "dynamic.tflite"), "")
    assert (card.precision, card.given) == ("int8", "dynamic range")


@pytest.mark.slow
def test_the_whole_way_a_file_of_integers_is_right_on_what_it_is_right_on_by_hand(place: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    files = ",".join(str(DATA / f"{name}.tflite") for name in ("unit", "int8u", "dynamic"))
    asked = ("--model", files, "--runtime", "litert", "--precision", "int8", "--dataset", colours(place))
    found = {row["architecture"]: row for row in rows(*asked)}
    assert {name: row["top1"] for name, row in found.items()} == dict.fromkeys(found, 100.0)
    assert [found[f"{name}.tflite"]["preprocessing"] for name in ("unit", "int8u")] == ["raw", "raw"]
    assert "which stand for 0 to 1 by the scale of its input" in found["unit.tflite"]["reasons"]
    assert found["dynamic.tflite"]["quantization"] == "given: dynamic range"
