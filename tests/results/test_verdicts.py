"""One verdict each for time, accuracy and memory: what says nothing of a figure does not spoil it."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgebench.analysis import choose
from edgebench.analysis.choose import request
from edgebench.results import folders
from edgebench.results.measurement.verdict import ACCURACY, CHECKS, FIGURES, MEMORY, TIME, Reason, Verdict, worst
from edgebench.results.table.ranking import fastest, most_accurate
from edgebench.results.table.row import Row, Table
from tests import GOLDEN
from tests.support.rows import changed

SPOILT = {
    TIME: {"verdict": "INVALID", "time_verdict": "INVALID", "accuracy_verdict": "VALID", "memory_verdict": "VALID"},
    MEMORY: {"verdict": "INVALID", "time_verdict": "VALID", "accuracy_verdict": "VALID", "memory_verdict": "INVALID"},
    ACCURACY: {"verdict": "INVALID", "time_verdict": "VALID", "accuracy_verdict": "INVALID", "memory_verdict": "VALID"},
}


@pytest.fixture(scope="module")
def row() -> Row:
    return next(row for row in folders.read(GOLDEN).rows if row.top1 and row.spread)


def taken(row: Row, monkeypatch: pytest.MonkeyPatch, **options: str) -> bool:
    line = next(line for line in folders.latest_lines(GOLDEN)[1] if line.row.setup == row.setup)
    one = (Table(title="t", rows=(row,), notes=()), (replace(line, row=row),), ())
    monkeypatch.setattr(folders, "latest_lines", lambda _: one)
    asked = request.parse(objective=options.pop("objective", ""), limits=options)
    return choose.answer([Path("results/x")], "", asked).choice.chosen is not None


def test_every_check_says_which_figures_it_speaks_of() -> None:
    assert {figure for figures in CHECKS.values() for figure in figures} == set(FIGURES)
    assert all(figures and set(figures) <= set(FIGURES) for figures in CHECKS.values())


@pytest.mark.parametrize("figure", FIGURES)
def test_a_reason_counts_only_for_the_figures_it_speaks_of_and_the_worst_of_all_is_the_verdict(figure: str) -> None:
    reasons = (
        Reason(verdict=Verdict.INVALID, text="", figures=(figure,)),
        Reason(verdict=Verdict.IMPRECISE, text="", figures=(TIME,)),
    )
    assert worst(reasons) == worst(reasons, figure) == Verdict.INVALID
    others = {other: worst(reasons, other) for other in FIGURES if other != figure}
    assert others == {other: Verdict.IMPRECISE if other == TIME else Verdict.VALID for other in others}


def test_a_row_whose_time_is_invalid_is_still_among_the_most_accurate_but_never_the_fastest(row: Row) -> None:
    spoilt = changed(row, **SPOILT[TIME])
    assert spoilt.share == row.share
    assert most_accurate([spoilt]) == {spoilt}
    assert fastest([spoilt]) == frozenset()
    collapsed = changed(row, **SPOILT[ACCURACY])
    assert collapsed.share is None and most_accurate([collapsed]) == frozenset()


@pytest.mark.parametrize(
    ("spoilt", "options", "is_taken"),
    [
        (TIME, {"objective": "top1"}, True),
        (TIME, {"objective": "top1", "max_file": "90MiB"}, True),
        (TIME, {"objective": "top1", "max_latency": "100s"}, False),
        (TIME, {"objective": "latency"}, False),
        (MEMORY, {"objective": "latency"}, True),
        (MEMORY, {"objective": "peak"}, False),
        (ACCURACY, {"objective": "top1"}, False),
        (ACCURACY, {"objective": "latency"}, False),  # a file that answers wrong is of no use, however fast
    ],
)
def test_a_choice_uses_the_figures_that_are_to_be_trusted(
    row: Row, monkeypatch: pytest.MonkeyPatch, spoilt: str, options: dict[str, str], is_taken: bool
) -> None:
    assert taken(changed(row, **SPOILT[spoilt]), monkeypatch, **options) == is_taken
