"""The sentences that end a table: the fastest, the most accurate, what int8 brings, and what is not settled."""

from dataclasses import replace
from typing import Any

import pytest

from edgebench.foundation.stats import Ratio
from edgebench.results import folders
from edgebench.results.table.choice import Figure
from edgebench.results.table.conclusion import conclude
from edgebench.results.table.row import Row
from tests import GOLDEN, ROOT
from tests.support.rows import changed

(FIRST, *_) = folders.read(GOLDEN).rows


def measured(p50_ms: float, top1: float, precision: str = "fp32", **changes: object) -> Row:
    """A row whose intervals are ±1 % of p50 and ±1 point of top-1."""
    made = changed(
        FIRST, precision=precision, quantization="per_channel" if precision == "int8" else "", processes=9,
        p50_ms=p50_ms, p50_low_ms=p50_ms * 0.99, p50_high_ms=p50_ms * 1.01, verdict="VALID", reasons="", **changes,
    )  # fmt: skip
    figure = Figure(value=top1, low=top1 - 1, high=top1 + 1)
    return replace(made, quality=replace(made.quality, metrics={"top1": figure}, images=600))


def int8(
    p50_ms: float, top1: float, times: tuple[float, float, float], parent: float, p: float, **changes: object
) -> Row:
    made = measured(p50_ms, top1, "int8", **changes)
    speedup = Ratio(value=times[1], low=times[0], high=times[2])
    fidelity = replace(made.fidelity, parent_top1=parent, mcnemar_p=p)
    return replace(made, fidelity=fidelity, standing=replace(made.standing, speedup=speedup))


def test_a_table_of_valid_rows_is_concluded_in_three_sentences() -> None:
    rows = [
        measured(2.0, 90.0, resolution=64), measured(4.0, 95.0, resolution=96),
        int8(1.0, 89.8, (1.9, 2.0, 2.1), 90.0, 0.6, resolution=64),
    ]  # fmt: skip
    networks = [one.setup.network for one in rows]
    assert conclude(rows) == (
        f"Fastest: {networks[2]} int8 per_channel, p50 1.000 [0.990, 1.010] ms.",
        f"Most accurate: {networks[1]} fp32, top-1 95.0 [94.0, 96.0] %.",
        "int8 is 2.00 [1.90, 2.10] times as fast as float, and its accuracy is not significantly lower on 600 images.",
    )


def test_ties_are_counted_and_the_fastest_of_the_most_accurate_is_named() -> None:
    rows = [measured(size / 64, 95.0 + size / 1000, resolution=size) for size in (64, 65, 96)]
    fast, accurate = conclude(rows)
    assert fast.startswith(f"Fastest: {rows[0].setup.network} fp32") and fast.endswith("; 1 other row ties with it.")
    assert accurate.startswith(f"Most accurate: {rows[0].setup.network} fp32")
    assert accurate.endswith("; 2 other rows tie with it and are slower.")


@pytest.mark.parametrize(
    ("p", "top1", "said"),
    [
        (0.001, 80.0, "and it is significantly less accurate in 2 of 2 pairs, by up to 10.0 points."),
        (0.001, 94.0, "and its accuracy is not significantly lower on 600 images."),
        (0.2, 80.0, "and its accuracy is not significantly lower on 600 images."),
    ],
)
def test_int8_of_several_networks_is_summed_up(p: float, top1: float, said: str) -> None:
    pairs = [int8(1.0, top1, (0.8, 0.9, 0.95), 90.0, p, resolution=64), int8(2.0, top1, (1.4, 1.5, 1.6), 90.0, p)]
    sentence = conclude(pairs)[-1]
    assert sentence.startswith(
        "int8 is 0.90 to 1.50 times as fast as float; it is significantly faster in 1 and slower in 1 of 2 pairs"
    )
    assert sentence.endswith(said)


def test_rows_that_are_not_valid_are_counted_with_what_to_do() -> None:
    rows = [
        measured(1.0, 90.0),
        *(replace(measured(2.0, 90.0, resolution=size), verdict="FAILED") for size in (96, 128)),
    ]
    assert conclude(rows)[-1] == "2 of 3 rows are not VALID. 2 FAILED: see their reasons."
    quick = [replace(measured(1.0, 90.0, preset="quick"), verdict="IMPRECISE")]
    assert "measure without --preset quick" in conclude(quick)[-1]


def test_invalid_times_leave_a_conclusion_on_the_accuracies() -> None:
    invalid: dict[str, Any] = {"verdict": "INVALID", "time_verdict": "INVALID", "accuracy_verdict": "VALID"}
    float_row = replace(measured(2.0, 95.0), **invalid)
    int8_row = replace(int8(1.0, 90.0, (1.9, 2.0, 2.1), 95.0, 0.001), **invalid)
    assert conclude([float_row, int8_row]) == (
        f"Most accurate: {float_row.setup.title}, top-1 95.0 [94.0, 96.0] %.",
        "int8 is significantly less accurate in 1 of 1 pair, by up to 5.0 points.",
        "2 of 2 rows are not VALID. 2 INVALID: do not use their times, see their reasons; their accuracies are VALID.",
    )


def test_another_machine_than_the_target_s_board_is_said_first() -> None:
    row = measured(1.0, 90.0, target="rpi4")
    found = conclude([replace(row, setup=replace(row.setup, machine="AMD EPYC"))])
    assert found[0] == "Not measured on rpi4: the machine is AMD EPYC."


def test_groups_are_named_and_an_empty_table_says_nothing() -> None:
    rows = [measured(1.0, 90.0, target=target) for target in ("cpu", "rpi4")]
    rows = [replace(one, verdict="INVALID") for one in rows]
    assert [sentence.split(":")[0] for sentence in conclude(rows)] == [
        f"{one.setup.target}, {one.setup.runtime}, 1 thread" for one in rows
    ]
    assert conclude([]) == ()


def test_the_fastest_runtime_is_named_with_its_lead_over_the_next_one() -> None:
    rows = [measured(p50_ms, 90.0, runtime=name) for name, p50_ms in (("a", 4.0), ("b", 2.0), ("c", 3.0))]
    *_, sentence = conclude(rows)
    b, c = (f"{name} {FIRST.setup.runtime_version} {FIRST.setup.runtime_options}" for name in ("b", "c"))
    assert sentence.startswith(f"fp32: {b} is the fastest runtime, 1.50 [1.4")
    assert sentence.endswith(f" times as fast as {c}, the next runtime.")


def test_the_runtimes_of_several_networks_are_counted_by_precision() -> None:
    speeds = {64: (2.0, 1.0), 96: (4.0, 3.99), 128: (6.0, 9.0)}
    rows = [
        measured(p50_ms, 90.0, precision, runtime=name, resolution=size)
        for precision in ("fp32", "int8")
        for size, times in speeds.items()
        for name, p50_ms in zip("ab", times, strict=True)
    ]
    *_, lead, other = [text for text in conclude(rows) if text.startswith("int8: ")]
    assert lead.startswith("int8: b ") and " is the fastest runtime of 2 of 3 networks, 1.00 to 2.00 times" in lead
    assert lead.endswith("significantly of 1.")
    assert " is the fastest runtime of 1 of 3 networks, 1.50 to 1.50 times as fast as" in other


def test_runtimes_are_compared_only_under_equal_conditions() -> None:
    rows = [measured(2.0, 90.0, runtime="a"), measured(3.0, 90.0, runtime="b", threads=2)]
    assert not [text for text in conclude(rows) if "fastest runtime" in text]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"target": "pi"}, ("cpu, onnxruntime, 1 thread", "pi, onnxruntime, 1 thread")),
        (
            {"dataset": "scenes"},
            ("cpu, onnxruntime, 1 thread, dataset digits", "cpu, onnxruntime, 1 thread, dataset scenes"),
        ),
        ({"batch": 8}, ("cpu, onnxruntime, 1 thread, batch 1", "cpu, onnxruntime, 1 thread, batch 8")),
    ],
)
def test_groups_have_names_that_tell_them_apart(changes: dict[str, Any], names: tuple[str, str]) -> None:
    sides = ((1.0, 90.0, 64), (2.0, 95.0, 96))
    groups: tuple[dict[str, Any], ...] = ({}, changes)
    rows = [measured(time, top1, resolution=side, **more) for more in groups for time, top1, side in sides]
    found = conclude(rows)
    assert {sentence.partition(": ")[0] for sentence in found if "runtime of" not in sentence} == set(names)


def test_a_group_is_named_by_what_tells_it_from_those_of_its_own_runtime() -> None:
    runtimes = {"litert": {"runtime_version": "2", "runtime_options": ""}, "onnxruntime": {"runtime_version": "1"}}
    rows = [
        replace(measured(1.0, 90.0, runtime=name, task=task, **more), verdict="INVALID")
        for name, more in runtimes.items()
        for task in ("detection", "segmentation")
    ]
    assert [sentence.partition(": ")[0] for sentence in conclude(rows) if "INVALID" in sentence] == [
        f"cpu, {name}, 1 thread, task {task}" for name in runtimes for task in ("detection", "segmentation")
    ]


def test_a_setting_that_a_group_lacks_is_named_as_lacking() -> None:
    rows = [replace(measured(1.0, 90.0, runtime_options=name), verdict="INVALID") for name in ("", "xnnpack")]
    first, second = conclude(rows)[:2]
    assert first.startswith("cpu, onnxruntime, 1 thread, no runtime options: ")
    assert second.startswith("cpu, onnxruntime, 1 thread, runtime options xnnpack: ")


def test_rows_of_an_emulated_board_are_concluded_by_instructions_first() -> None:
    table = folders.read(ROOT / "results" / "three_ways").rows
    instructions, *accuracies = conclude([row for row in table if row.setup.target == "rpi4_emulated"])
    assert [sentence.partition(" ")[0] for sentence in accuracies] == ["Most", "int8's"]
    assert instructions == "Float executes 1.68 times as many instructions as int8; an emulator gives no times."
