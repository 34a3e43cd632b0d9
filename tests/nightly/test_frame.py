"""A history as a data frame, as CSV files for programs that find changes, and as what other systems read."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import edgebench
from edgebench.foundation.errors import InvalidFile
from edgebench.nightly import history as files
from edgebench.nightly.bulletins import bencher, openmetrics
from edgebench.nightly.frame import DIRECTIONS
from edgebench.nightly.night import History, Outcome
from edgebench.nightly.summary import bulletin
from tests.support.command import cli
from tests.support.nights import entry, figures, night

ODD = 'net "a\\b"-1@32/fp32 null cpu threads=1 batch=1'  # quotes and a backslash, as a file of the user may have


def two_nights() -> History:
    detector = replace(figures(), correct=None, metric="map", score=0.5, p90_s=0.0021)
    first = night(1, entry(), entry(name=ODD, figures=detector))
    lost = entry(name=ODD, verdict=Outcome.MISSING, why="unreachable", figures=replace(figures(), latencies_s=()))
    return History(nights=(first, night(2, entry(seed=1), lost)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for each in two_nights().nights:
        files.write_night(tmp_path / "history", each)
    return tmp_path / "history"


def test_a_history_is_a_data_frame(folder: Path) -> None:
    table = edgebench.load(folder)
    assert len(table) == 4
    assert table["started_at"].dt.day.tolist() == [2, 2, 3, 3]
    first, detector, _, lost = table.to_dict("records")
    assert first["p50_low_ms"] <= first["p50_ms"] <= first["p50_high_ms"]
    assert (first["top1"], first["peak_mib"]) == (pytest.approx(98.333, abs=1e-3), pytest.approx(57.22, abs=0.01))
    assert (detector["metric"], detector["score"], detector["p90_ms"]) == ("map", 50.0, pytest.approx(2.1))
    assert table["score"].isna().tolist() == [True, False, True, True]
    assert (lost["verdict"], lost["why"]) == ("MISSING", "unreachable")
    assert {str(table[column].dtype) for column in DIRECTIONS} == {"float64"}


def test_a_folder_without_a_readable_night_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nights").mkdir()
    with pytest.raises(InvalidFile, match="no night in .*: expected a history such as results/nightly"):
        edgebench.load(tmp_path)


def test_otava_gets_a_file_per_configuration_without_an_empty_cell(folder: Path, tmp_path: Path) -> None:
    done = cli("nightly", "export", str(tmp_path / "out"), "--history", str(folder))
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'out'}: 2 CSV files and otava.yaml\n")
    tests = json.loads((tmp_path / "out" / "otava.yaml").read_text(encoding="utf-8"))["tests"]
    nights = {name: list(csv.DictReader((tmp_path / "out" / test["file"]).open())) for name, test in tests.items()}
    assert {name: len(rows) for name, rows in nights.items()} == {entry().name: 2, ODD: 1}
    assert nights[ODD][0]["time"] == "2026-01-02T02:00:00Z"
    for name, test in tests.items():
        assert {metric["direction"] for metric in test["metrics"].values()} == {1, -1}
        for row in nights[name]:
            assert all(float(row[metric["column"]]) >= 0 for metric in test["metrics"].values())
    assert "score" in tests[ODD]["metrics"]
    assert "top1" not in tests[ODD]["metrics"]


def test_bencher_gets_nanoseconds_and_only_what_was_measured() -> None:
    benchmarks = json.loads(bencher.render(bulletin(two_nights())))
    assert list(benchmarks) == [entry().name]
    measures = benchmarks[entry().name]
    latency = measures["latency"]
    assert latency["lower_value"] <= latency["value"] <= latency["upper_value"]
    assert latency["value"] == pytest.approx(entry(seed=1).figures.p50_s * 1e9)  # type: ignore[operator]
    assert measures["file-size"] == {"value": 1_000_000.0}
    assert all(isinstance(number, float) for measure in measures.values() for number in measure.values())


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]


def test_prometheus_reads_the_metrics() -> None:
    night_text = openmetrics.render(bulletin(replace(two_nights(), nights=two_nights().nights[:1])))
    found = families(night_text)
    assert {family.type for family in found.values()} == {"gauge"}
    scores = found["edgebench_metric_ratio"].samples
    assert [(sample.labels["configuration"], sample.value) for sample in scores] == [(ODD, 0.5)]
    assert found["edgebench_latency_seconds"].unit == "seconds"
    assert len(found["edgebench_latency_seconds"].samples) == 2
    lost = families(openmetrics.render(bulletin(two_nights())))
    assert [sample.value for sample in lost["edgebench_unmeasured"].samples] == [0.0, 1.0]
    assert len(lost["edgebench_latency_seconds"].samples) == 1
