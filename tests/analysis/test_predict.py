"""From a folder's measured cells to the others, labelled wherever they are shown, and to what a budget is spent on."""

import csv
import io
import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median

import pytest

from edgebench.analysis import choose, predict
from edgebench.analysis.choose import sheet as advice
from edgebench.analysis.predict import outlook, own_sweep
from edgebench.cli.guide import pages
from edgebench.foundation.errors import EdgebenchError
from edgebench.foundation.sheet import as_csv
from edgebench.measure.budget.allot import allot
from edgebench.measure.budget.fit import ENOUGH
from edgebench.measure.budget.kinds import work
from edgebench.measure.plan import sweeps
from edgebench.results.journal import Journal
from edgebench.results.table.choice import Quantity
from edgebench.schema.case import Case
from edgebench.schema.record import Accuracy, Beats, Deployment, Failure, Session
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision, WeightSource, network
from tests.analysis.test_choose import asked
from tests.benchmarks.prediction import metric_grids, metric_score, published_grids, score
from tests.conftest import artifact, case, run, session, variant
from tests.support.command import cli

pytestmark = pytest.mark.slow  # torch counts what a network computes
FOLDER = Path("results/x")
WIDTHS, RESOLUTIONS = (0.25, 0.5, 1.0), (96, 128, 160)
SWEEP = Sweep(
    models=(Model(name="mobilenet_v1", widths=WIDTHS),),
    resolutions=RESOLUTIONS,
    precisions=(Precision.FP32,),
    weights="random",
)
CASES = tuple(case(variant("mobilenet_v1", width, side)) for width, side in product(WIDTHS, RESOLUTIONS))
CORNERS = (CASES[0], CASES[2], CASES[4], CASES[6], CASES[7], CASES[8])


def seconds(of: Case) -> float:
    """What a case takes here: 0.1 ms, 10 GMAC/s and 1 G activations/s."""
    computed = work(of.variant)
    return 1e-4 + computed.macs * 1e-10 + computed.activations * 1e-9


def keep(*measured: Case, session: Session, **changes: object) -> None:
    """Write down six processes of each case."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    journal = Journal(FOLDER)
    journal.append(session)
    for one in measured:
        journal.append(Deployment(case=one, session="s1", epoch="e1", artifact=artifact()))
        for _ in range(6):
            journal.append(run(seconds(one), case=one, **changes))
    sweeps.write_sweep(FOLDER, SWEEP)


def test_what_was_not_measured_is_predicted_from_what_was(place: Path) -> None:
    keep(*CORNERS, session=session(*CORNERS))
    found = outlook(FOLDER, own_sweep(FOLDER))
    assert [cell.case for cell in found.cells] == [one for one in CASES if one not in CORNERS]
    for cell in found.cells:
        assert cell.time_s and cell.time_s.value == pytest.approx(seconds(cell.case), rel=1e-3)
        assert cell.time_s.low < seconds(cell.case) < cell.time_s.high


def test_measured_cells_that_a_neighbour_slowed_are_predicted_from_by_their_beats(place: Path) -> None:
    """Every second cell was slowed by half, and so were the beats between its samples."""
    journal = Journal(place / FOLDER)
    keep(session=session(*CORNERS))
    for number, one in enumerate(CORNERS):
        slow = 1.5 if number % 2 else 1.0
        journal.append(Deployment(case=one, session="s1", epoch="e1", artifact=artifact()))
        took = run(seconds(one) * slow, case=one, beats=Beats(workload="b", every=20, took_s=(1e-4 * slow,) * 2))
        for _ in range(6):
            journal.append(took)
    ratios = [cell.time_s.value / seconds(cell.case) for cell in outlook(FOLDER, SWEEP).cells if cell.time_s]
    assert len(ratios) == len(CASES) - len(CORNERS)
    assert ratios == pytest.approx([1.25] * len(ratios), rel=1e-3)  # the median beat is half-way


def test_every_predicted_row_says_so_in_every_format(place: Path) -> None:
    keep(*CORNERS, session=session(*CORNERS))
    sheet = predict.sheet(outlook(FOLDER, SWEEP))
    rows = list(csv.DictReader(io.StringIO(as_csv(sheet))))
    assert {row["figure"] for row in rows} == {"predicted"}
    assert all(float(row["p50_low_ms"]) <= float(row["p50_ms"]) <= float(row["p50_high_ms"]) for row in rows)
    assert "predicted" in sheet.title
    assert any(note.startswith("Latencies are predicted, not measured") for note in sheet.notes)


def test_fewer_cells_than_the_intervals_were_calibrated_with_predict_nothing(place: Path) -> None:
    keep(*CORNERS[:5], session=session(*CORNERS[:5]))
    found = outlook(FOLDER, SWEEP)
    assert {cell.why for cell in found.cells} == {f"wanted {ENOUGH} usable latencies of its kind, found 5"}
    assert not found.is_answered


def test_a_cell_outside_of_what_was_measured_says_so(place: Path) -> None:
    keep(*CASES[:6], session=session(*CASES[:6]))
    found = outlook(FOLDER, SWEEP)
    assert [cell.is_beyond for cell in found.cells] == [
        work(one.variant).macs > work(CASES[5].variant).macs for one in CASES[6:]
    ]
    assert any(cell.is_beyond for cell in found.cells)


def test_numbers_that_are_worth_nothing_or_of_another_environment_predict_nothing(place: Path) -> None:
    keep(*CORNERS[:5], session=session(*CORNERS))
    keep(CORNERS[5], session=session(*CORNERS), cpu_s=1e-9)  # it mostly waited: INVALID
    assert not outlook(FOLDER, SWEEP).is_answered
    keep(session=session(*CORNERS, id="s2", epoch="e2"))
    assert {cell.why for cell in outlook(FOLDER, SWEEP).cells} == {
        f"wanted {ENOUGH} usable latencies of its kind, found 0"
    }


def test_choose_takes_predicted_cells_only_when_asked_and_then_says_so(place: Path) -> None:
    keep(*CORNERS, session=session(*CORNERS))
    options = {"objective": "macs", "max_latency": "50ms", "precision": "fp32"}
    measured = choose.answer((FOLDER,), "", asked(**options))
    both = choose.answer((FOLDER,), "", replace(asked(**options), predicted=True))
    assert ", predicted" not in repr(measured.choice)
    assert (measured.choice.feasible, both.choice.feasible) == (len(CORNERS), len(CASES))
    others = [one for one in both.accuracies if one.endswith(", predicted")]
    assert len(others) == len(CASES) - len(CORNERS)
    assert any("3 configurations were predicted, not measured" in note for note in advice.sheet(both).notes)


def test_a_predicted_accuracy_does_not_exist(place: Path) -> None:
    keep(*CORNERS, session=session(*CORNERS))
    both = choose.answer((FOLDER,), "", replace(asked(objective="latency"), predicted=True))
    assert both.choice.chosen and Quantity.TOP1 not in both.choice.chosen.figures
    with pytest.raises(EdgebenchError, match="found --published; leave one out"):
        choose.answer((), "rpi4", replace(asked(), predicted=True))


def top1(of: Case) -> float:
    """What a network answers right here: more with α and ρ."""
    return 0.9 - 0.2 * (1 - of.variant.width) - 12 / of.variant.resolution


def keep_evaluated(*measured: Case, right: float | None = None) -> None:
    """Write down processes and 5,000 evaluated images of each case, of a sweep whose networks are trained."""
    keep(*measured, session=session(*measured))
    journal = Journal(FOLDER)
    for one in measured:
        share = top1(one) if right is None else right
        journal.append(
            Accuracy(
                case=one, session="s1", epoch="e1", artifact_sha256="f1", dataset="digits", images=5000,
                correct=round(share * 5000),
            )
        )  # fmt: skip
    sweeps.write_sweep(FOLDER, replace(SWEEP, weights=""))


TRAINED = tuple(
    case(variant("mobilenet_v1", width, side, weights=WeightSource.TRAINED))
    for width, side in product(WIDTHS, RESOLUTIONS)
)
TRAINED_CORNERS = tuple(TRAINED[CASES.index(corner)] for corner in CORNERS)


def test_the_metric_of_what_was_not_evaluated_is_predicted_with_its_label_and_interval(place: Path) -> None:
    keep_evaluated(*TRAINED_CORNERS)
    found = outlook(FOLDER, own_sweep(FOLDER))
    assert set(found.metrics) == set(TRAINED) - set(TRAINED_CORNERS)
    for one, metric in found.metrics.items():
        assert metric.value == pytest.approx(top1(one), abs=0.01)
        assert metric.low < top1(one) < metric.high
    rows = list(csv.DictReader(io.StringIO(as_csv(predict.sheet(found)))))
    assert {(row["figure"], row["metric"]) for row in rows} == {("predicted", "top1")}
    for row in rows:
        assert float(row["metric_low_per_cent"]) < float(row["metric_per_cent"]) < float(row["metric_high_per_cent"])


def test_a_predicted_metric_keeps_a_limit_by_its_worse_end_and_is_called_predicted(place: Path) -> None:
    keep_evaluated(*TRAINED_CORNERS)
    best = max((one for one in TRAINED if one not in TRAINED_CORNERS), key=top1)
    low, value = (100 * getattr(outlook(FOLDER, own_sweep(FOLDER)).metrics[best], end) for end in ("low", "value"))
    wanted = {"objective": "macs", "precision": "fp32"}
    predicted_alone = f", {network(best.variant)}"
    for bound, is_kept in ((low - 0.01, True), ((low + value) / 2, False)):
        both = choose.answer((FOLDER,), "", replace(asked(**wanted, min_top1=f"{bound:.4f}"), predicted=True))
        feasible = {candidate.name for candidate in (both.choice.chosen, *both.choice.front) if candidate}
        assert any(f"{network(best.variant)}, fp32, predicted" in name for name in feasible) == is_kept, predicted_alone
    text = as_csv(advice.sheet(both)) + " ".join(advice.sheet(both).notes)
    assert "worse end" in text
    fields = advice.fields(choose.answer((FOLDER,), "", replace(asked(**wanted), predicted=True)))
    shown = json.dumps(fields)
    assert '"predicted": ["latency", "top1"]' in shown
    assert "predicted from other configurations on digits" in shown


def test_networks_that_learned_nothing_predict_no_metric(place: Path) -> None:
    keep_evaluated(*TRAINED_CORNERS, right=0.1)
    assert not outlook(FOLDER, own_sweep(FOLDER)).metrics


def test_the_linter_takes_no_predicted_row_for_a_measured_one(place: Path) -> None:
    keep_evaluated(*TRAINED_CORNERS)
    table = cli("predict", str(FOLDER), "--format", "csv").stdout
    Path("predicted.csv").write_text(table)
    whole = "network={architecture} {width} @{resolution}"
    done = cli("lint", "predicted.csv", "--columns", f"{whole},top1=metric_per_cent")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 rows are predicted, so not checked" in " ".join(done.stdout.split())


def test_the_command_predicts_another_grid_from_the_same_cells(place: Path) -> None:
    keep(*CORNERS, session=session(*CORNERS))
    done = cli("predict", str(FOLDER), "--width", "0.75", "--resolution", "144", "--format", "json")
    (row,) = json.loads(done.stdout)["rows"]
    expected = seconds(case(variant("mobilenet_v1", 0.75, 144))) * 1e3
    assert (row["network"], row["figure"]) == ("mobilenet_v1 0.75 @144", "predicted")
    assert row["p50_ms"] == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["results/x", "--model", "mobilenet_v2"], 1, ""),
        (["results/x", "--target", "rpi4"], 2, "no target in results/x 'rpi4' (has cpu)"),
        (["results/none"], 2, "cannot read results/none/sweep.toml"),
        (["results/x", "grid", "--model", "mobilenet_v1"], 2, "wanted a sweep or --model, found both"),
        (["results/x", "--format", "pdf"], 2, "no format 'pdf'"),
    ],
)
def test_what_cannot_be_predicted_is_told_by_the_exit_code(arguments: list[str], code: int, said: str) -> None:
    keep(*CORNERS, session=session(*CORNERS))
    done = cli("predict", *arguments)
    assert (done.returncode, said in done.stderr) == (code, True)
    assert done.stderr.count("\n") == (code == 2)


def test_a_budget_goes_first_to_what_predictions_need_then_to_what_they_leave_in_doubt(place: Path) -> None:
    whole = session(*CASES)
    first = allot(whole, [whole], [])
    assert (first.is_needed, len(first.cases)) == (True, ENOUGH)
    keep(*first.cases, session=session(*first.cases))
    then = allot(whole, tuple(Journal(FOLDER)), first.cases)
    assert not then.is_needed
    assert set(CASES) - set(first.cases) <= set(then.cases)


def test_a_measured_cell_that_is_out_of_line_is_measured_again_unless_it_is_settled(place: Path) -> None:
    keep(*CASES[:-1], session=session(*CASES))
    journal = Journal(FOLDER)
    journal.append(Deployment(case=CASES[-1], session="s1", epoch="e1", artifact=artifact()))
    for factor in (1.5, 1.6, 1.7, 1.8, 1.9, 2.0):
        journal.append(run(factor * seconds(CASES[-1]), case=CASES[-1]))
    whole, journalled = session(*CASES), tuple(journal)
    assert CASES[-1] in allot(whole, journalled, CASES).cases
    assert CASES[-1] not in allot(whole, journalled, (*CASES, *CASES)).cases


def test_another_cell_stands_in_for_one_that_failed(place: Path) -> None:
    whole = session(*CASES)
    first = allot(whole, [whole], []).cases
    failed = Failure(case=first[0], session="s1", epoch="e1", stage="export", reason="none")
    again = allot(whole, [whole, failed], first[:1])
    assert again.is_needed
    assert len(again.cases) == ENOUGH
    assert first[0] not in again.cases


def test_a_given_model_is_measured_and_never_predicted(place: Path) -> None:
    given = case(replace(variant("net.onnx", 1.0, 96), weights=WeightSource.CUSTOM))
    whole = session(*CASES, given)
    assert given in allot(whole, [whole], []).cases
    keep(*CORNERS, session=session(*CORNERS))
    then = allot(whole, tuple(Journal(FOLDER)), (given,))
    assert not then.is_needed
    assert given not in then.cases


def test_a_run_within_a_budget_measures_some_and_says_which_it_did_not(place: Path) -> None:
    sides = ",".join(map(str, range(1, 13)))
    null = ("--model", "null", "--runtime", "null", "--dataset", "null", "--weights", "none", "--precision", "fp32")
    done = cli("run", "--target", "null", *null, "--preset", "quick", "--resolution", sides, "--budget", "1s")
    assert done.returncode in (0, 1), done.stderr
    assert "from which the others are predicted" in done.stderr
    met = {record.case for record in Journal(Path("results/null")) if isinstance(record, Deployment)}
    assert 0 < len(met) < 12
    left = outlook(Path("results/null"), own_sweep(Path("results/null"))).cells
    assert len(left) >= 12 - len(met)
    assert "null: not measured, predicted" in done.stdout


@pytest.mark.parametrize(
    ("option", "said"),
    [("--time-limit", "wanted a budget or a time limit, found both"), ("--sustained", "a budget does not include")],
)
def test_a_budget_refuses_what_it_could_not_keep(option: str, said: str, place: Path) -> None:
    done = cli("run", "--budget", "10m", option, "3m", "--dry-run")
    assert (done.returncode, said in done.stderr, done.stderr.count("\n")) == (2, True, 1)


def test_the_published_grids_are_predicted_as_well_as_the_guide_says() -> None:
    guide = " ".join(pages()["analysis"].read_text().split())
    for runtime, grids in published_grids().items():
        found = score(grids)
        error, held = median(found.errors), sum(found.held) / len(found.held)
        assert error <= 0.05 and 0.85 <= held <= 0.95, runtime
        assert f"{error * 100:.1f} %" in guide and f"{held * 100:.1f} %" in guide


def test_the_metric_of_the_published_grids_is_predicted_as_well_as_the_guide_says() -> None:
    guide = " ".join(pages()["analysis"].read_text().split())
    scores = {name: metric_score(grid)[0] for name, grid in metric_grids().items()}
    for family, most in (("mobilenet_v1", 0.4), ("mobilenet_v2", 0.7)):
        reference = next(found for name, found in scores.items() if name.startswith(f"{family} fp32"))
        assert median(reference.errors) <= most
        assert f"{median(reference.errors):.2f}" in guide
    held = [each for found in scores.values() for each in found.held]
    assert 0.85 <= sum(held) / len(held) <= 0.95
    assert f"{100 * sum(held) / len(held):.1f} %" in guide
