"""A user's detector from its file to its row: mAP through any decoder, and int8 outputs that mix boxes and scores."""

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.support import annotated, detectors
from tests.support.command import cli

QUICK = ("--preset", "quick", "--time-limit", "1s", "--quiet")

pytestmark = pytest.mark.slow


def rows(name: str) -> list[dict[str, str]]:
    with Path("results", name, "comparison.csv").open() as file:
        return list(csv.DictReader(file))


def block(layout: str) -> str:
    precisions = '"fp32", "int8"' if layout in ("raw", "yolov8") else '"fp32"'
    return f'[[models]]\nname = "{layout}.onnx"\ndecode = "{layout}"\nprecisions = [{precisions}]\n'


def test_one_detector_has_the_same_map_in_every_layout_and_mixed_outputs_are_named(place: Path) -> None:
    detectors.written(Path())
    Path("data").mkdir()
    annotated.coco(Path("data"), annotated.drawn(60))
    head = 'name = "layouts"\ntask = "detection"\ndataset = "coco:data"\npreprocessing = "whole"\n'
    Path("layouts.toml").write_text(head + "".join(map(block, detectors.LAYOUTS)))
    done = cli("run", "layouts.toml", *QUICK)
    assert done.returncode in (0, 1), done.stderr  # mAP is there before anything is timed, and time may be short
    found: dict[str, dict[str, Any]] = {"fp32": {}, "int8": {}}
    for row in rows("layouts"):
        found[row["precision"]][row["architecture"].removesuffix(".onnx")] = row
        assert (row["task"], row["top1"]) == ("detection", "")
    wanted = float(found["fp32"]["raw"]["map"])
    assert wanted > 40
    for row in found["fp32"].values():
        assert float(row["map"]) == pytest.approx(wanted, abs=1e-4)
    for layout, row in found["int8"].items():
        mixes = layout.startswith("yolo")
        assert ("one int8 scale" in row["reasons"]) == mixes
        change = float(row["map"]) - wanted
        assert float(row["metric_change"]) == pytest.approx(change, abs=1e-3)
        assert change < -2 if mixes else change > -2
    _refusals()


def _refusals() -> None:
    """Refuse in one line what cannot be decoded, with what would."""
    common = ("--dataset", "coco:data", "--name", "no")
    for words, text in (
        (("--model", "raw.onnx", "--decode", "yolov8"), "use --decode raw, which fits"),
        (("--model", "raw.onnx", "--task", "detection"), "wanted --decode raw or ssd or ssd300 or "),
        (("--model", "lenet5", "--decode", "raw"), "--decode applies to models given as a file"),
        (("--model", "raw.onnx", "--decode", "rawest"), "no decoder 'rawest'"),
    ):
        done = cli("run", *words, *common)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert text in done.stderr
