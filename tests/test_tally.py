"""The table of hostile inputs counts an input once, whatever tests take it, and says which are wrong."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.hostile import tally


def report(kind: str, name: str, outcome: str, when: str = "call") -> pytest.TestReport:
    properties = [(tally.INPUT, f"{kind}\0{name}")]
    return pytest.TestReport("x", ("x", 1, "x"), {}, outcome, None, when, user_properties=properties)  # type: ignore[arg-type]


def test_an_input_counts_once_and_is_wrong_if_one_test_of_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: dict[str, tally.Kind] = defaultdict(tally.Kind)
    monkeypatch.setattr(tally, "KINDS", kinds)
    for name, outcome in (("a", "passed"), ("a", "failed"), ("b", "passed"), ("b", "passed"), ("c", "skipped")):
        tally.pytest_runtest_logreport(report("texts", name, outcome))
    tally.pytest_runtest_logreport(report("files", "a", "failed", "setup"))
    assert {kind: of.counts for kind, of in kinds.items()} == {"texts": (3, 2, 1), "files": (1, 1, 1)}
