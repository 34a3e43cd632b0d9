"""A results folder as pytest-benchmark reads it, and as a page of a repository."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from pytest_benchmark import stats

from edgebench.nightly.bulletins import pytest_benchmark as nightly_benchmark
from edgebench.nightly.night import History
from edgebench.nightly.summary import bulletin
from edgebench.results import folders
from edgebench.results.journal import JOURNAL, Journal
from edgebench.results.measurement.evidence import gather, process_medians
from edgebench.results.reports import pytest_benchmark
from edgebench.results.reports.pytest_benchmark import summary
from edgebench.results.table.row import Row
from tests import ROOT
from tests.conftest import artifact, case, deployment, run, session
from tests.support.command import cli
from tests.support.nights import entry, night

RESULTS = ROOT / "results" / "x86_vm"


def compare(*arguments: str) -> str:
    """Run the real command, from the environment that runs these tests."""
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "--columns=median,rounds", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_the_real_command_compares_what_was_written(place: Path) -> None:
    shutil.copytree(RESULTS, place / "mine")  # a report is written beside its journal
    (place / "now.json").write_text(cli("report", "mine", "--format", "pytest-benchmark").stdout)
    shown = compare("now.json", "--csv=out.csv")
    assert "benchmark 'cpu': 16 tests" in shown
    lines = (place / "out.csv").read_text().splitlines()[1:]
    shown_s = {line.partition(" ")[0].rpartition("::")[2]: float(line.split(",")[-2]) for line in lines}
    for row in folders.read(RESULTS).rows:
        assert shown_s[network(row)] == pytest.approx((row.latency.p50_ms or 0) / 1e3)


def network(row: Row) -> str:
    return f"{row.setup.architecture}-{row.setup.width:g}@{row.setup.resolution}/{row.setup.precision}"


@pytest.mark.lengthy
def test_a_round_is_a_process_and_the_median_is_that_of_the_table() -> None:
    content = json.loads(pytest_benchmark.render(*folders.study(RESULTS)))
    for one, evidence in zip(content["benchmarks"], gather(Journal(RESULTS)), strict=True):
        assert one["stats"]["data"] == process_medians(evidence.timed)
        assert one["stats"]["median"] == median(one["stats"]["data"])
        assert one["stats"]["rounds"] == len(evidence.timed)
        assert one["extra_info"]["verdict"] in ("VALID", "IMPRECISE", "SUSPECT")


VALUES = (0.9, 1.0, 1.1, 1.2, 1.3, 1.25, 9.0, 1.15, 1.4)


@pytest.mark.parametrize("count", range(1, len(VALUES) + 1))
def test_the_statistics_are_those_that_pytest_benchmark_computes(count: int) -> None:
    theirs: Any = stats.Stats()  # type: ignore[no-untyped-call]
    for value in VALUES[:count]:
        theirs.update(value)
    mine = summary(VALUES[:count])
    assert mine["outliers"] == theirs.outliers
    numbers = [name for name in theirs.fields if name != "outliers"]
    assert [mine[name] for name in numbers] == pytest.approx([getattr(theirs, name) for name in numbers])


def test_names_pair_across_runtime_versions_and_with_those_of_nights(place: Path) -> None:
    def named(*versions: str, preset: str = "standard") -> set[str]:
        folder = place / "-".join((*versions, preset))
        folder.mkdir()
        journal = Journal(folder)
        for version in versions:
            own = replace(case(), runtime=replace(case().runtime, version=version))
            journal.append(session(own, id=version, preset=preset))
            journal.append(replace(deployment(artifact()), case=own, session=version))
            for _ in range(6):
                journal.append(run(case=own, session=version, preset=preset))
        content = json.loads(pytest_benchmark.render(*folders.study(folder)))
        return {one["fullname"] for one in content["benchmarks"]}

    plain = {"cpu::mobilenet_v2-0.35@32/fp32 onnxruntime+CPUExecutionProvider cpu threads=1 batch=1"}
    assert named("1.30.0") == named("1.31.1") == named("1.31.1", preset="nightly") == plain
    assert named("1.30.0", "1.31.1") == {f"{name} {version}" for name in plain for version in ("1.30.0", "1.31.1")}
    own = entry(name=next(iter(plain)).removeprefix("cpu::"), target="cpu")
    night_s = json.loads(nightly_benchmark.render(bulletin(History(nights=(night(0, own),)))))["benchmarks"]
    assert {one["fullname"] for one in night_s} == plain


def test_what_is_worth_nothing_is_left_out_and_named(place: Path) -> None:
    journal = Journal(place)
    journal.append(session(case(), case(threads=2)))
    journal.append(deployment(artifact()))
    for _ in range(6):
        journal.append(run())
    content = json.loads(pytest_benchmark.render(*folders.study(place)))
    assert [one["stats"]["median"] for one in content["benchmarks"]] == [1e-3]
    assert list(content["edgebench"]["left_out"].values()) == ["FAILED"]


def test_a_folder_that_nothing_was_measured_in_is_refused(place: Path) -> None:
    (place / JOURNAL).touch()
    done = cli("report", str(place), "--format", "pytest-benchmark")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"wanted a measured case in {place}, found none" in done.stderr


def test_an_unknown_form_is_refused_in_one_line(place: Path) -> None:
    done = cli("report", str(RESULTS), "--format", "xml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no format 'xml' (has table, md, csv, latex, json, pytest-benchmark)" in done.stderr


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in ROOT.glob("results/*/runs.jsonl")))
def test_a_results_folder_is_a_page_whose_links_lead_to_files(folder: str) -> None:
    page = (ROOT / "results" / folder / "README.md").read_text()
    links = [part.partition(")")[0] for part in page.split("](")[1:]]
    assert links
    assert all((ROOT / "results" / folder / link).exists() for link in links)
    assert (ROOT / "results" / folder / "comparison.md").read_text() in page


def completed(words: str) -> list[str]:
    """What bash offers for a command line."""
    asked = {"_EDGEBENCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    return cli(**asked).stdout.split()


def test_what_was_begun_is_completed() -> None:
    assert completed("edgebench pre") == ["predict"]
    assert completed("edgebench choose --max-p") == ["--max-p90", "--max-peak"]
