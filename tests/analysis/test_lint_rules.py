"""Every rule on a table made to break it and on one that does not; the published grids as golden cases."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebench.analysis.lint import rules as lint
from edgebench.analysis.lint.reading import read
from edgebench.analysis.lint.rules import CheckedRow
from edgebench.networks import published
from tests.support.command import cli

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # time is no claim here
WIDTHS, SIDES = (0.25, 0.5, 0.75, 1.0), (128, 160, 192, 224)


def entry(width: float = 1.0, resolution: int = 224, **changes: Any) -> CheckedRow:
    fields: dict[str, Any] = {
        "line": 1, "name": f"net {width:g} @{resolution}", "setup": (), "architecture": "net", "precision": "fp32",
    }  # fmt: skip
    return CheckedRow(**(fields | {"width": width, "resolution": resolution} | changes))


def grid(**changes: Any) -> list[CheckedRow]:
    """A grid that nothing is wrong with: 2 ms of constant cost and a tenth of a millisecond a million multiply-adds."""
    cells = [(width, side) for width in WIDTHS for side in SIDES]
    made = []
    for line, (width, side) in enumerate(cells, 1):
        macs = 569e6 * width**2 * (side / 224) ** 2
        latency = 2.0 * width + macs / 1e7 * (1 + 1e-3 * line)
        made.append(entry(width, side, line=line, macs=macs, latency_ms=latency, p50_ms=latency, **changes))
    return made


def rules(entries: Sequence[CheckedRow]) -> list[tuple[str, tuple[int, ...]]]:
    return [(found.rule, found.lines) for found in lint.lint(entries)]


def changed(place: int, **changes: Any) -> list[CheckedRow]:
    return [replace(one, **changes) if one.line == place else one for one in grid()]


def test_a_grid_that_nothing_is_wrong_with_passes() -> None:
    assert rules(grid()) == []
    assert rules([]) == []


def test_a_larger_network_may_be_faster_by_3_per_cent_and_no_more() -> None:
    small, large = entry(0.5, 128, line=1, latency_ms=10.29), entry(0.5, 160, line=2, latency_ms=10.0)
    assert rules([small, large]) == []
    assert rules([replace(small, latency_ms=10.31), large]) == [("larger is faster", (1, 2))]


def test_a_larger_network_is_not_faster_where_the_intervals_meet() -> None:
    small = entry(0.5, 128, line=1, latency_ms=12.0, low_ms=10.2, high_ms=13.0)
    large = entry(0.5, 160, line=2, latency_ms=10.0, low_ms=9.0, high_ms=10.0)
    assert rules([small, large]) == []
    assert rules([replace(small, low_ms=10.4), large]) == [("larger is faster", (1, 2))]


def test_a_wider_network_at_a_lower_resolution_is_neither_larger_nor_smaller() -> None:
    assert rules([entry(0.5, 224, line=1, latency_ms=20.0), entry(1.0, 128, line=2, latency_ms=10.0)]) == []


@pytest.mark.lengthy
@CALM
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 20)),
        max_size=16,
        unique_by=lambda cell: cell[:2],
    )
)
def test_the_walk_finds_a_small_row_just_where_comparing_all_pairs_does(cells: list[tuple[int, int, int]]) -> None:
    rows = [entry(w, r, line=line, latency_ms=float(ms)) for line, (w, r, ms) in enumerate(cells)]
    slow = {
        small.line
        for small in rows
        for large in rows
        if large.width >= small.width and large.resolution >= small.resolution and large is not small
        and (large.latency_ms or 0) * (1 + lint.FASTER) < (small.latency_ms or 0)
    }  # fmt: skip
    assert {found.lines[0] for found in lint.larger_is_faster(rows)} == slow


@pytest.mark.parametrize(
    ("place", "changes", "rule"),
    [
        (1, {"mean_ms": 99.0}, "mean far from median"),
        (16, {"p90_ms": 1.0}, "p90 below median"),
        (3, {"latency_ms": -1.0}, "no number"),
        (3, {"latency_ms": float("nan")}, "no number"),
        (3, {"latency_ms": float("inf")}, "no number"),
        (3, {"top1": 170.0}, "no number"),
        (3, {"top1": 60.0, "published_top1": 63.1}, "accuracy"),
        (16, {"latency_ms": 0.059}, "unit"),
    ],
)
def test_a_single_cell_that_cannot_be_is_found_by_its_rule(place: int, changes: dict[str, float], rule: str) -> None:
    assert (rule, (place,)) in rules(changed(place, **changes))


def test_an_accuracy_within_3_points_of_the_published_one_is_a_matter_of_recipe() -> None:
    assert rules(changed(3, top1=60.0, published_top1=62.9)) == []


def test_int8_slower_than_float_beyond_the_intervals() -> None:
    parent, int8 = entry(line=1, latency_ms=10.0), entry(line=2, latency_ms=11.0, precision="int8", quantization="q")
    assert rules([parent, int8]) == [("int8 is slower", (2, 1))]
    assert rules([parent, replace(int8, low_ms=9.0, high_ms=13.0)]) == []
    assert rules([parent, replace(int8, setup=("another",))]) == []


def test_equal_latencies_of_four_digits_are_copied_and_of_three_rounded() -> None:
    rows = [entry(0.5, 128, line=1, latency_ms=12.34), entry(1.0, 224, line=2, latency_ms=12.34)]
    assert rules(rows) == [("equal cells", (1, 2))]
    assert rules([replace(one, latency_ms=12.3) for one in rows]) == []


def test_a_width_with_another_constant_cost_than_its_neighbours() -> None:
    slow = [replace(one, latency_ms=(one.latency_ms or 0) + 8 * (one.width == 0.5)) for one in grid()]
    assert ("offset", (5, 6, 7, 8)) in rules(slow)


@pytest.mark.parametrize(("metric", "name"), [("top1", "top-1"), ("map", "mAP")])
def test_an_int8_drop_out_of_line_with_its_grid_names_the_tasks_metric(metric: str, name: str) -> None:
    shares: list[dict[str, Any]] = [{metric: share} for share in (70.0, 68.5, 65.0)]
    floats = [replace(one, latency_ms=None, **shares[0]) for one in grid()]
    int8 = [replace(one, line=one.line + 16, precision="int8", **shares[1]) for one in floats]
    assert rules([*floats, *int8]) == []
    int8[4] = replace(int8[4], **shares[2])
    (finding,) = lint.lint([*floats, *int8])
    assert (finding.rule, finding.lines, f"points of {name}" in finding.text) == ("int8 drop", (21,), True)


def rows_of(
    source: str, runtime: str, version: str, architecture: str, *precisions: str
) -> list[published.PublishedLatency]:
    return [
        one
        for one in published.latencies()
        if one.source.startswith(source)
        and (one.runtime, one.runtime_version, one.architecture) == (runtime, version, architecture)
        and one.precision in precisions
    ]


def found(rows: list[published.PublishedLatency]) -> list[tuple[str, list[str]]]:
    from dataclasses import asdict

    reading = read(enumerate(map(asdict, rows), 1))
    names = {one.line: one.name for one in reading.entries.values()}
    return [(one.rule, [names[line] for line in one.lines]) for one in lint.lint(tuple(reading.entries.values()))]


def test_the_published_mobilenet_v2_row_that_cannot_be_is_found() -> None:
    rows = rows_of("MLPerf v3.1", "armnn", "23.05 neon", "mobilenet_v2", "fp32")
    assert len(rows) == 16
    assert found(rows) == [("larger is faster", ["mobilenet_v2 1 @160 fp32", "mobilenet_v2 1 @192 fp32"])]


def test_the_published_int8_row_that_is_faster_than_a_smaller_one_is_found() -> None:
    rows = rows_of("MLPerf v2.0", "armnn", "21.11 neon", "mobilenet_v2", "int8")
    assert found(rows) == [("larger is faster", ["mobilenet_v2 0.35 @128 int8", "mobilenet_v2 0.5 @128 int8"])]


def test_the_published_mobilenet_v1_grid_of_tflite_passes_but_for_the_one_int8_file_known_to_be_bad() -> None:
    rows = rows_of("MLPerf v2.1", "tflite", "2.7.1 ruy", "mobilenet_v1", "fp32", "int8")
    assert len(rows) == 32
    assert found([row for row in rows if row.precision == "fp32"]) == []
    assert found(rows) == [("int8 drop", ["mobilenet_v1 0.75 @128 int8"])]


@pytest.mark.parametrize(
    ("top1", "ends", "said"),
    [
        (0.0, "", "its top-1 of 0.0 % differs by -41.5 points from the published one; it is no better than chance"),
        (0.0, "0.0,0.4", "it is no better than chance, so these are not the published weights"),
        (10.0, "1.8,40.4", "its top-1 of 10.0 % differs by -31.5 points from the published one"),
        (30.0, "10.8,60.3", ""),  # ten images cannot contradict what was published
        (39.0, "38.6,39.4", ""),  # training recipes differ
    ],
)
def test_an_accuracy_is_off_only_beyond_its_interval(top1: float, ends: str, said: str, tmp_path: Path) -> None:
    headings = "architecture,width,resolution,precision,dataset,top1" + ",top1_low,top1_high" * bool(ends)
    row = f"mobilenet_v1,0.25,128,fp32,imagenet:val,{top1}" + f",{ends}" * bool(ends)
    (table := tmp_path / "table.csv").write_text(f"{headings}\n{row}\n")
    done = cli("lint", str(table))
    printed = " ".join(done.stdout.split())
    assert (said in printed) if said else "published one" not in printed, printed
