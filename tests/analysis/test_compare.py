"""Ratios, pairs and differences, and what two folders or the published rows give by them."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebench.analysis.compare import folders as contrast
from edgebench.analysis.compare.pairing import Pair, paired
from edgebench.analysis.compare.published import _beside, _nearest, beside_published, far
from edgebench.foundation import stats
from edgebench.foundation.stats import Ratio
from edgebench.results import folders
from edgebench.results.table.ranking import ratio
from edgebench.results.table.row import Line, Row, Table
from edgebench.schema.environment import Difference, differences
from tests import GOLDEN, ROOT
from tests.support.command import cli
from tests.support.rows import changed

RESULTS = ROOT / "results"
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # time is no claim here
SPREADS = st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3).map(lambda values: tuple(sorted(values)))


@pytest.mark.lengthy
@CALM
@given(SPREADS, SPREADS)
def test_a_ratio_lies_in_its_interval_and_turns_over_with_its_medians(over: stats.Spread, under: stats.Spread) -> None:
    one, other = stats.ratio_of_medians(over, under), stats.ratio_of_medians(under, over)
    assert one.low is not None and one.high is not None and other.low is not None
    assert one.low <= one.value * (1 + 1e-9) and one.value <= one.high * (1 + 1e-9)
    assert one.value == pytest.approx(over[1] / under[1])
    assert one.high == pytest.approx(1 / other.low)


def test_a_ratio_over_a_number_without_scatter_has_the_interval_of_the_other() -> None:
    found = stats.ratio_of_medians((8.0, 10.0, 20.0), (5.0, 5.0, 5.0))
    assert [found.value, found.low, found.high] == pytest.approx([2, 1.6, 4])


@pytest.mark.parametrize(
    "draw",
    [
        lambda r: r.lognormvariate(0, 0.1),
        lambda r: 1 + r.expovariate(5),
        lambda r: r.choice((1, 1.7)) * r.lognormvariate(0, 0.03),
    ],
    ids=["lognormal", "heavy tail", "two modes"],
)
def test_the_interval_of_a_ratio_covers_at_least_what_it_promises(draw: Callable[[random.Random], float]) -> None:
    generator, hits, trials = random.Random(1), 0, 400
    for _ in range(trials):
        spreads = []
        for scale in (1.3, 1.0):
            values = [draw(generator) * scale for _ in range(9)]
            low, high = stats.median_interval(values) or (0.0, 0.0)
            spreads.append((low, median(values), high))
        found = stats.ratio_of_medians(spreads[0], spreads[1])
        hits += (found.low or 0) <= 1.3 <= (found.high or 0)
    assert hits / trials >= 0.95


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [((1.01, 1.2), "slower"), ((0.8, 0.99), "faster"), ((0.9, 1.1), "="), ((None, None), "-")],
)
def test_only_an_interval_without_1_is_a_change(bounds: tuple[float | None, float | None], verdict: str) -> None:
    found = Ratio(value=sum(filter(None, bounds)) / 2 or 1.05, low=bounds[0], high=bounds[1])
    assert Pair(name="x", before_ms=1, after_ms=1.05, ratio=found).verdict == verdict


def test_the_strictest_key_that_finds_a_case_pairs_it_and_two_versions_are_never_mixed_up() -> None:
    before, after = ["net v1", "net v2", "old v1"], ["net v1", "net v3", "net v4", "new v1"]
    pairs, missing, new = paired(before, after, [str, lambda text: text.split()[0]])
    assert pairs == [("net v1", "net v1")]
    assert (missing, new) == (["net v2", "old v1"], ["net v3", "net v4", "new v1"])
    assert paired(["net v1"], ["net v2"], [str, lambda text: text.split()[0]])[0] == [("net v1", "net v2")]


@pytest.mark.lengthy
@CALM
@given(st.lists(st.integers(0, 5), max_size=6), st.lists(st.integers(0, 5), max_size=6))
def test_every_case_is_in_a_pair_or_left_over_once(before: list[int], after: list[int]) -> None:
    first, second = [(value, "a") for value in before], [(value, "b") for value in after]
    pairs, missing, new = paired(first, second, [lambda one: one[0]])
    assert len(pairs) + len(missing) == len(before)
    assert len(pairs) + len(new) == len(after)
    assert all(one[0] == other[0] for one, other in pairs)


def test_what_one_environment_lacks_is_a_difference() -> None:
    found = list(differences({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}))
    assert found == [
        Difference(what="b", before="2", after="9"),
        Difference(what="c", before="3", after=""),
        Difference(what="d", before="", after="4"),
    ]


@pytest.mark.lengthy
def test_a_folder_is_as_fast_as_itself_and_its_environment_is_the_same() -> None:
    found = contrast.contrast(RESULTS / "x86_vm", RESULTS / "x86_vm")
    assert len(found.pairs) == 16
    assert (found.missing, found.new, found.differences) == ((), (), ())
    assert {(pair.verdict, pair.ratio and pair.ratio.value) for pair in found.pairs} == {("=", 1.0)}
    assert [name for name, _ in found.references] == ["compute", "memory"]


@pytest.mark.lengthy
def test_two_folders_share_what_both_measured_and_name_the_rest() -> None:
    found = contrast.contrast(RESULTS / "x86_vm", RESULTS / "x86_vm_int8")
    assert (len(found.pairs), len(found.missing), len(found.new)) == (8, 8, 22)
    assert "agent" in {one.what for one in found.differences}
    assert Difference(what="package mypy", before="", after="2.4.1") in found.differences


@pytest.fixture
def rows() -> tuple[Row, ...]:
    return folders.read(RESULTS / "x86_vm").rows


@pytest.mark.lengthy
def test_a_worthless_or_scarcely_measured_row_has_no_interval_to_compare_by(
    rows: tuple[Row, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    after = (replace(rows[0], verdict="INVALID"), changed(rows[1], processes=3), *rows[2:])
    _, lines, _ = folders.latest_lines(RESULTS / "x86_vm")
    tables = {"x86_vm": rows, "x86_vm_int8": after}

    def changed_lines(path: Path) -> tuple[Table, tuple[Line, ...], tuple[str, ...]]:
        known = tables[path.name]
        pairs = zip(lines, known, strict=True)
        return Table(title="t", rows=known, notes=()), tuple(replace(line, row=row) for line, row in pairs), ()

    monkeypatch.setattr(folders, "latest_lines", changed_lines)
    first, second, *others = contrast.contrast(RESULTS / "x86_vm", RESULTS / "x86_vm_int8").pairs
    assert (first.ratio, first.why) == (None, "B INVALID")
    assert second.ratio and (second.ratio.low, second.why) == (None, "too few processes for an interval")
    assert all(pair.ratio and pair.ratio.low for pair in others)
    assert ratio(rows[0], after[0]) is None


@pytest.mark.lengthy
def test_a_row_without_a_time_is_not_called_scarcely_measured() -> None:
    pairs = contrast.contrast(RESULTS / "three_ways", RESULTS / "three_ways").pairs
    assert {pair.why for pair in pairs} == {"", "no time: A EMULATED, B EMULATED"}


@pytest.mark.lengthy
def test_a_runtime_that_was_upgraded_is_compared_and_the_version_told() -> None:
    line = folders.latest_lines(RESULTS / "x86_vm")[1][0]
    keys = [contrast._key(names) for names in contrast.KEYS]
    assert paired([line], [replace(line, row=changed(line.row, runtime_version="2.0", target="rpi4"))], keys)[0]
    assert not paired([line], [replace(line, row=changed(line.row, threads=2))], keys)[0]


@pytest.mark.lengthy
def test_the_nearest_published_row_is_of_the_same_board_then_runtime_then_threads(rows: tuple[Row, ...]) -> None:
    row = changed(rows[0], target="rpi4", resolution=224, width=1.0, precision="fp32", runtime="armnn", threads=4)
    near = _nearest(row)
    assert near and (near.target, near.runtime, near.runtime_version) == ("rpi4", "armnn", "22.11 neon")
    beside = _beside(changed(row, p50_ms=100.0, p90_ms=2 * (near.p90_ms or 0)), near)
    assert far(beside) == "2.0x slower than armnn 22.11 neon on this board"
    assert beside.figure == "p90"
    assert "MACs" in beside.differs and "their clock 1800 MHz" in beside.differs
    on_another = _beside(replace(row, setup=replace(row.setup, machine="AMD EPYC")), near)
    assert not on_another.is_this_board and "board rpi4 (in fact AMD EPYC) / rpi4" in on_another.differs


@pytest.mark.lengthy
def test_a_mean_is_called_a_mean(rows: tuple[Row, ...]) -> None:
    row = changed(rows[0], target="rpi4", resolution=224, width=1.0, precision="fp32", runtime="armnn", p90_ms=None)
    near = _nearest(row)
    assert near and _beside(row, near).figure == "p50 / mean"


@pytest.mark.lengthy
def test_networks_that_nobody_published_are_named() -> None:
    found = beside_published(RESULTS / "x86_vm")
    assert len(found.rows) == 4
    assert "mobilenet_v1 0.25 @64 int8" in found.unmatched
    assert len(found.rows) + len(found.unmatched) == 16


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([str(RESULTS / "x86_vm"), str(RESULTS / "x86_vm_int8"), "--json"], 0),
        ([str(RESULTS / "x86_vm"), "--published", "--json"], 0),
        ([str(GOLDEN), str(RESULTS / "x86_vm"), "--json"], 0),  # one of version 1
        ([str(RESULTS / "x86_vm")], 2),
        ([str(RESULTS / "x86_vm"), str(RESULTS / "missing")], 2),
    ],
)
def test_the_command_answers_as_json_or_refuses_in_one_line(arguments: list[str], code: int) -> None:
    done = cli("compare", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (code, code // 2)
    assert json.loads(done.stdout) if code == 0 else True
