"""Golden files: a recorded journal, and the table it must give, to the letter."""

import csv
import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

import edgebench
from edgebench.cli import terminal
from edgebench.foundation import shelf
from edgebench.foundation.errors import UnknownName
from edgebench.foundation.sheet import Column, Sheet, latex
from edgebench.results import WRITTEN, folders, write_reports
from edgebench.results.journal import Journal
from edgebench.results.reports import comparison, html
from edgebench.results.table import ranking, rows
from edgebench.results.table.columns import flat
from edgebench.results.table.ranking import sped
from edgebench.results.table.row import Row, Table
from edgebench.schema.case import Workload
from edgebench.schema.record import Record, Reference, Run
from edgebench.schema.variant import WeightSource
from tests import GOLDEN
from tests.cli.test_docs import COLUMNS
from tests.conftest import artifact, case, deployment, run, session, variant
from tests.support.rows import changed


@pytest.fixture
def golden(place: Path) -> Path:
    (place / "golden").mkdir()
    (place / "golden" / "runs.jsonl").write_bytes((GOLDEN / "runs.jsonl").read_bytes())
    return place / "golden"


@pytest.fixture
def table(golden: Path) -> Table:
    return folders.read(golden)


@pytest.mark.lengthy
@pytest.mark.parametrize("name", WRITTEN)
def test_a_recorded_journal_gives_the_same_report_to_the_letter(name: str, golden: Path) -> None:
    write_reports(golden)
    file = shelf.load("reports", name).FILE
    assert (golden / file).read_text() == (GOLDEN / file).read_text()


def test_the_csv_has_every_promised_column(table: Table) -> None:
    header = next(csv.reader(StringIO(shelf.load("reports", "csv").render(table))))
    assert [name for name in COLUMNS if name not in header] == []


@pytest.mark.lengthy
def test_load_gives_the_rows_of_the_csv(table: Table) -> None:
    frame = edgebench.load("golden")
    rows = list(csv.DictReader(StringIO(shelf.load("reports", "csv").render(table))))
    assert list(frame.columns) == list(rows[0])
    assert [f"{value}" for value in frame.p50_ms] == [row["p50_ms"] for row in rows]


def test_rows_are_ordered_by_latency_and_overlapping_intervals_share_a_rank(table: Table) -> None:
    one = changed(table.rows[0], processes=6, verdict="VALID", rank=None, tied=False)
    rows = [changed(one, p50_ms=p50, p50_low_ms=p50 - 0.1, p50_high_ms=p50 + 0.1) for p50 in (5.0, 1.0, 1.15, 3.0)]
    hole = changed(one, p50_ms=None, p50_low_ms=None, p50_high_ms=None, processes=0, verdict="FAILED")
    ranked = [row for _, row in ranking.ranked([hole, *rows])]
    assert [(row.latency.p50_ms, row.standing.rank, row.standing.tied) for row in ranked] == [
        (1.0, 1, True), (1.15, 1, True), (3.0, 3, False), (5.0, 4, False), (None, None, False),
    ]  # fmt: skip


def test_a_row_without_an_interval_or_worth_nothing_has_no_rank(table: Table) -> None:
    one = table.rows[0]
    rows = [
        changed(one, processes=3, verdict="IMPRECISE"),
        changed(one, processes=6, verdict="INVALID"),
        changed(one, processes=6, verdict="SUSPECT"),
    ]
    assert sorted(str(row.standing.rank) for _, row in ranking.ranked(rows)) == ["1", "None", "None"]


@pytest.mark.parametrize("change", [{"epoch": "another"}, {"weights": "net.pth"}, {"dataset": "null"}, {"threads": 2}])
def test_rows_that_do_not_compare_stand_apart(table: Table, change: dict[str, object]) -> None:
    rows = (table.rows[0], changed(table.rows[0], **change))
    sheets = list(comparison.sheets(replace(table, rows=rows)))
    assert len({sheet.title for sheet in sheets}) == 2


def test_what_would_break_a_markdown_table_is_escaped(table: Table) -> None:
    row: Row = changed(table.rows[0], architecture="a|b", reasons="<script>", verdict="SUSPECT")
    text = comparison.render(replace(table, rows=(row,)))
    assert "a\\|b" in text
    assert "<script>" not in text


@pytest.mark.parametrize("name", shelf.names("reports"))
def test_every_report_renders_a_table_without_rows(name: str) -> None:
    assert isinstance(shelf.load("reports", name).render(Table(title="t", rows=(), notes=())), str)


def test_the_null_report_counts(table: Table) -> None:
    assert shelf.load("reports", "null").render(table) == f"{len(table.rows)}\n"


def test_the_golden_journal_is_of_today(table: Table) -> None:
    lines = (GOLDEN / "runs.jsonl").read_text().splitlines()
    assert {json.loads(line)["record"]["kind"] for line in lines} >= {
        "session",
        "deployment",
        "run",
        "accuracy",
        "stop",
    }


@pytest.mark.parametrize(
    ("top1", "p", "cell"), [(94.3, 1.0, "-0.2 ="), (86.7, 1e-9, "-7.8"), (95.3, 0.125, "+0.8 ="), (None, None, "-")]
)
def test_a_change_that_the_images_do_not_show_is_marked_as_a_tie(
    table: Table, top1: float | None, p: float | None, cell: str
) -> None:
    row = changed(table.rows[0], top1=top1, top1_low=0.0, top1_high=0.0, parent_top1=94.5, mcnemar_p=p)
    assert comparison.CHANGE.cell(row) == cell


def test_a_title_says_which_machine_it_is_if_it_is_not_the_target_s_board(table: Table) -> None:
    row = replace(table.rows[0], setup=replace(table.rows[0].setup, target="rpi4", machine="AMD EPYC"))
    assert comparison.group_title(row).startswith("rpi4 (in fact AMD EPYC) · ")


def test_a_given_model_stands_beside_the_shelf_s_where_these_are_one_group(table: Table) -> None:
    shelf_s = changed(table.rows[0], p50_ms=2.0)
    own = {"architecture": "net.onnx", "weights": "own", "dataset": "image_folder:val", "images": 22}
    given = changed(shelf_s, p50_ms=1.0, **own)
    networks = [row.setup.network for _, row in ranking.ranked([shelf_s, given])]
    assert networks == ["net.onnx @32", shelf_s.setup.network]
    (sheet,) = comparison.sheets(replace(table, rows=(given, shelf_s)))
    assert sheet.title == comparison.group_title(shelf_s)
    assert "net.onnx @32: a user-supplied model, evaluated on image_folder:val" in sheet.notes
    others = changed(shelf_s, weights="trained")
    assert len(list(comparison.sheets(replace(table, rows=(given, shelf_s, others))))) == 3


def test_a_row_has_what_int8_changed_and_the_layer_that_costs_most(place: Path) -> None:
    from edgebench.results.measurement import summarize
    from tests.analysis.test_evaluate import CARD
    from tests.results.test_measurement import evidence, steady
    from tests.tasks.test_classification import INT8

    trained = case(variant(weights=WeightSource.TRAINED))
    known = replace(evidence(*steady(), artifact=CARD, accuracy=INT8), case=trained)
    row = rows.row(known, summarize(known))
    fidelity = row.fidelity
    assert row.quality.metrics["top5"].value == 100.0
    assert (fidelity.parent_top1, fidelity.only_parent, fidelity.only_this) == (94.5, 4, 3)
    assert (fidelity.mcnemar_p, fidelity.images_needed, row.int8.integer_share) == (1.0, 32963, 97.0)
    assert (row.int8.worst_layer, row.int8.worst_layer_sqnr_db) == ("blocks.3", 20.0)


@pytest.mark.parametrize(
    ("dataset", "top1"),
    [("imagenet:val", 71.8), ("digits", None), ("image_folder:val", None), ("image_folder:imagenet", None)],
)
def test_a_published_accuracy_stands_beside_rows_on_imagenet_only(dataset: str, top1: float | None) -> None:
    from edgebench.results.measurement import summarize
    from tests.results.test_measurement import evidence, steady

    published = replace(variant("mobilenet_v2", 1.0, 224, weights=WeightSource.TRAINED), dataset=dataset)
    known = replace(evidence(*steady()), case=case(published))
    assert rows.row(known, summarize(known)).quality.published_top1 == top1


OF_FLOAT = {"build": 2.0, "export": 10.5}
OF_INT8 = OF_FLOAT | {"quantize": 3.25}
SPENT = ("build_s", "export_s", "quantize_s", "measure_s")


def spent(journal: Path, *runs: Run, **of_card: object) -> Table:
    """The table of a folder with one case and these runs of its file."""
    folder = Journal(journal)
    records: list[Record] = [session(), deployment(artifact(**of_card)), *runs]
    for record in records:
        folder.append(record)
    return folders.read(journal)


@pytest.mark.parametrize(("took_s", "figures"), [(OF_FLOAT, [2.0, 10.5, None, 7.0]), (OF_INT8, [2.0, 10.5, 3.25, 7.0])])
def test_a_row_says_how_long_its_file_took_to_make_and_to_measure(
    took_s: dict[str, float], figures: list[float | None], place: Path
) -> None:
    (row,) = spent(place, run(took_s=3.0), run(took_s=4.0), took_s=took_s).rows
    assert [flat(row)[name] for name in SPENT] == figures


def test_time_that_was_not_kept_is_not_made_up(place: Path) -> None:
    table = spent(place, run(took_s=3.0), run(took_s=None))
    assert [flat(table.rows[0])[name] for name in SPENT] == [None] * 4
    assert not [note for note in table.notes if note.startswith("Making")]


def test_the_table_sums_up_where_the_time_went_and_counts_a_file_once(place: Path) -> None:
    """A float file in two cases, and the int8 one that was made of it."""
    cards = [artifact(took_s=OF_FLOAT)] * 2 + [artifact(file="int8.onnx", parent="net.onnx", took_s=OF_INT8)]
    cases = [case(threads=count) for count in (1, 2, 3)]
    records: list[Record] = [session(*cases)]
    for one, card in zip(cases, cards, strict=True):
        records += [replace(deployment(card), case=one), run(case=one, took_s=30.0)]
    for record in (*records, run(case=Reference(workload=Workload.COMPUTE, target="cpu"), took_s=5.0)):
        Journal(place).append(record)
    assert [note for note in folders.read(place).notes if " took " in note] == [
        "Building the files took 16 s, as recorded when each file was built: build 2 s, export 10 s, quantize 3 s.",
        "Measuring took 1 min 35 s in 4 processes, including reference workloads.",
    ]


def test_an_int8_row_is_compared_with_its_float_twin_in_the_same_group(table: Table) -> None:
    fp32 = changed(
        table.rows[1], precision="fp32", processes=9, verdict="VALID", p50_ms=4.0, p50_low_ms=3.6, p50_high_ms=4.4
    )
    int8 = changed(fp32, precision="int8", p50_ms=2.0, p50_low_ms=2.0, p50_high_ms=2.0)
    alone, worthless = changed(int8, threads=2), changed(int8, quantization="per_tensor", verdict="INVALID")
    rows = list(sped([fp32, int8, alone, worthless]))
    assert [flat(row)["speedup"] for row in rows] == [None, pytest.approx(2.0), None, None]
    assert [flat(rows[1])[name] for name in ("speedup_low", "speedup_high")] == pytest.approx([1.8, 2.2])
    assert [comparison.SPEEDUP.cell(row) for row in rows] == ["-", "2.00 [1.80, 2.20]", "-", "-"]


def test_a_speed_up_goes_by_beats_where_both_rows_have_the_same(table: Table) -> None:
    fp32 = changed(
        table.rows[1], precision="fp32", processes=9, verdict="VALID", p50_ms=4.0, p50_low_ms=3.0, p50_high_ms=5.0
    )
    int8 = changed(fp32, precision="int8")
    fp32 = changed(fp32, p50_beats=30.0, p50_low_beats=30.0, p50_high_beats=30.0, beat="b")
    paced = changed(int8, p50_beats=15.0, p50_low_beats=14.0, p50_high_beats=16.0, beat="b")
    other = changed(paced, beat="another", quantization="per_tensor")
    _, first, second = sped([fp32, paced, other])
    figures = [flat(first)[name] for name in ("speedup", "speedup_low", "speedup_high")]
    assert figures == pytest.approx([2.0, 1.875, 30 / 14])
    assert flat(second)["speedup"] == pytest.approx(1.0)


def test_a_variant_that_ran_on_several_runtimes_has_a_row_by_runtime(table: Table) -> None:
    row = table.rows[1]
    others = [changed(row, runtime_version="1.23.2", p50_ms=9.0), changed(row, runtime="tflite", p50_ms=8.0)]
    lonely = changed(row, width=1.0)
    (sheet,) = comparison.across(replace(table, rows=(row, *others, lonely)))
    assert sheet.headings[2:] == (
        "onnxruntime 1.23.2 CPUExecutionProvider",
        "onnxruntime 1.31.1 CPUExecutionProvider",
        "tflite 1.31.1 CPUExecutionProvider",
    )
    ((name, scheme, *cells),) = sheet.rows
    assert (name, scheme) == (row.setup.network, row.setup.scheme)
    assert [cell.split()[0] for cell in cells] == ["9.000", "0.685", "8.000"]
    assert not list(comparison.across(replace(table, rows=(row, lonely, changed(others[0], threads=2)))))


@pytest.mark.parametrize(
    ("first", "second", "scheme"),
    [
        ("per_channel", "per_channel+s8s8", "int8 per_channel / per_channel+s8s8"),
        ("per_channel+reduce_range", "per_channel+s8s8", "int8 per_channel+reduce_range / per_channel+s8s8"),
        ("per_tensor+qat+images=50", "per_tensor+s8s8+symmetric+qat+images=50",
         "int8 per_tensor+qat+images=50 / per_tensor+s8s8+symmetric+qat+images=50"),
        ("per_channel", "per_tensor+s8s8", ""),
        ("per_channel", "per_channel+s8s8+percentile", ""),
    ],
)  # fmt: skip
def test_int8_is_paired_across_runtimes_whose_files_differ_in_the_integer_types_alone(
    table: Table, first: str, second: str, scheme: str
) -> None:
    row = changed(table.rows[1], precision="int8", quantization=first)
    other = changed(row, runtime="litert", quantization=second, p50_ms=8.0)
    found = list(comparison.across(replace(table, rows=(row, other))))
    assert [cells[1] for sheet in found for cells in sheet.rows] == ([scheme] if scheme else [])


def test_several_int8_schemes_of_one_runtime_are_not_mixed(table: Table) -> None:
    row = changed(table.rows[1], precision="int8", quantization="per_channel")
    rows = [row, changed(row, quantization="per_channel+s8s8")]
    rows += [changed(item, runtime="openvino", p50_ms=9.0) for item in rows]
    (sheet,) = comparison.across(replace(table, rows=tuple(rows)))
    assert [cells[1] for cells in sheet.rows] == ["int8 per_channel", "int8 per_channel+s8s8"]


def test_latex_has_a_cell_a_heading_in_every_row_and_no_command_of_a_name(table: Table) -> None:
    row = changed(table.rows[1], architecture=r"\input{x}_50%&$^~#", reasons="a < b | 'c' \"d\"")
    (sheet,) = comparison.sheets(replace(table, rows=(row,)))
    first, *others = sheet.columns
    text = latex(replace(sheet, columns=(replace(first, cells=("[0.1, 0.2]",)), *others)))
    rows = [line for line in text.splitlines() if line.endswith(r" \\")]
    assert [len(line.split(" & ")) for line in rows] == [len(sheet.headings)] * 2
    assert r"\textbackslash{}input\{x\}\_50\%\&\$\textasciicircum{}\textasciitilde{}\#" in text
    assert not rows[1].startswith("[")  # LaTeX would take it for an argument of the row before
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


@pytest.mark.parametrize(("processes", "shown"), [(1, "-"), (2, "0.0")])
def test_the_time_of_a_single_process_has_no_half_width(processes: int, shown: str, table: Table) -> None:
    row = changed(table.rows[0], processes=processes, p50_low_ms=2.0, p50_ms=2.0, p50_high_ms=2.0)
    assert comparison._half_width(row) == shown


def test_latex_has_the_columns_that_a_paper_has_room_for(table: Table) -> None:
    plugin = shelf.load("reports", "latex")
    headings = next(line for line in plugin.render(table).splitlines() if line.startswith("network & "))
    assert headings.startswith("network & precision & p50 ms & ")
    assert not {one.strip() for one in headings.removesuffix(r" \\").split("&")} & plugin.LEFT_OUT
    assert "Minstr" not in headings  # no row has any


@pytest.mark.lengthy
@pytest.mark.parametrize(("format", "file"), [("md", "comparison.md"), ("csv", "comparison.csv")], ids=["md", "csv"])
def test_a_printed_form_is_the_file_of_that_form(
    format: str, file: str, golden: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.show_report(write_reports(golden)[0], format)
    assert capsys.readouterr().out == (golden / file).read_text()


def test_the_forms_of_a_table_are_those_of_sheets(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_report(table, "json")
    assert len(json.loads(capsys.readouterr().out)["rows"]) == len(table.rows)
    terminal.show_report(table, "latex")
    assert capsys.readouterr().out.startswith(r"\begin{table}")
    with pytest.raises(UnknownName, match="has table, md, csv, latex, json"):
        terminal.show_report(table, "xml")


def test_a_name_between_colons_is_no_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    said = "calibration=unlabelled:train: on digits"
    sheet = Sheet.of(said, [Column.text("", str)], [said], notes=[said])
    terminal.show_sheets("report", [sheet])
    assert capsys.readouterr().out.count(said) == 3


def test_a_star_marks_the_best_of_each_precision_and_figures_stay_in_line(table: Table) -> None:
    first = changed(table.rows[1], processes=9, verdict="VALID", p50_ms=1.0, p50_low_ms=0.9, p50_high_ms=1.1)
    slow = changed(first, width=1.0, p50_ms=3.0, p50_low_ms=2.9, p50_high_ms=3.1)
    int8 = changed(slow, precision="int8", quantization="per_channel")
    (sheet,) = comparison.sheets(replace(table, rows=(first, slow, int8)))
    place = sheet.headings.index("p50 ms")
    assert [row[place] for row in sheet.rows] == ["1.000*", "3.000 ", "3.000*"]
    assert comparison.BEST in sheet.notes


def test_the_rows_that_share_a_reason_are_named_in_few_words(table: Table) -> None:
    rows = [
        changed(row, architecture=f"net{number}", precision=precision, quantization="", reasons="")
        for number in range(6)
        for precision in ("fp32", "int8")
        for row in table.rows[:1]
    ]
    names = [f"{row.setup.network} {row.setup.scheme}" for row in rows]
    assert comparison.which(rows, rows) == "all rows"
    assert comparison.which(rows[1::2], rows) == "all int8 rows"
    assert comparison.which(rows[2:], rows) == f"all rows but {names[0]}, {names[1]}"
    assert comparison.which(rows[:3], rows) == ", ".join(names[:3])
    assert comparison.which(rows[:7], rows) == f"{', '.join(names[:4])}, 3 more rows"
    assert comparison.which(rows[:1], rows[:1]) == names[0]


def test_a_forge_shows_the_verdict_among_the_first_six_columns_and_breaks_no_interval(table: Table) -> None:
    groups = [line for line in comparison.render(table).splitlines() if line.startswith("|")]
    for heading in (line for line in groups if "p50 ms" in line and "verdict" in line):
        assert "verdict" in [cell.strip() for cell in heading.strip("|").split("|")][:6]
    intervals = [cell.strip() for line in groups for cell in line.split("|") if re.search(r"\d, *\xa0?\d.*[\])]", cell)]
    assert intervals and not [cell for cell in intervals if " " in cell.rstrip("* ")]


def test_an_emulated_board_s_table_begins_with_instructions_beside_the_real_board_s_latency(table: Table) -> None:
    none = {"p50_ms": None, "p50_low_ms": None, "p50_high_ms": None, "p90_ms": None, "processes": 0, "load_ms": None}
    of = {"architecture": "mobilenet_v2", "width": 0.5, "resolution": 128, "target": "rpi4_emulated", **none}
    twins = [next(row for row in table.rows if row.setup.precision == name) for name in ("fp32", "int8")]
    same = {"weights": "trained", "dataset": "digits", "preset": "quick", "verdict": "EMULATED", "peak_mib": None}
    rows = [changed(row, **of, **same, instructions_m=count) for row, count in zip(twins, (82.6, 50.0), strict=True)]
    _, int8 = sped(rows)
    assert int8.standing.instruction_ratio == pytest.approx(1.652)
    shown = comparison.columns([rows[0], int8])
    headings = [column.heading for column in shown]
    assert headings[:6] == ["#", "network", "precision", "Minstr", "int8 x Minstr", "published on the board"]
    assert [column.cell(int8) for column in shown[3:5]] == ["50.00", "1.65"]
    assert " ms, " in shown[5].cell(int8)
    assert 'class="verdict"' in html.render(replace(table, rows=(rows[0], int8)))
    assert not {"p50 ms", "p90 ms", "peak MiB", "load ms"} & {column.heading for column in shown}
