"""Whatever is requested is a row: what cannot be measured FAILED with its reason, and the exit code says so."""

from collections.abc import Callable
from pathlib import Path

import numpy
import pytest

from edgebench.measure.plan import custom as own_cells
from tests.export.test_custom_onnx import cells
from tests.hostile.colours import DATA, colours, rows
from tests.hostile.graphs import floats, node, write
from tests.support.command import cli


def net(path: Path, *, batch: int | str = "n") -> Path:
    nodes = [node("Flatten", ["image"], "flat"), node("MatMul", ["flat", "w"], "scores")]
    return write(path, nodes, {"w": floats(192, 3)}, shape=(batch, 3, 8, 8), classes=3)


def quantized(path: Path) -> Path:
    nodes = [
        node("QuantizeLinear", ["image", "s", "z"], "q"), node("DequantizeLinear", ["q", "s", "z"], "again"),
        node("Flatten", ["again"], "flat"), node("MatMul", ["flat", "w"], "scores"),
    ]  # fmt: skip
    return write(path, nodes, {"s": numpy.float32(0.1), "z": numpy.uint8(128), "w": floats(192, 3)}, classes=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "flags", "reasons"),
    [
        ("uint8", {"precision": "fp32,int8"}, ["", "takes uint8 images and is not quantized here"]),
        ("quantized", {"precision": "fp32,int8"}, ["quantized.onnx is int8 as supplied, but --precision is fp32", ""]),
        ("one", {"precision": "fp32", "batch": "1,2"}, ["", "takes one image at a time, but --batch is 2"]),
        ("net", {"precision": "fp32,fp16"}, ["", "net.onnx is fp32 as supplied, but --precision is fp16"]),
    ],
)
def test_every_cell_is_a_case_and_says_why_it_cannot_be(
    place: Path, model: str, flags: dict[str, str], reasons: list[str]
) -> None:
    made: dict[str, Callable[[Path], Path]] = {
        "quantized": quantized,
        "net": net,
        "one": lambda path: net(path, batch=1),
    }
    file = made[model](place / f"{model}.onnx") if model in made else DATA / "uint8-input.onnx"
    found = cells(place, model=str(file), **flags)
    assert len(found) == len(reasons)
    for case, reason in zip(found, reasons, strict=True):
        refused = own_cells.refusal(case)
        assert reason in refused and bool(reason) == bool(refused)


@pytest.mark.slow
def test_the_whole_way_what_cannot_be_measured_is_a_row_and_an_exit_code(place: Path) -> None:
    asked = ("--model", str(DATA / "uint8-input.onnx"), "--precision", "fp32,int8", "--dataset", colours(place, 4))
    listed = cli("run", "--preset", "quick", *asked, "--dry-run")
    assert "cannot be measured: uint8-input.onnx takes uint8 images" in " ".join(listed.stdout.split()), listed.stdout
    for _ in range(2):  # the second time there is nothing left to measure but what cannot be
        found = {row["precision"]: row for row in rows(*asked, code=1)}
        assert set(found) == {"fp32", "int8"} and found["fp32"]["verdict"] != "FAILED"
        assert found["int8"]["verdict"] == "FAILED"
        assert "takes uint8 images and is not quantized here; use --precision fp32" in found["int8"]["reasons"]


@pytest.mark.slow
def test_a_model_beside_one_of_another_format_is_refused_where_it_cannot_run(place: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    files = f"{net(place / 'net.onnx')},{DATA / 'unit.tflite'}"
    found = rows("--model", files, "--precision", "fp32,int8", "--runtime", "onnxruntime,litert",
                 "--dataset", colours(place, 14), code=1)  # fmt: skip
    assert len(found) == 8
    measured = {(row["architecture"], row["runtime"], row["precision"]) for row in found if row["verdict"] != "FAILED"}
    onnx = {("net.onnx", "onnxruntime", precision) for precision in ("fp32", "int8")}
    assert measured == onnx | {("unit.tflite", "litert", "int8")}
    assert all("; use --runtime" in row["reasons"] or "as supplied" in row["reasons"] for row in found
               if row["verdict"] == "FAILED")  # fmt: skip
