"""A detector from its weights to its row: mAP of the file, int8 against float, and no accuracy of random weights."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

import edgebench
from edgebench import train
from edgebench.foundation import cache, files
from tests.support.command import cli
from tests.train.test_detector import DETECTOR

NETWORK = ("--model", "mobilenet_v1_det", "--width", "0.25", "--resolution", "32")
QUICK = ("--preset", "quick", "--time-limit", "60s", "--quiet")


def ran(*words: str) -> Any:
    done = cli("run", *NETWORK, *QUICK, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(name: str) -> list[dict[str, str]]:
    with Path("results", name, "comparison.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_random_weights_are_measured_without_an_accuracy(place: Path) -> None:
    printed = ran("--weights", "random", "--precision", "fp32,int8", "--name", "random")
    assert "mAP %" in printed and "top-1 %" not in printed
    for row in rows("random"):
        assert (row["task"], row["map"], row["top1"]) == ("detection", "", "")
        assert "no accuracy: the weights are random" in row["reasons"]
        assert float(row["p50_ms"]) > 0
        assert float(row["total_p50_ms"]) == pytest.approx(float(row["p50_ms"]) + float(row["post_ms"]))
        assert (row["score_threshold"], row["iou_threshold"], row["pre_ms"]) == ("0.02", "0.5", "")
    ran("--weights", "random", "--precision", "fp32,int8", "--stages", "--name", "random")
    for row in rows("random"):
        parts = [float(row[f"{name}_ms"]) for name in ("p50", "decode", "resize", "normalize", "post")]
        assert float(row["total_p50_ms"]) == pytest.approx(sum(parts))
        assert float(row["runtime_share"]) == pytest.approx(100 * parts[0] / sum(parts))


@pytest.mark.slow
def test_a_trained_detector_has_the_same_map_in_every_runtime_and_int8_is_paired_with_float(place: Path) -> None:
    card = train.train(DETECTOR, lambda _: None, train.Options(epochs=3))
    file = str(cache.path_of(card))
    words = ("--weights", file, "--dataset", "scenes", "--runtime", "onnxruntime,torch", "--name", "det")
    ran(*words, "--precision", "fp32")
    ran("--weights", file, "--dataset", "scenes", "--precision", "int8", "--name", "det")
    floats = [row for row in rows("det") if row["precision"] == "fp32"]
    (int8,) = (row for row in rows("det") if row["precision"] == "int8")
    assert len(floats) == 2
    for row in floats:
        assert float(row["map"]) == pytest.approx(100 * card.metrics["map"], abs=1e-3)
        assert float(row["map_low"]) <= float(row["map"]) <= float(row["map_high"])
        assert float(row["ap75"]) <= float(row["ap50"])
        assert row["metric_change"] == row["top1"] == ""
    of_onnxruntime = next(row for row in floats if row["runtime"] == "onnxruntime")
    change = float(int8["map"]) - float(of_onnxruntime["map"])
    assert float(int8["metric_change"]) == pytest.approx(change, abs=1e-6)
    assert float(int8["metric_change_low"]) <= change <= float(int8["metric_change_high"])
    assert int8["sqnr_db"]
    frame = edgebench.load("results/det")
    assert set(frame.task) == {"detection"}
    evaluated()


def evaluated() -> None:
    """Evaluate the int8 file that was made last by the command."""
    artifacts = files.folder("artifacts").glob("mobilenet_v1_det*int8*.onnx")
    newest = max(artifacts, key=lambda file: file.stat().st_mtime_ns)
    done = cli("evaluate", newest.name, "--format", "json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [row["share"] for row in document["accuracy"]] == ["map", "ap50", "ap75"]
    (parent,) = document["parent"]
    low, high = parent["metric_change_low_points"], parent["metric_change_high_points"]
    assert low <= parent["metric_change_points"] <= high
    assert re.search(r"no COCO figure", " ".join(document["notes"]))
