"""Filters: one implementation for every command, which names the values that exist where nothing matches."""

import json
from typing import Any

import pytest

from edgebench.foundation.errors import EdgebenchError
from edgebench.foundation.stats import paired_drop
from edgebench.results.folders import study
from edgebench.results.table.selection import Selection
from tests import ROOT
from tests.support.command import cli

FOLDER = str(ROOT / "results" / "x86_vm")
ROWS = [row.setup for row in study(ROOT / "results" / "x86_vm")[0].rows]
WANTED = {
    "model": ("mobilenet_v2", lambda setup: setup.architecture == "mobilenet_v2"),
    "width": ("0.50,.35", lambda setup: setup.width in (0.5, 0.35)),
    "resolution": ("96", lambda setup: setup.resolution == 96),
    "precision": ("int8", lambda setup: setup.precision == "int8"),
    "runtime": ("onnxruntime", lambda setup: setup.runtime == "onnxruntime"),
    "target": ("cpu", lambda setup: setup.target == "cpu"),
    "threads": ("1", lambda setup: setup.threads == 1),
}


@pytest.mark.parametrize("name", WANTED)
def test_each_filter_accepts_what_it_names(name: str) -> None:
    text, is_wanted = WANTED[name]
    assert Selection(**{name: text}).select(ROWS, lambda setup: setup, "x") == [*filter(is_wanted, ROWS)]


@pytest.mark.parametrize("name", WANTED)
def test_a_value_that_no_row_has_is_refused_with_those_that_exist(name: str) -> None:
    with pytest.raises(EdgebenchError, match=rf"no {name} in x '77' \(has ") as refused:
        Selection(**{name: "77"}).select(ROWS, lambda setup: setup, "x")
    of = "architecture" if name == "model" else name
    values = {f"{value:g}" if isinstance(value := getattr(setup, of), float) else str(value) for setup in ROWS}
    assert all(value in str(refused.value) for value in values)


def test_values_that_exist_and_never_meet_are_refused() -> None:
    with pytest.raises(EdgebenchError, match="found rows with each value, but no row with all of them; drop one"):
        Selection(model="mobilenet_v1", width="0.35").select(ROWS, lambda setup: setup, "x")


def rows_of(*arguments: str) -> Any:
    done = cli(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.lengthy
def test_every_command_of_results_takes_the_filters() -> None:
    only = ("--model", "mobilenet_v1", "--width", "0.25", "--precision", "int8")
    assert len(rows_of("report", FOLDER, *only, "--json")["rows"]) == 2
    assert len(rows_of("compare", FOLDER, FOLDER, *only, "--json")["cases"]) == 2
    chosen = rows_of("choose", FOLDER, *only, "--json")
    assert (chosen["feasible"], chosen["width"]) == (2, "0.25")
    cited = rows_of("published", *only, "--kind", "latency", "--target", "rpi4", "--format", "json")["latency"]
    assert {row["network"].split(" @")[0] for row in cited} == {"mobilenet_v1 0.25"}
    for command in ("report", "figures", "choose"):
        refused = cli(command, FOLDER, "--resolution", "65")
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert "no resolution in " in refused.stderr and "(has 64, 96)" in refused.stderr


@pytest.mark.lengthy
def test_several_folders_are_chosen_from_and_compared_together() -> None:
    other = str(ROOT / "results" / "x86_vm_int8")
    both = rows_of("choose", FOLDER, other, "--objective", "latency", "--json")
    alone = [rows_of("choose", folder, "--objective", "latency", "--json")["feasible"] for folder in (FOLDER, other)]
    assert both["feasible"] == sum(alone)
    assert both["chosen"]["configuration"].split(", ")[2].startswith(str(ROOT))
    compared = rows_of("compare", FOLDER, FOLDER, other, "--json")["comparisons"]
    assert [one["after"] for one in compared] == ["x86_vm", "x86_vm_int8"]


@pytest.mark.lengthy
def test_a_drop_keeps_its_limit_by_the_worse_end_of_its_interval() -> None:
    every = rows_of("choose", FOLDER, "--precision", "int8", "--objective", "drop", "--json")
    drops = [option["drop_high_points"] for option in (every["chosen"], *every["ties"], *every["front"])]
    bound = sorted(drops)[len(drops) // 2]
    kept = rows_of("choose", FOLDER, "--precision", "int8", "--max-drop", f"{bound:.6f}", "--json")
    assert 0 < kept["feasible"] < every["feasible"]
    assert all(option["drop_high_points"] <= bound + 1e-6 for option in (kept["chosen"], *kept["ties"]))
    floats = rows_of("choose", FOLDER, "--precision", "fp32", "--max-drop", "0.1", "--json")
    assert floats["chosen"]["drop_points"] == 0


def test_the_interval_of_a_paired_drop_is_agresti_and_min_s() -> None:
    low, value, high = paired_drop(14, 8, 600)
    assert (round(low, 5), round(value, 5), round(high, 5)) == (-0.00563, 0.01, 0.02556)
    low, value, high = paired_drop(0, 0, 600)
    assert value == 0 and low == -high < 0
