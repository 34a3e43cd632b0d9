"""Outputs that answer nothing have no accuracy and no agreement; a batch that a file cannot take is not asked of it."""

from pathlib import Path
from typing import Any

import numpy
import pytest

from edgebench.foundation.errors import in_words
from edgebench.results.table.rows import lines
from edgebench.schema.record import Accuracy
from edgebench.tasks.classification import appraise, count
from tests.conftest import artifact, case, run, session
from tests.hostile.colours import DATA, colours, rows
from tests.hostile.graphs import floats, node, write

EVEN = numpy.eye(4, dtype=numpy.float32)
LABELS = numpy.arange(4)


@pytest.mark.parametrize("odd", [numpy.nan, numpy.inf, -numpy.inf])
@pytest.mark.parametrize("images", [1, 3])
def test_outputs_that_are_not_finite_are_counted_and_spoil_no_sum(odd: float, images: int) -> None:
    outputs = EVEN.copy()
    outputs[:images, 2] = odd
    ours, theirs = count(LABELS, outputs, EVEN), count(LABELS, EVEN, outputs)
    assert (ours.not_finite, ours.parent_not_finite) == (images, 0)
    assert (theirs.not_finite, theirs.parent_not_finite) == (0, images)
    assert numpy.isfinite([ours.signal, ours.noise, theirs.signal, theirs.noise]).all()


@pytest.mark.parametrize("images", [1, 600])
def test_one_output_that_is_not_finite_makes_a_row_invalid_without_accuracy(images: int) -> None:
    from edgebench.results.measurement.evidence import gather
    from tests.conftest import deployment

    answered = Accuracy(
        case=case(), session="s1", epoch="e1", artifact_sha256="f1", dataset="digits", images=600, correct=0,
        not_finite=images,
    )  # fmt: skip
    found = appraise(answered)
    assert (found.top1, found.top5, found.agreement, found.change) == (None, None, None, None)
    (line,) = lines(gather([session(), deployment(artifact()), *[run()] * 6, answered]))
    assert line.row.verdict == "INVALID" and line.row.quality.metrics == {}
    assert f"outputs for {images} of 600 images are not finite: they contain no answer" in line.row.reasons


def test_a_reason_quotes_no_source_of_a_library_s() -> None:
    ort = "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : while running Reshape node. Status Message: "
    ort += "/onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:47 "
    ort += "onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, bool) size was false."
    said = {
        RuntimeError(ort): "RuntimeError: while running Reshape node. Status Message: size was false.",
        RuntimeError("tensorflow/lite/kernels/reshape.cc:92 elements (3 != 4)"): "RuntimeError: elements (3 != 4)",
        KeyError("y_quantized"): "'y_quantized' is missing",
        IndexError("tuple index out of range"): "it points beyond an end: tuple index out of range",
        ValueError("wanted 3,\nfound 4"): "ValueError: wanted 3, found 4",
    }
    for error, words in said.items():
        assert in_words(error) == words


def scores(path: Path, kind: str) -> Path:
    """Three scores by colour, which a last operator spoils for all images, or a batch that a reshape fixes."""
    weights = floats(3, 3) * 0 + numpy.eye(3, dtype=numpy.float32)
    start = [node("GlobalAveragePool", ["image"], "pooled"), node("Flatten", ["pooled"], "flat")]
    last: dict[str, list[Any]] = {
        "none": [node("Sub", ["made", "made"], "none"), node("Div", ["none", "none"], "scores")],
        "inf": [node("Div", ["made", "zero"], "scores")],
        "log": [node("Mul", ["made", "zero"], "none"), node("Log", ["none"], "scores")],
        "one": [node("Reshape", ["made", "fixed"], "scores")],
    }
    nodes = [*start, node("MatMul", ["flat", "w"], "made"), *last[kind]]
    constants = {"w": weights, "zero": numpy.float32(0), "fixed": numpy.array([1, 3])}
    return write(path, nodes, constants, shape=("n", 3, 16, 16), classes=3)


@pytest.mark.slow
def test_the_whole_way_of_outputs_that_answer_nothing(place: Path) -> None:
    made = [scores(place / f"{kind}.onnx", kind) for kind in ("none", "inf", "log", "one")]
    files = ",".join(map(str, (*made, DATA / "nan.onnx", DATA / "batch-of-one.onnx")))
    asked = ("--model", files, "--precision", "fp32", "--dataset", colours(place, 14))
    found = {row["architecture"]: row for row in rows(*asked)}
    for name in ("nan.onnx", "none.onnx", "inf.onnx", "log.onnx"):
        assert found[name]["top1"] is None and found[name]["verdict"] == "INVALID"
        assert "images are not finite" in found[name]["reasons"]
    assert found["one.onnx"]["p50_ms"] and found["one.onnx"]["top1"] is not None
    assert found["batch-of-one.onnx"]["top1"] == 100.0
    assert not any("/onnxruntime" in row["reasons"] for row in found.values())


@pytest.mark.slow
def test_one_output_has_no_classes_to_agree_on(place: Path) -> None:
    nodes = [
        node("Conv", ["image", "w"], "made"), node("GlobalAveragePool", ["made"], "pooled"),
        node("Flatten", ["pooled"], "flat"), node("MatMul", ["flat", "v"], "sum"), node("Sigmoid", ["sum"], "scores"),
    ]  # fmt: skip
    write(place / "net.onnx", nodes, {"w": floats(4, 3, 3, 3), "v": floats(4, 1)}, classes=1)
    folder = colours(place, 14).partition(":")[2]
    (row,) = rows("--model", "net.onnx", "--precision", "int8", "--calibration", folder)
    assert row["agreement"] is None and row["sqnr_db"] is not None
    assert "no agreement: a network with a single output has no classes to compare" in row["reasons"]
