"""Tables of anybody's, however broken, are read in bounded memory and told about by line."""

import json
import tracemalloc
from pathlib import Path

import pytest

from edgebench.analysis import lint
from edgebench.analysis.lint import reading
from edgebench.foundation.errors import EdgebenchError
from edgebench.foundation.sheet import markdown
from edgebench.networks import published
from tests import GOLDEN, ROOT
from tests.support.command import cli

RESULTS = ROOT / "results"
HEADER = "architecture,width,resolution,precision,p50_ms,top1\n"


def table(place: Path, text: str, columns: str = "") -> list[tuple[str, tuple[int, ...], str]]:
    (place / "t.csv").write_text(text)
    return [(one.rule, one.lines, one.text) for one in lint.review(place / "t.csv", columns).findings]


def test_a_sound_table_has_no_findings(place: Path) -> None:
    assert table(place, HEADER + "net,1,224,fp32,10,\nnet,0.5,224,fp32,5,\nnet,0.5,224,int8,3,\n") == []


def test_own_headings_are_mapped_to_ours(place: Path) -> None:
    text = "family,alpha,rho,latency\nnet,0.5,128,20\nnet,1,224,10\n"
    columns = "architecture=family,width=alpha,resolution=rho,p50_ms=latency"
    ((rule, lines, said),) = table(place, text, columns)
    assert (rule, lines) == ("larger is faster", (2, 3))
    assert said == "net 0.5 @128 (20 ms) is slower than the larger net 1 @224 (10 ms)"


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("breadth,side,latency\n", "", "no column for width, resolution, a figure such as p50_ms or top1: say which"),
        ("alpha\n", "breadth=alpha", "no column of ours 'breadth' (has architecture, width,"),
        ("alpha\n", "width=alfa", "'alfa' (has alpha); did you mean 'alpha'?"),
        ("", "", "no column for width, resolution"),
        ("a" * 200_000, "", "field larger than field limit"),
    ],
)
def test_a_table_that_does_not_say_what_it_is_is_refused(place: Path, text: str, columns: str, said: str) -> None:
    with pytest.raises(EdgebenchError) as refused:
        table(place, text, columns)
    assert said in str(refused.value)


@pytest.mark.parametrize(("cell", "said"), [("12 ms", "'12 ms'"), ("0.012s", "'0.012s'"), ("fast", "'fast'")])
def test_a_cell_with_a_unit_of_its_own_is_told_by_line(place: Path, cell: str, said: str) -> None:
    ((rule, lines, text),) = table(place, HEADER + f"net,1,224,fp32,{cell},\nnet,0.5,224,fp32,5,\n")
    assert (rule, lines) == ("no number", (2,))
    assert said in text


def test_a_nan_is_found_and_no_rule_trips_over_it(place: Path) -> None:
    found = table(place, HEADER + "net,1,224,fp32,nan,nan\nnet,0.5,224,fp32,5,\nnet,nan,224,fp32,5,\n")
    assert {(rule, lines) for rule, lines, _ in found} == {("no number", (2,)), ("no number", (4,))}


def test_a_row_in_seconds_among_milliseconds_is_found(place: Path) -> None:
    rows = [f"mobilenet_v1,{w},{r},fp32,{w * r / 10},\n" for w in (0.5, 1.0) for r in (128, 192, 224)]
    found = table(place, HEADER + "".join(rows) + "mobilenet_v1,1,160,fp32,0.016,\n")
    assert ("unit", (8,)) in {(rule, lines) for rule, lines, _ in found}


def test_rows_that_come_again_are_counted_and_the_first_is_looked_at(place: Path) -> None:
    found = table(place, HEADER + "net,1,224,fp32,10,\n" * 3)
    assert found == [("duplicate", (2,), "net 1 @224 fp32: 2 more equal rows; only the first row is checked")]


@pytest.mark.slow
def test_a_long_table_takes_no_more_memory_than_its_configurations(place: Path) -> None:
    assert table(place, HEADER + "net,1,224,fp32,10,\n") == []  # what is read once, the published accuracies, is read
    (place / "t.csv").write_text(HEADER + "net,1,224,fp32,10,\n" * 10_000)
    tracemalloc.start()
    found = lint.review(place / "t.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.rows, len(found.findings)) == (10_000, 1)
    assert peak < 2_000_000  # all rows kept would be over five megabytes


def test_more_configurations_than_memory_is_kept_for_are_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ENTRIES", 3)
    with pytest.raises(EdgebenchError, match="wanted at most 3 configurations, found more by line 5"):
        table(place, HEADER + "".join(f"net,1,{side},fp32,{side},\n" for side in range(32, 40)))


def test_a_name_cannot_be_markup_or_steer_a_terminal(place: Path) -> None:
    (place / "t.csv").write_text(HEADER + "<script>|\x1b[31m,0.5,128,fp32,20,\n<script>|\x1b[31m,1,224,fp32,10,\n")
    found = lint.review(place / "t.csv")
    assert len(found.findings) == 1
    text = markdown(lint.sheet(found))
    assert "<script>" not in text and "\x1b" not in text and "\\|" in text


@pytest.mark.lengthy
def test_a_results_folder_is_checked_by_its_rows() -> None:
    found = lint.review(RESULTS / "x86_vm")
    (finding,) = found.findings
    assert (found.rows, finding.rule) == (16, "int8 is slower")
    assert lint.sheet(found).title == "x86_vm: 16 rows, 1 finding"


@pytest.mark.lengthy
def test_the_published_latencies_have_the_faults_that_are_known(place: Path) -> None:
    found = lint.review(Path(published.__file__).parent / "latency.csv")
    rules = [one.rule for one in found.findings]
    assert {rule: rules.count(rule) for rule in rules} == {"larger is faster": 2, "offset": 1, "int8 drop": 11}
    assert any("1.15.0-rc2" in found.setups[one.lines[0]] for one in found.findings)


@pytest.mark.lengthy
@pytest.mark.parametrize(("folder", "code"), [(GOLDEN, 0), (RESULTS / "x86_vm", 1), (RESULTS / "missing", 2)])
def test_exit_codes(folder: Path, code: int) -> None:
    done = cli("lint", str(folder))
    assert (done.returncode, done.stderr.count("\n")) == (code, code // 2)


def test_a_folder_without_a_journal_is_refused(place: Path) -> None:
    done = cli("lint", str(place))
    assert done.returncode == 2
    assert done.stderr.startswith("edgebench: no runs.jsonl in ")


@pytest.mark.lengthy
def test_findings_are_exit_code_1_and_json_tells_them() -> None:
    done = cli("lint", str(Path(published.__file__).parent / "latency.csv"), "--format", "json")
    assert done.returncode == 1
    assert "109.9 ms" in json.dumps(json.loads(done.stdout)["rows"])
