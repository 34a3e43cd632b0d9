"""From a folder or the published rows to an answer that names what it left out and why."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.analysis import choose
from edgebench.analysis.choose import request
from edgebench.analysis.choose import sheet as advice
from edgebench.analysis.choose.request import LIMITS, Request
from edgebench.foundation.errors import EdgebenchError, RequestError
from edgebench.foundation.sheet import markdown
from edgebench.networks import published
from edgebench.results import folders
from edgebench.results.folders import study
from edgebench.results.reports import comparison
from edgebench.results.table.choice import Quantity
from edgebench.results.table.row import Row, Table
from edgebench.results.table.selection import Selection
from tests import GOLDEN, ROOT
from tests.support.command import cli
from tests.support.rows import changed

RESULTS = ROOT / "results" / "x86_vm"


def asked(
    *, target: str = "", precision: str = "", dataset: str = "", accuracy: str = "", objective: str = "", **limits: str
) -> Request:
    selection = Selection(target=target, precision=precision)
    return request.parse(selection=selection, dataset=dataset, accuracy=accuracy, objective=objective, limits=limits)


def of(rows: list[Row], monkeypatch: pytest.MonkeyPatch, **options: str) -> choose.Answer:
    line = study(RESULTS)[1].lines[0]
    lines = tuple(replace(line, row=row) for row in rows)
    monkeypatch.setattr(folders, "latest_lines", lambda _: (Table(title="t", rows=tuple(rows), notes=()), lines, ()))
    return choose.answer((Path("results/x"),), "", asked(**options))


@pytest.fixture
def row() -> Row:
    return next(one for one in folders.read(RESULTS).rows if one.setup.precision == "int8")


def test_limits_are_read_as_people_write_them() -> None:
    found = asked(max_p90="50ms", max_peak="64MiB", max_file="5 MB", min_top1="65%", max_macs="300M").limits
    assert [(limit.quantity, round(limit.bound, 4)) for limit in found] == [
        (Quantity.P90, 50), (Quantity.PEAK, 64), (Quantity.FILE, 4.7684), (Quantity.MACS, 300), (Quantity.TOP1, 65),
    ]  # fmt: skip


@pytest.mark.parametrize("flag", [flag for flag in LIMITS if flag.startswith("min_")])
def test_a_fraction_in_place_of_per_cent_is_refused_unless_the_sign_says_that_it_is_meant(flag: str) -> None:
    with pytest.raises(RequestError) as refused:
        asked(**{flag: "0.5"})
    assert str(refused.value) == (f"--{flag.replace('_', '-')}: wanted per cent, found '0.5'; write 50 or 0.5%")
    assert [asked(**{flag: text}).limits[0].bound for text in ("0.5%", "0.5 %", "1%", "50", "99.9%")] == [
        0.5, 0.5, 1, 50, 99.9,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_p90": "0ms"}, "--max-p90: wanted a time such as 50ms; a number without a unit is in ms, found '0ms'"),
        ({"max_p90": "50km"}, "--max-p90: wanted a time such as 50ms"),
        ({"max_file": "0MiB"}, "--max-file: wanted a size such as 64MiB"),
        ({"min_top1": "101"}, "--min-top1: wanted a share such as 65 or 65%, more than 0 and at most 100, found '101'"),
        ({"objective": "speed"}, "no objective 'speed' (has latency, p90, "),
        ({"accuracy": "guessed"}, "no accuracy 'guessed' (has measured, published)"),
    ],
)
def test_what_no_row_could_keep_is_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(EdgebenchError) as refused:
        asked(**options)
    assert said in str(refused.value)


@pytest.mark.lengthy
def test_without_a_board_the_least_instructions_choose_and_rows_that_nobody_counted_are_named(
    row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    untimed = changed(row, p50_ms=None, p50_low_ms=None, p50_high_ms=None, p90_ms=None)
    emulated = changed(untimed, target="rpi4_emulated", verdict="EMULATED", instructions_m=113.7)
    heavier = changed(emulated, precision="fp32", quantization="", instructions_m=180.7)
    found = of([heavier, emulated, row], monkeypatch, objective="instructions", max_instructions="150M")
    assert found.choice.chosen and found.choice.chosen.figures[Quantity.INSTRUCTIONS].value == 113.7
    said = markdown(advice.sheet(found))
    assert "instructions M" in said
    assert "Left out, no instructions (an emulator counts them: --target rpi4_emulated)" in said
    assert "180.7" not in said


@pytest.mark.lengthy
def test_a_row_without_a_p90_is_left_out_of_a_p90_budget_and_named(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = changed(row, width=0.5, p50_ms=9.0, p50_low_ms=8.0, p50_high_ms=10.0, p90_ms=11.0)
    fast = changed(row, p50_ms=1.0, p90_ms=None)
    answer = of([fast, slow], monkeypatch, max_p90="20ms")
    assert answer.choice.chosen and answer.choice.chosen.name == "mobilenet_v1 0.5 @64, int8 per_channel"
    assert any(
        "no p90" in note and "a p50 never replaces it" in note and "mobilenet_v1 0.25 @64" in note
        for note in advice.sheet(answer).notes
    )


@pytest.mark.lengthy
def test_worthless_rows_are_left_out_and_counted(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row, *(changed(row, verdict=verdict, top1=99.0) for verdict in ("INVALID", "INVALID", "FAILED"))]
    answer = of(rows, monkeypatch)
    assert answer.choice.feasible == 1
    assert "Left out, by verdict: 1 FAILED, 2 INVALID." in answer.notes


@pytest.mark.lengthy
def test_accuracies_on_different_images_are_not_compared(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row, changed(row, dataset="cifar10")]
    with pytest.raises(EdgebenchError, match=r"found cifar10 and digits: add --dataset cifar10"):
        of(rows, monkeypatch)
    assert of(rows, monkeypatch, dataset="digits").choice.feasible == 1
    assert of(rows, monkeypatch, objective="latency").choice.feasible == 2


@pytest.mark.lengthy
def test_published_accuracy_never_mixes_with_measured(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [changed(row, resolution=224, precision="fp32"), changed(row, width=0.3, top1=99.9)]
    answer = of(rows, monkeypatch, accuracy="published")
    assert answer.choice.chosen and answer.choice.chosen.figures[Quantity.TOP1].value == 49.8
    assert answer.choice.chosen.figures[Quantity.MACS].value == pytest.approx((row.cost.macs or 0) / 1e6)
    assert set(answer.accuracies.values()) == {"published, ImageNet"}
    assert [one.name for one, _ in answer.choice.withheld] == ["mobilenet_v1 0.3 @64, int8 per_channel"]


@pytest.mark.lengthy
def test_rows_that_nothing_tells_apart_have_names_of_their_own(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = of([row, changed(row, p50_ms=0.1)], monkeypatch)
    assert len(answer.accuracies) == answer.choice.feasible == 2


def test_only_a_target_that_is_in_the_results_is_chosen_for() -> None:
    with pytest.raises(EdgebenchError, match=r"no target in .*x86_vm 'rpi4' \(has cpu\)"):
        choose.answer((RESULTS,), "", asked(target="rpi4"))


def test_the_recorded_results_give_the_documented_answer() -> None:
    answer = choose.answer((RESULTS,), "", asked(max_p90="700us"))
    assert answer.choice.chosen and answer.choice.chosen.name == "mobilenet_v1 0.5 @64, int8 per_channel"


@pytest.mark.lengthy
def test_the_published_rows_answer_before_anything_was_measured() -> None:
    answer = choose.answer((), "rpi4", asked(max_p90="20ms"))
    assert answer.choice.chosen and answer.choice.chosen.name.startswith("mobilenet_v2 1 @192, int8, tflite 2.7.1 ruy")
    assert answer.choice.prices[0].limit.quantity == Quantity.P90
    boards = [one for one in published.latencies() if one.target == "rpi4"]
    assert len(answer.accuracies) == len([one for one in boards if not one.reservation]) < len(boards)


def test_a_published_board_that_nobody_timed_is_refused() -> None:
    with pytest.raises(EdgebenchError, match="no published target 'rpi44'"):
        choose.answer((), "rpi44", asked())


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([str(RESULTS), "--max-p90", "700us"], 0, "take mobilenet_v1 0.5 @64, int8 per_channel"),
        ([str(RESULTS), "--max-p90", "100us"], 1, "misses p90 by 0.333 ms."),
        (["--published", "rpi4", "--max-p90", "1ms"], 1, "nothing keeps every limit; these come nearest"),
        ([], 2, ""),
        ([str(RESULTS), "--published", "rpi4"], 2, ""),
        ([str(GOLDEN / "missing")], 2, ""),
    ],
)
def test_exit_codes_tell_answered_nothing_and_refused(arguments: list[str], code: int, said: str) -> None:
    done = cli("choose", *arguments)
    assert (done.returncode, said in done.stdout) == (code, True)
    assert done.stderr.count("\n") == (code == 2)
    assert "\x1b" not in done.stdout


def test_the_answer_is_one_json_object() -> None:
    done = cli("choose", str(RESULTS), "--max-p90", "0.5ms", "--json")
    answer = json.loads(done.stdout)
    assert answer["chosen"]["p90_ms"] < 0.5
    assert answer["limits"] == {"p90_ms": 0.5}


@pytest.mark.lengthy
def test_limits_that_contradict_each_other_give_the_nearest_misses(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = changed(row, width=0.25, p50_ms=1.0, p50_low_ms=0.9, p50_high_ms=1.1, top1=60.0)
    good = changed(row, width=1.0, p50_ms=9.0, p50_low_ms=8.9, p50_high_ms=9.1, top1=90.0)
    for one in ({"max_latency": "2ms"}, {"min_top1": "80%"}):
        assert of([fast, good], monkeypatch, **one).choice.feasible == 1
    answer = of([fast, good], monkeypatch, max_latency="2ms", min_top1="80%")
    assert answer.choice.chosen is None
    assert len(answer.choice.misses) == 2
    assert advice.sheet(answer).title.startswith("nothing keeps every limit; these come nearest")


@pytest.mark.lengthy
def test_a_name_that_is_markup_is_escaped_in_every_part_of_a_page(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [changed(row, architecture="<img src=x>|"), changed(row, architecture="<b>", p50_ms=0.1)]
    sheet = advice.sheet(of(rows, monkeypatch, max_latency="50ms"))
    assert "<img" in sheet.title + repr(sheet.rows)
    for page in (markdown(sheet), comparison.render(Table(title="<i>", rows=tuple(rows), notes=("<u>",)))):
        assert not any(tag in page for tag in ("<img", "<b>", "<i>", "<u>"))


@pytest.mark.lengthy
def test_a_figure_that_is_no_number_is_not_chosen_by(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = of([changed(row, p50_ms=float("nan"), top1=99.0), row], monkeypatch, max_latency="50ms")
    assert answer.choice.feasible == 1


@pytest.mark.lengthy
def test_detectors_are_chosen_by_their_map_unless_something_else_is_requested(
    row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    def detector(resolution: int, p50_ms: float, map: float) -> Row:
        figures = {"map": map, "map_low": map - 1, "map_high": map + 1, "p50_ms": p50_ms}
        return changed(row, task="detection", resolution=resolution, dataset="scenes", top1=None, **figures)

    rows = [detector(64, 1.0, 31.0), detector(96, 2.0, 48.0), detector(160, 5.0, 60.0)]
    best = of(rows, monkeypatch)
    assert best.objective == Quantity.MAP
    assert best.choice.chosen and best.choice.chosen.figures[Quantity.MAP].value == 60
    limited = of(rows, monkeypatch, max_latency="3ms", min_map="40%")
    assert limited.choice.chosen and limited.choice.chosen.figures[Quantity.MAP].value == 48
    fastest = of(rows, monkeypatch, objective="latency", min_map="40%")
    assert fastest.choice.chosen and fastest.choice.chosen.figures[Quantity.LATENCY].value == 2
    with pytest.raises(EdgebenchError, match="on one data set, found digits and scenes"):
        of([*rows, changed(row, dataset="digits")], monkeypatch)


def test_a_latency_limit_on_an_emulated_board_is_answered_with_what_to_do() -> None:
    done = cli("choose", str(ROOT / "results" / "three_ways"), "--target", "rpi4_emulated", "--max-latency", "20ms")
    assert done.returncode == 1
    printed = " ".join(done.stdout.split())
    assert "no configuration has every figure that the limits and the objective need" in printed
    assert "An emulated board gives no times and no memory figures" in printed and "come nearest" not in printed
