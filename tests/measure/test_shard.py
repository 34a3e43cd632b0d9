"""Shards of a sweep: every case is in exactly one, whatever else the sweep has, and whatever machine asks."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.foundation.errors import RequestError
from edgebench.foundation.units import counted
from edgebench.measure.plan.shard import ALL, Shard, parse
from edgebench.results import folders
from edgebench.schema.case import Case
from edgebench.schema.quantization import parse as scheme
from edgebench.schema.variant import Precision
from tests.conftest import case, variant
from tests.support.command import cli

CASES = tuple(
    case(variant(name, width, resolution), threads=threads)
    for name in ("mobilenet_v1", "mobilenet_v2")
    for width in (0.25, 0.5, 0.75, 1.0)
    for resolution in (96, 128, 160)
    for threads in (1, 2)
)


PLACES = ["1/8", "5/8", "2/8", "8/8", "7/8", "6/8"]  # of the first cases


def int8(of: Case, words: str = "per_channel") -> Case:
    """The int8 case of the same network."""
    return replace(of, variant=replace(of.variant, precision=Precision.INT8, quantization=scheme(words)))


def shards(count: int) -> list[Shard]:
    return [Shard(number=number, count=count) for number in range(1, count + 1)]


@pytest.mark.lengthy
@pytest.mark.parametrize("count", [1, 2, 3, 8, 100])
def test_every_case_is_in_exactly_one_shard_and_keeps_its_order(count: int) -> None:
    parts = [shard.of(CASES) for shard in shards(count)]
    assert Counter(case for part in parts for case in part) == Counter(CASES)
    assert all(list(part) == sorted(part, key=CASES.index) for part in parts)


@pytest.mark.lengthy
def test_other_cases_do_not_move_a_case_to_another_shard() -> None:
    for shard in shards(8):
        whole = set(shard.of(CASES))
        assert set(shard.of(CASES[::-1])) == whole
        assert set(shard.of(CASES[::3])) == whole & set(CASES[::3])
        assert set(shard.of((*map(int8, CASES), *CASES))) >= whole


@pytest.mark.lengthy
def test_an_int8_case_is_measured_with_its_float_twin() -> None:
    for shard in shards(8):
        for words in ("per_channel", "per_tensor+equalized", "s8s8"):
            assert shard.of(int8(case, words) for case in CASES) == tuple(int8(case, words) for case in shard.of(CASES))


def test_what_depends_on_the_machine_moves_no_case() -> None:
    def elsewhere(of: Case) -> Case:
        runtime = replace(of.runtime, version="9.9", options=("OtherProvider",), packages=("onnxruntime==9.9",))
        return replace(of, runtime=runtime)

    for shard in shards(8):
        assert shard.of(map(elsewhere, CASES)) == tuple(map(elsewhere, shard.of(CASES)))


def test_a_case_is_in_the_shard_in_which_it_always_was() -> None:
    """If this test fails, the shards of a sweep that runs now on several machines would no longer fit together."""
    assert [next(str(shard) for shard in shards(8) if shard.of((case,))) for case in CASES[:6]] == PLACES


@pytest.mark.lengthy
def test_shards_are_nearly_equal() -> None:
    cases = [case(variant("mobilenet_v1", width / 1000, side)) for width in range(100, 300) for side in range(64, 84)]
    sizes = [len(shard.of(cases)) for shard in shards(8)]
    assert sum(sizes) == 4000 and max(sizes) <= 570 and min(sizes) >= 430  # 500, give or take three standard deviations


@pytest.mark.parametrize("text", ["2", "0/8", "9/8", "1/0", "a/b", "1/2/3", "-1/8", "1.0/2", " 1/2", "1/10001", "١/٢"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="wanted a shard such as 2/8"):
        parse(text)


def test_a_shard_is_read_as_it_is_written() -> None:
    assert (parse("2/8"), parse("08/8"), parse("")) == (Shard(number=2, count=8), Shard(number=8, count=8), ALL)
    assert str(parse("2/8")) == "2/8"


def test_a_budget_has_no_shards() -> None:
    done = cli("run", "--model", "null", "--weights", "none", "--budget", "1m", "--shard", "1/2")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--shard takes a fixed part of the cases, found a budget of 1m" in done.stderr


@pytest.mark.slow
def test_shards_that_are_measured_apart_and_merged_are_the_whole_sweep(place: Path) -> None:
    (place / "my.toml").write_text(
        'weights = "none"\nprecisions = ["fp32"]\nruntimes = ["null"]\nbatches = [1, 2, 3, 4]\npreset = "quick"\n'
        '[[models]]\nname = "null"\n'
    )
    listed = [cli("run", "my.toml", "--shard", f"{number}/2", "--dry-run", "--json").stdout for number in (1, 2)]
    planned = [json.loads(text)["forecasts"][0]["cases"] for text in listed]
    for number in (1, 2):
        assert cli("run", "my.toml", "--shard", f"{number}/2", "--name", f"shard-{number}").returncode == 0
    again = cli("run", "my.toml", "--shard", "1/2", "--name", "shard-1")
    assert f"nothing to measure on cpu: {counted(len(planned[0]), 'case', 'is')} complete" in again.stderr
    merged = cli("merge", "results/shard-1", "results/shard-2", "--name", "all")
    assert merged.returncode == 0
    assert sorted(row.setup.batch for row in folders.read(place / "results" / "all").rows) == [1, 2, 3, 4]
    assert sorted(case["batch"] for cases in planned for case in cases) == [1, 2, 3, 4]
    assert "nothing to measure on cpu: 4 cases are complete" in cli("run", "my.toml", "--name", "all").stderr
