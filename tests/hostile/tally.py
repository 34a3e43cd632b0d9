"""Pytest's plugin of `python -m tests.hostile`: counts the inputs of each kind, and those that give a wrong answer.

A file of tests is a kind, and the first sentence of its docstring names it. An input is what a test is given by its
parameters: several tests of one file that take the same one count it once, and it is wrong if one of them fails. A test
without parameters is one input, whatever it tries.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pytest

INPUT = "input"  # name of the property of a test's report that holds its kind and input


@dataclass(kw_only=True)
class Kind:
    """The inputs of one kind, those of them that were tried, and those of these that gave a wrong answer."""

    inputs: set[str] = field(default_factory=set)
    tried: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many there are of each."""
        return len(self.inputs), len(self.tried), len(self.wrong)


KINDS: dict[str, Kind] = defaultdict(Kind)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that say what is tried."""
    parser.addoption("--slow", action="store_true")
    parser.addoption("--count", action="store_true")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note a test's kind and input, which its report then carries; leave out what is not to be tried."""
    assert isinstance(item, pytest.Function)
    kind = (item.module.__doc__ or item.module.__name__).strip().splitlines()[0].rstrip(".")
    given = getattr(item, "callspec", None)
    name = f"{sorted(given.params)} {given.id}" if given else item.name
    item.user_properties.append((INPUT, f"{kind}\0{name}"))
    is_slow = item.get_closest_marker("slow") and not item.config.getoption("--slow")
    if is_slow or item.config.getoption("--count"):
        item.add_marker(pytest.mark.skip(reason="left out"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Sort an input by what became of it."""
    title, name = str(dict(report.user_properties)[INPUT]).split("\0")
    kind = KINDS[title]
    kind.inputs.add(name)
    if report.failed:
        kind.wrong.add(name)
    if report.failed or (report.when == "call" and not report.skipped):
        kind.tried.add(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    rows = [(kind, *KINDS[kind].counts) for kind in sorted(KINDS)]
    total = (sum(row[1] for row in rows), sum(row[2] for row in rows), sum(row[3] for row in rows))
    terminalreporter.write_line(f"{'inputs':>7}{'tried':>7}{'wrong':>7}  kind")
    for kind, inputs, tried, wrong in [*rows, ("all", *total)]:
        terminalreporter.write_line(f"{inputs:>7}{tried:>7}{wrong:>7}  {kind}")
