"""The whole way with models that somebody gave: measured beside the shelf's, quantized, evaluated, listed again."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.export.test_custom_onnx import NETS, photos, write
from tests.support.command import cli

pytestmark = pytest.mark.slow


def table(*arguments: str) -> tuple[list[dict[str, Any]], str]:
    done = cli("run", "--preset", "quick", "--name", "mine", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["rows"], done.stderr


def test_models_stand_in_one_table_with_the_shelf_s(place: Path) -> None:
    far = place.parent / "far"
    far.mkdir()
    folder = photos(place)
    (far / "nets.py").write_text(NETS)
    write(far / "net.onnx")
    write(far / "last.onnx", (1, 8, 8, 3))
    given = f"{far}/net.onnx,{far}/last.onnx,mobilenet_v1"
    which = ("--width", "0.25", "--resolution", "32", "--weights", "random", "--calibration", folder)
    rows, _ = table("--model", given, *which)
    assert [(row["architecture"], row["precision"]) for row in sorted(rows, key=str)].count(("net.onnx", "int8")) == 1
    assert len(rows) == 6
    own = [row for row in rows if row["weights"] == "own"]
    assert all(row["p50_ms"] > 0 and row["top1"] is None and row["params"] == 965 for row in own)
    assert all((row["agreement"] or 0) > 60 and row["sqnr_db"] > 10 for row in own if row["precision"] == "int8")
    shown = cli("report", "results/mine").stdout
    assert shown.count("cpu · onnxruntime") == 1 and "net.onnx @8" in shown
    kept = [file for file in (place / "results").rglob("*") if file.is_file()]
    assert [file for file in kept if str(far) in file.read_text()] == []
    again = cli("run", "results/mine/sweep.toml", "--name", "mine")
    assert "nothing to measure on cpu: 6 cases are complete" in again.stderr, again.stderr
    asked = cli("evaluate", "last.onnx-1@8/int8")
    assert asked.returncode == 0 and "same top-1 answer" in asked.stdout, asked.stderr


def test_a_function_s_network_goes_the_same_way(place: Path) -> None:
    (place / "nets.py").write_text(NETS)
    which = ("--model", "nets.py:small", "--input", "1x3x16x16", "--calibration", photos(place))
    rows, said = table(*which)
    assert {row["precision"] for row in rows} == {"fp32", "int8"}
    assert "built" in said
    assert "nothing to measure" in cli("run", "--preset", "quick", "--name", "mine", *which).stderr


def labelled(place: Path) -> str:
    """Dark pictures and bright ones."""
    from PIL import Image

    for label, level in (("bright", 220), ("dark", 30)):
        (place / "shades" / label).mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (20, 20), (level + number,) * 3).save(place / "shades" / label / f"{number}.png")
    return f"image_folder:{place / 'shades'}"


def sums_up(proto: Any) -> None:
    """Let the file tell bright from dark: the first of two scores is the sum of all pixels, the second 0."""
    import numpy
    from onnx import numpy_helper

    weights = numpy.zeros((192, 2), numpy.float32)
    weights[:, 0] = 1.0
    bias = numpy.array([-192 * 128 if proto.graph.input[0].type.tensor_type.elem_type == 2 else 0, 0], numpy.float32)
    proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "weights"))
    proto.graph.initializer[1].CopyFrom(numpy_helper.from_array(bias, "bias"))
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2


@pytest.mark.parametrize(
    ("shape", "dtype", "precision"),
    [
        ((1, 3, 8, 8), "FLOAT", "fp32,int8"),
        (("n", 8, 8, 3), "FLOAT", "fp32,int8"),
        (("n", 8, 8, 3), "UINT8", "fp32"),
    ],
)
def test_a_model_of_as_many_classes_has_an_accuracy(
    place: Path, shape: tuple[int | str, ...], dtype: str, precision: str
) -> None:
    write(place / "net.onnx", shape, dtype=dtype, operator="Identity", change=sums_up)
    rows, _ = table("--model", "net.onnx", "--dataset", labelled(place), "--precision", precision)
    assert [row["top1"] for row in rows] == [100.0] * len(precision.split(","))
    assert {row["images"] for row in rows} == {22}


def test_a_file_with_batch_norms_of_its_own_is_quantized_as_one_without(place: Path) -> None:
    """They are folded into the convolutions before them, or their ranges would be lost."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = numpy.random.default_rng(0)
    shapes = {"w": (16, 3, 3, 3), "scale": (16,), "shift": (16,), "mean": (16,), "head": (16, 4)}
    constants = {name: random.normal(size=shape).astype(numpy.float32) for name, shape in shapes.items()}
    constants["variance"] = random.uniform(0.01, 9, 16).astype(numpy.float32)
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["convolved"]),
        helper.make_node("BatchNormalization", ["convolved", "scale", "shift", "mean", "variance"], ["normed"]),
        helper.make_node("Relu", ["normed"], ["active"]),
        helper.make_node("GlobalAveragePool", ["active"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "net.onnx")
    rows, _ = table("--model", "net.onnx", "--calibration", photos(place), "--precision", "int8")
    assert rows[0]["integer_share"] == 100 and rows[0]["sqnr_db"] > 25
    assert (rows[0]["params"], rows[0]["macs"]) == (16 * 27 + 32 + 64, 14 * 14 * 16 * 27 + 64)
    assert "run in float" not in rows[0]["reasons"]


def test_what_is_no_model_is_one_line_and_exit_code_2(place: Path) -> None:
    (place / "net.onnx").write_bytes(b"\x89PNG not a model")
    for model, message in (
        ("net.onnx", "net.onnx is not a complete ONNX file"),
        ("nowhere.tflite", "nothing is at nowhere.tflite"),
        ("net.py", "nothing is at net.py"),
    ):
        done = cli("run", "--model", model, "--precision", "fp32")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr
