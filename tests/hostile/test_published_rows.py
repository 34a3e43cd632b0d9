"""A published row that is no inference of the network is never recommended unasked, and a mean is no p50."""

from __future__ import annotations

import json
from itertools import product

import pytest

from edgebench.analysis import choose
from edgebench.analysis.choose import request
from edgebench.analysis.choose.sheet import sheet
from edgebench.analysis.compare.published import _nearest
from edgebench.networks import published
from edgebench.results import folders
from edgebench.results.table.choice import Quantity
from tests import ROOT
from tests.support.command import cli
from tests.support.rows import changed

DOUBTED = ("kernels only", "random weights", "estimate", "text says")
BOUNDS = ("", "50ms")
OBJECTIVES = ("latency", "top1")


def answer(board: str, *, any_published: bool = False, objective: str = "", max_latency: str = "") -> choose.Answer:
    limits = {"max_latency": max_latency}
    asked = request.parse(objective=objective, limits=limits, any_published=any_published)
    return choose.answer((), board, asked)


def is_doubted(note: str) -> bool:
    return any(word in note for word in DOUBTED)


@pytest.mark.lengthy
@pytest.mark.parametrize("board", published.targets())
@pytest.mark.parametrize(("bound", "objective"), list(product(BOUNDS, OBJECTIVES)))
def test_no_choice_rests_on_kernels_random_weights_or_estimates(board: str, bound: str, objective: str) -> None:
    found = answer(board, objective=objective, max_latency=bound)
    assert not any(is_doubted(note) for note in found.remarks.values())
    left_out = [one for one in published.latencies() if one.target == board and is_doubted(one.note)]
    assert any("--any-published includes" in note for note in found.notes) == bool(left_out)


@pytest.mark.lengthy
@pytest.mark.parametrize("board", published.targets())
def test_asked_for_they_are_there_with_their_note(board: str) -> None:
    found = answer(board, any_published=True, objective="latency")
    assert len(found.accuracies) == sum(one.target == board for one in published.latencies())
    assert found.choice.chosen
    remark = found.remarks.get(found.choice.chosen.name, "")
    assert any(remark in note for note in sheet(found).notes)
    assert not any("--any-published" in note for note in found.notes)


@pytest.mark.lengthy
@pytest.mark.parametrize("board", published.targets())
def test_a_mean_is_called_a_mean(board: str) -> None:
    found = answer(board, objective="latency", any_published=True)
    rows = [one for one in published.latencies() if one.target == board]
    means = sum(one.p50_ms is None and one.mean_ms is not None for one in rows)
    assert list(found.statistics.values()).count("mean") == means
    laid = sheet(found)
    place = laid.headings.index("latency ms")
    for cells in laid.rows:
        assert cells[place].startswith("mean ") == (found.statistics.get(cells[1]) == "mean")


@pytest.mark.lengthy
def test_the_row_that_was_recommended_with_random_weights_is_not_any_more() -> None:
    unasked, asked = answer("rpi4", max_latency="50ms"), answer("rpi4", max_latency="50ms", any_published=True)
    assert unasked.choice.chosen and "xnnpack" not in unasked.choice.chosen.name
    assert asked.choice.feasible > unasked.choice.feasible
    figure = unasked.choice.chosen.figures[Quantity.LATENCY]
    assert figure.value <= 50
    assert any(note.startswith("latency ms: mean ") for note in sheet(unasked).notes)


@pytest.mark.lengthy
def test_the_command_says_so_and_refuses_it_for_a_folder() -> None:
    done = cli("choose", "--published", "rpi4", "--max-latency", "50ms", "--any-published", "--json")
    answered = json.loads(done.stdout)
    assert answered["any_published"] is True
    assert answered["chosen"]["note"] or any(option["note"] for option in answered["front"])
    assert cli("choose", "results/x", "--any-published").returncode == 2
    assert "--any-published" in cli("choose", "--help").stdout


@pytest.mark.lengthy
def test_no_row_is_compared_with_kernels_while_a_whole_inference_is_published() -> None:
    by_variant: dict[tuple[str, float, int, str], list[published.PublishedLatency]] = {}
    for cited in published.latencies():
        key = (cited.architecture, cited.width, cited.resolution, cited.precision)
        by_variant.setdefault(key, []).append(cited)
    mixed = {key: rows for key, rows in by_variant.items() if len({bool(row.reservation) for row in rows}) == 2}
    assert mixed
    measured = folders.read(ROOT / "results" / "x86_vm").rows[0]
    for (architecture, width, resolution, precision), rows in mixed.items():
        for doubted in (row for row in rows if row.reservation):
            row = changed(
                measured,
                architecture=architecture,
                width=width,
                resolution=resolution,
                precision=precision,
                target=doubted.target,
                runtime=doubted.runtime,
                threads=doubted.threads or 1,
            )
            nearest = _nearest(row)
            assert nearest and not nearest.reservation
