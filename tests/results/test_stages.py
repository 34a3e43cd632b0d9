"""What an app does around inference: from recorded processes to the columns, and which of them a case still needs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from edgebench.measure.plan.state import _spent
from edgebench.results.measurement import needed, summarize, times_stages
from edgebench.results.measurement.evidence import Evidence
from edgebench.results.reports import comparison
from edgebench.results.table import rows
from edgebench.results.table.columns import flat
from edgebench.schema.case import PRESETS, Purpose
from edgebench.schema.feed import Feed
from edgebench.schema.record import MemoryMarks, Run, Stages, Stop
from edgebench.schema.sound import fault
from edgebench.schema.variant import Variant
from tests.conftest import artifact, case, run, session, variant

DETECTOR = replace(variant("mobilenet_v1_det", 0.25, 96), dataset="scenes")
FED = replace(variant("net.onnx", 1.0), resolution=0, classes=0, weights="own", feed=Feed(inputs=()))
POST: dict[str, Sequence[float]] = {"postprocess": (2e-4, 3e-4, 1e-4)}
WHOLE: dict[str, Sequence[float]] = {"decode": (1e-3,) * 3, "resize": (5e-4,) * 3, "normalize": (5e-5,) * 3} | POST
LACKING = dict.fromkeys(("decode", "resize", "normalize"), "no Pillow on the target")


def staged(took_s: dict[str, Sequence[float]], lacks: dict[str, str] | None = None, **settings: float) -> Run:
    found = Stages(images=8, took_s=took_s, lacks=lacks or {}, settings=settings)
    return run(samples_s=(), purpose=Purpose.STAGES, stages=found)


def row_of(*runs: Run, of: Variant = DETECTOR, batch: int = 1, stages: bool = False) -> dict[str, Any]:
    """The columns of six processes of 1 ms and these."""
    asked = replace(session(), stages=stages)
    evidence = Evidence(
        case=replace(case(of), batch=batch), session=asked, runs=(*(run(1e-3) for _ in range(6)), *runs),
        artifact=artifact(),
    )  # fmt: skip
    return flat(rows.row(evidence, summarize(evidence)))


def test_post_processing_stands_beside_p50_and_the_total_is_both() -> None:
    found = row_of(staged(POST, score=0.02, iou=0.5), staged({"postprocess": (4e-4,)}, score=0.02, iou=0.5))
    assert (found["p50_ms"], found["post_ms"], found["total_p50_ms"]) == pytest.approx((1, 0.3, 1.3))
    assert (found["runtime_share"], found["fps"]) == pytest.approx((100 / 1.3, 1000 / 1.3))
    assert (found["score_threshold"], found["iou_threshold"]) == (0.02, 0.5)
    assert found["pre_ms"] is found["decode_ms"] is None
    assert found["processes"] == 6


def test_with_all_stages_the_total_has_them_and_of_a_batch_each_picture() -> None:
    found = row_of(staged(WHOLE), batch=4, stages=True)
    parts = [found[f"{name}_ms"] for name in ("decode", "resize", "normalize", "pre", "post")]
    assert parts == pytest.approx([4, 2, 0.2, 6.2, 0.8])
    assert (found["total_p50_ms"], found["fps"]) == pytest.approx((8, 500))


def test_without_pillow_on_the_target_the_row_says_so_and_keeps_its_verdict() -> None:
    found = row_of(staged(POST, LACKING), stages=True)
    assert found["pre_ms"] is None and found["total_p50_ms"] == pytest.approx(1.2)
    assert "decode, resize, normalize not timed: no Pillow on the target" in found["reasons"]
    assert found["verdict"] == row_of(staged(POST))["verdict"]


def test_a_model_that_is_fed_no_pictures_has_empty_cells_and_a_reason() -> None:
    found = row_of(of=FED, stages=True)
    assert found["post_ms"] is found["total_p50_ms"] is found["fps"] is None
    assert "no step before or after inference is timed: net.onnx is fed no pictures of a data set" in found["reasons"]
    assert "around" not in row_of(of=FED)["reasons"]


def test_a_row_whose_time_was_up_before_says_so() -> None:
    why = "no step before or after inference is timed: no process that times them has ended yet"
    assert why in row_of(stages=True)["reasons"]
    assert why not in row_of()["reasons"] and why not in row_of(staged(WHOLE), stages=True)["reasons"]


@pytest.mark.parametrize(
    ("of", "always", "requested"),
    [(DETECTOR, True, True), (variant(), False, True), (FED, False, False)],
    ids=["detector", "classifier", "fed arrays"],
)
def test_which_cases_are_timed_around(of: Variant, always: bool, requested: bool) -> None:
    assert (times_stages(of, session()), times_stages(of, replace(session(), stages=True))) == (always, requested)
    assert not times_stages(of, replace(session(emulator="qemu-aarch64"), stages=True))


def test_what_a_case_needs_depends_on_what_its_processes_timed() -> None:
    done, count = (*(run(1e-3) for _ in range(6)), *memory()), PRESETS["standard"].stage_runs
    plain, whole = session(), replace(session(), stages=True)
    only_post, all_of_it, lacking = ((staged(*each),) * count for each in ((POST,), (WHOLE,), (POST, LACKING)))
    assert list(needed(done, plain)) == []
    assert list(needed(done, plain, times_stages=True)) == [Purpose.STAGES]
    assert list(needed((*done, *only_post), plain, times_stages=True)) == []
    assert list(needed((*done, *only_post), whole, times_stages=True)) == [Purpose.STAGES]
    assert list(needed((*done, *all_of_it), whole, times_stages=True)) == []
    assert list(needed((*done, *lacking), whole, times_stages=True)) == []


@pytest.mark.parametrize("more", [{"stages": True}, {"sustained_s": 60.0}, {"time_limit_s": 20.0}], ids=str)
def test_a_case_that_ran_out_of_time_is_open_for_what_was_not_requested_then(more: dict[str, Any]) -> None:
    of = case(DETECTOR)
    asked = session(of, limit_s=10.0)
    records = (asked, Stop(session=asked.id, spent_s=10.0))
    assert _spent(of, replace(asked, id="s2"), records) == {asked.id}
    assert _spent(of, replace(asked, id="s2", **more), records) == set()


def memory() -> tuple[Run, ...]:
    marks = MemoryMarks(baseline_bytes=1, load_peak_bytes=3, loaded_bytes=2, run_peak_bytes=3)
    return (run(samples_s=(), purpose=Purpose.MEMORY, memory=marks),) * PRESETS["standard"].memory_runs


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (staged({"decode": (-1.0,)}), "decode has no time, or one below 0"),
        (staged({"decode": ()}), "decode has no time, or one below 0"),
        (staged(POST, {"decode": "x" * 20_000}), "20000 characters"),
        (staged(POST, score=1e300), "a setting is out of range"),
        (replace(staged(POST), stages=None), "stages is missing"),
        (replace(run(1e-3), stages=staged(POST).stages), "stages is present"),
    ],
)
def test_impossible_stages_are_refused(damaged: Run, reason: str) -> None:
    assert reason in fault(damaged)
    assert fault(staged(POST)) == fault(staged(WHOLE, score=0.02)) == ""


def test_the_tables_show_the_columns_where_a_row_has_them() -> None:
    headings = {"pre ms", "post ms", "total ms", "runtime %", "fps"}

    def shown(*runs: Run) -> set[str]:
        evidence = Evidence(case=case(DETECTOR), session=session(), runs=runs, artifact=artifact())
        row = rows.row(evidence, summarize(evidence))
        return {column.heading for column in comparison.columns([row])} & headings

    assert shown(run(1e-3)) == set()
    assert shown(run(1e-3), staged(POST)) == headings - {"pre ms"}
    assert shown(run(1e-3), staged(WHOLE)) == headings
