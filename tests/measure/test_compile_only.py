"""A vendor's compiler as a runtime: its rows are COMPILED, have no time and no rank, and nothing recommends them."""

import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import edgebench
from edgebench import pipeline
from edgebench.analysis import choose, lint, plugins, why
from edgebench.analysis.choose import request
from edgebench.analysis.choose import sheet as advice
from edgebench.analysis.compare import folders as compared
from edgebench.cli import reader
from edgebench.cli.options import SweepOptions
from edgebench.deploy.targets import catalogue
from edgebench.foundation import outside, shelf
from edgebench.foundation.errors import InvalidFile, RequestError, UnknownName
from edgebench.foundation.progress import warn
from edgebench.foundation.sheet import markdown
from edgebench.results import folders, measurement
from edgebench.results.measurement.verdict import Verdict
from edgebench.results.reports import comparison, html
from edgebench.results.table.columns import flat
from edgebench.results.table.ranking import fastest
from edgebench.results.table.row import Row, Table
from edgebench.results.table.selection import ALL
from edgebench.schema import compilation
from edgebench.schema.case import Purpose
from edgebench.schema.environment import Environment
from edgebench.schema.sound import fault
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision
from tests.conftest import environment, run, session

FACTS = {
    "configuration": "toy-1, small",
    "operators": "10",
    "npu_operators": "8",
    "macs": "200",
    "npu_macs": "150",
    "host_operator_names": "SOFTMAX",
    "sram_bytes": "2048",
}
COMPILER = f'''"""A compiler of a vendor."""

FORMAT = "null"
NEEDS: tuple[str, ...] = ()
WARMS_UP = False
OPTIONS = (("toy-1", "toy-2"),)
DEVICES = {{"toy-1": "toy", "toy-2": "toy"}}
SCHEMES = {{}}
NO_PROFILE = "nothing is run"
COMPILES_ONLY = True
FACTS = {FACTS!r}


def version():
    return "7"


def prepare():
    pass


def refuses(variant, options):
    return "" if variant.precision == "int8" else "only int8 is compiled: use --precision int8"


def compile(path, *, batch, options):
    if batch > 1:
        raise RuntimeError("one image at a time: use --batch 1")
    return FACTS
'''
TARGET = 'board = "Toy"\nconnection = "null"\ndevice = "toy"\nruntimes = ["toy"]\n'
NULL = Model(name="null", resolutions=(1,), weights="none", dataset="null")


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose plug-ins have a vendor's compiler, which Python imports once."""
    folder = tmp_path_factory.mktemp("vendor")
    (folder / "plugins" / "runtimes").mkdir(parents=True)
    (folder / "plugins" / "runtimes" / "toy.py").write_text(COMPILER)
    return folder


@pytest.fixture(autouse=True)
def vendor(place: Path, beside: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The vendor's target; the path of a compiler of one's own, which is not written yet."""
    monkeypatch.setattr(outside, "_beside", [beside])
    warn.cache_clear()
    (place / "targets").mkdir()
    (place / "targets" / "toy.toml").write_text(TARGET)
    (place / "mine" / "runtimes").mkdir(parents=True)
    return place / "mine" / "runtimes" / "mine.py"


def measured(**changes: Any) -> Table:
    sweep = Sweep(models=(NULL,), targets=("toy",), runtimes=("toy",), name="toy")
    return pipeline.run(replace(sweep, **changes), lambda _: None).table


def by(table: Table, precision: str) -> Row:
    return next(row for row in table.rows if row.setup.precision == precision)


@pytest.mark.lengthy
def test_a_compiled_row_has_shares_and_memory_and_no_time_no_accuracy_no_rank() -> None:
    row = by(measured(), "int8")
    columns = flat(row)
    assert row.verdict == "COMPILED"
    assert row.reasons.startswith("compiled for toy-1, small, not run: no time, no accuracy")
    assert "2 of 10 operators run on the processor beside the NPU, 25% of the multiply-adds: SOFTMAX" in row.reasons
    shares = {name: columns[name] for name in ("npu_operator_share", "npu_mac_share", "sram_kib", "flash_kib")}
    assert shares == {"npu_operator_share": 80.0, "npu_mac_share": 75.0, "sram_kib": 2.0, "flash_kib": None}
    assert (columns["runtime_version"], columns["runtime_options"], columns["compiled_for"]) == (
        "7", "toy-1", "toy-1, small",
    )  # fmt: skip
    empty = [
        name for name in columns if name.endswith(("_ms", "_mib")) or name in ("rank", "top1", "agreement", "p50_beats")
    ]
    assert {columns[name] for name in empty if name != "file_mib"} == {None}
    assert not fastest([row])


@pytest.mark.lengthy
def test_what_the_compiler_refuses_or_cannot_compile_is_a_failed_row_with_one_line() -> None:
    table = measured(batches=(1, 2))
    failed = {(row.setup.precision, row.setup.batch): row.reasons for row in table.rows if row.verdict == "FAILED"}
    assert {key: text.partition("; ")[0] for key, text in failed.items()} == {
        ("fp32", 1): "export: only int8 is compiled: use --precision int8",
        ("fp32", 2): "export: only int8 is compiled: use --precision int8",
        ("int8", 2): "measure: RuntimeError: one image at a time: use --batch 1",
    }


@pytest.mark.lengthy
def test_a_second_run_compiles_nothing_again() -> None:
    journal = Path("results/toy/runs.jsonl")
    measured(precisions=(Precision.INT8,))
    before = journal.read_bytes()
    measured(precisions=(Precision.INT8,))
    assert journal.read_bytes() == before


@pytest.mark.lengthy
def test_the_table_has_the_compiler_s_columns_and_none_of_times() -> None:
    table = measured(precisions=(Precision.INT8,))
    headings = [column.heading for column in comparison.columns(table.rows)]
    assert headings[:5] == ["network", "precision", "NPU operators %", "NPU MACs %", "SRAM KiB"]
    assert not {"#", "p50 ms", "p90 ms", "load ms", "peak MiB", "flash KiB", "DRAM KiB"} & {*headings}
    assert "COMPILED" in html.render(table)
    assert any(note.startswith("NPU operators %, NPU MACs %: ") for note in (*table.notes, *table.method))
    assert not list(comparison.across(measured(runtimes=("toy+toy-1", "toy+toy-2"))))


@pytest.mark.lengthy
@pytest.mark.parametrize(
    "options", [{"max_latency": "1h"}, {"objective": "latency"}, {"max_p90": "1h"}, {"min_top1": "1%"}]
)
def test_choose_recommends_no_compiled_row_by_a_time_or_an_accuracy(options: dict[str, str]) -> None:
    measured(precisions=(Precision.INT8,))
    objective = options.pop("objective", "")
    asked = request.parse(selection=ALL, dataset="", accuracy="", objective=objective, limits=options)
    answer = choose.answer((Path("results/toy"),), "", asked)
    assert answer.choice.chosen is None
    assert "Left out, no " in markdown(advice.sheet(answer))


@pytest.mark.lengthy
def test_compare_lint_and_why_take_a_compiled_row_as_one_without_a_time() -> None:
    measured(precisions=(Precision.INT8,))
    (pair,) = compared.contrast(Path("results/toy"), Path("results/toy")).pairs
    assert pair.why == "no time: A COMPILED, B COMPILED"
    assert lint.review(Path("results/toy")).findings == ()
    said = "".join(map(markdown, why.why("results/toy:toy", "", "", lambda _: None)))
    assert "networks are only compiled for toy, which is not at hand" in said
    assert "8 of 10" in said and "150 of 200" in said and "2.0 KiB" in said


def test_without_a_runtime_a_target_that_only_compiles_uses_its_compilers() -> None:
    assert reader.sweep("", SweepOptions(target="toy", model="null")).runtimes == ("all",)
    assert reader.sweep("", SweepOptions(target="toy", model="null", runtime="toy")).runtimes == ("toy",)
    assert reader.sweep("", SweepOptions(target="cpu", model="null")).runtimes == ("onnxruntime",)


@pytest.mark.lengthy
def test_a_compiler_joins_no_target_that_runs_networks_and_the_other_way_round() -> None:
    assert catalogue.target("toy").runtimes == ("toy",)
    assert "toy" not in catalogue.target("cpu").runtimes
    Path("targets/mixed.toml").write_text(TARGET.replace('["toy"]', '["toy", "null"]'))
    with pytest.raises(
        RequestError, match="runtime null runs networks, and target mixed only compiles them for toy; use"
    ):
        measured(targets=("mixed",), runtimes=("null",))
    Path("targets/here.toml").write_text(TARGET.replace('"toy"\nr', '"cpu"\nr'))
    with pytest.raises(
        RequestError, match="runtime toy only compiles, and target here runs networks; use a target .* toy$"
    ):
        measured(targets=("here",))


@pytest.mark.parametrize("device", ["tpu", "", "CPU"])
def test_an_unknown_device_is_refused_with_those_that_there_are(device: str) -> None:
    Path("targets/odd.toml").write_text(TARGET.replace('device = "toy"', f'device = "{device}"'))
    with pytest.raises(InvalidFile, match=rf"odd.toml: no device '{device}' \(has cpu, cuda, toy\)"):
        catalogue.target("odd")


@pytest.mark.lengthy
def test_a_budget_and_an_evaluation_are_refused_where_nothing_is_run() -> None:
    with pytest.raises(RequestError, match="a budget shares time out, and target toy measures none"):
        measured(budget="1m")
    measured(precisions=(Precision.INT8,))
    artifact = folders.latest_lines(Path("results/toy"))[1][0].evidence.artifact
    assert artifact
    with pytest.raises(RequestError, match="target toy only compiles and runs nothing"):
        pipeline.evaluate(Path(artifact.file).stem, "toy", 1, lambda _: None)


def compiling(**facts: str) -> Environment:
    return environment(device="toy", **facts)


def test_a_case_that_is_only_compiled_needs_one_process_and_no_references() -> None:
    of = replace(session(), environment=compiling())
    done = replace(run(), purpose=Purpose.COMPILE, samples_s=(), conditions=FACTS)
    assert list(measurement.needed((), of)) == [Purpose.COMPILE]
    assert list(measurement.needed((done,), of, times_stages=True)) == []
    assert not of.environment.has_times and of.environment.compiles_for == "toy"
    for device in ("cpu", "cuda"):
        assert environment(device=device).has_times


def test_a_verdict_of_a_compiled_row_is_better_than_an_unusable_one_only() -> None:
    assert Verdict.EMULATED < Verdict.COMPILED < Verdict.INVALID


@pytest.mark.parametrize("name", compilation.NEEDED)
def test_a_report_that_lacks_a_fact_is_refused_in_a_journal_and_in_the_contract(vendor: Path, name: str) -> None:
    facts = {key: text for key, text in FACTS.items() if key != name}
    done = replace(run(), purpose=Purpose.COMPILE, samples_s=(), conditions=facts)
    assert fault(done) == compilation.fault(facts) == f"the compiler reports no {name}"
    vendor.write_text(COMPILER.replace(repr(FACTS), repr(facts)))
    assert [(item.field, item.found) for item in plugins.check(vendor)] == [
        ("compile", f"the compiler reports no {name}")
    ]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"npu_operators": "11"}, "npu_operators is 11, wanted at most operators, 10"),
        ({"npu_macs": "201"}, "npu_macs is 201, wanted at most macs, 200"),
        ({"macs": "many"}, "macs: wanted a whole number, found 'many'"),
        ({"operators": "-1"}, "operators: wanted a whole number, found '-1'"),
        ({"sram_bytes": "2.5"}, "sram_bytes: wanted a whole number, found '2.5'"),
        ({"dram_bytes": ""}, "dram_bytes: wanted a whole number, found ''"),
    ],
)
def test_an_impossible_report_is_refused(facts: dict[str, str], found: str) -> None:
    assert compilation.fault(FACTS | facts) == found


@pytest.mark.parametrize(
    ("before", "after", "field", "found"),
    [
        ("COMPILES_ONLY = True", "COMPILES_ONLY = 1", "COMPILES_ONLY", "1, a int"),
        ("COMPILES_ONLY = True", "COMPILES_ONLY = False", "COMPILES_ONLY", "False and compile()"),
        (
            "def compile(path, *, batch",
            "def compile(path, *, size",
            "compile",
            "compile(path, *, size, options): missing",
        ),
        ("def compile", "def convert", "open or compile", "none"),
        ("def compile", "def open(path):\n    pass\n\n\ndef compile", "open", "open(path): got"),
        ('DEVICES = {"toy-1": "toy", "toy-2": "toy"}', "DEVICES = {}", "DEVICES", ""),
        ('"toy-2": "toy"}', '"toy-2": "cpu"}', "DEVICES", "cpu, toy"),
        ("return FACTS", "return list(FACTS)", "compile", "['configuration'"),
        ("return FACTS", "raise OSError('no licence')", "compile", "no licence"),
    ],
)
def test_a_compiler_that_does_not_meet_the_contract_is_told_the_field(
    vendor: Path, before: str, after: str, field: str, found: str
) -> None:
    assert before in COMPILER
    vendor.write_text(COMPILER.replace(before, after))
    assert found in {fault.field: fault.found for fault in plugins.check(vendor)}[field]


def test_a_compiler_that_meets_the_contract_has_no_faults(vendor: Path) -> None:
    vendor.write_text(COMPILER)
    assert plugins.check(vendor) == ()
    assert shelf.load("runtimes", "toy").compile("", batch=1, options=()) == FACTS


@pytest.mark.parametrize("name", catalogue.targets())
def test_a_target_that_only_compiles_has_compilers_only(name: str) -> None:
    target = catalogue.target(name)
    for runtime in target.runtimes:
        assert bool(shelf.literal("runtimes", runtime, "COMPILES_ONLY")) == target.compiles_only
        assert hasattr(shelf.load("runtimes", runtime), "compile") == target.compiles_only


@pytest.mark.lengthy
def test_a_runtime_that_no_target_has_is_named() -> None:
    with pytest.raises(UnknownName, match="no runtime of target toy 'null'"):
        measured(runtimes=("null",))


def test_the_compiler_that_the_guide_shows_meets_the_contract(vendor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(edgebench.__file__).parent / "cli" / "plugins.md").read_text()
    (shown,) = re.findall(r"```py\n(.*?)```", guide, re.DOTALL)
    monkeypatch.setitem(sys.modules, "my_vendor", SimpleNamespace(compile=lambda *_, **__: None))
    own = COMPILER.partition("OPTIONS")[0] + COMPILER.partition("SCHEMES")[1] + COMPILER.partition("SCHEMES")[2]
    vendor.write_text(f"{own.partition('def compile')[0]}import my_vendor\n\n{shown}")
    assert plugins.check(vendor) == ()
    (target,) = (text for text in re.findall(r"```toml\n(.*?)```", guide, re.DOTALL) if "device" in text)
    assert tomllib.loads(target)["device"] in shown
