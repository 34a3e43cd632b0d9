"""Every answer closes with what it shows, in one to three sentences."""

from dataclasses import replace

import pytest

from edgebench.analysis import describe
from edgebench.analysis.compare.folders import Contrast, folder_sheets
from edgebench.analysis.compare.pairing import Pair
from edgebench.analysis.why import OperatorTimes, _spent
from edgebench.foundation.stats import Ratio
from tests import GOLDEN
from tests.support.command import cli

PAIR = Pair(name="net fp32", before_ms=1.0, after_ms=1.0, ratio=Ratio(value=1.0, low=0.99, high=1.01))


def conclusion(*pairs: Pair) -> str:
    contrast = Contrast(before="a", after="b", pairs=pairs, missing=(), new=(), differences=(), references=())
    return " ".join(folder_sheets(contrast)[0].conclusion)


def of(value: float, name: str = "net") -> Pair:
    return replace(PAIR, name=name, ratio=Ratio(value=value, low=value * 0.99, high=value * 1.01))


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ((PAIR,), "Nothing became faster or slower beyond the noise: 1 case compared."),
        ((of(1.25), PAIR), "B is slower than A in 1 of 2 cases; most in net: its latency changed by +25.0 % (1.250"),
        ((of(0.5), of(0.8)), "B is faster than A in 2 of 2 cases; most in net: its latency changed by -50.0 % (0.500"),
        ((of(0.5, "x"), of(1.5, "y")), "most in y: its latency changed by +50.0 % (1.500 [1.485, 1.515] times A"),
        ((replace(PAIR, ratio=None, why="A FAILED"),), "No case was measured well enough in both folders"),
        ((PAIR, replace(PAIR, ratio=None, why="A FAILED")), "1 case could not be judged; see the column verdict."),
    ],
)  # fmt: skip
def test_a_comparison_says_what_became_faster_or_slower_beyond_both_intervals(
    pairs: tuple[Pair, ...], expected: str
) -> None:
    assert expected in conclusion(*pairs)


def test_a_description_says_where_parameters_and_multiply_adds_sit() -> None:
    (sentence,) = describe.network("vgg16", 1.0, None, None)[0].conclusion
    assert sentence == (
        "vgg16: 89% of its 138.36 million parameters sit in the 3 linear layers, and 99% of its 15470.26 million"
        " multiply-adds sit in the 13 convolutions."
    )


def test_an_explanation_names_the_kind_of_operator_that_takes_most_time() -> None:
    operators = [("Conv", 3.0), ("Conv", 3.0), ("Gemm", 4.0)]
    timed = tuple({"operator": operator, "seconds": seconds} for operator, seconds in operators)
    assert _spent(OperatorTimes(why="", whole_s=1, operators=timed)).startswith("Main reason: Conv takes 60%")
    assert "no operator times: emulated" in _spent(OperatorTimes(why="emulated", whole_s=0, operators=()))


def test_a_choice_closes_with_what_to_take() -> None:
    said = " ".join(cli("choose", str(GOLDEN), "--objective", "latency").stdout.split())
    assert "Take " in said and "latency" in said.partition("Take ")[2]
    assert " ms, the best of " in said
