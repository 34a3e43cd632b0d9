"""The night as JUnit XML: a regression is a failure until a user reacts; MISSING and INVALID entries are errors."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, tostring

from edgebench.foundation.escape import plain
from edgebench.nightly.night import Outcome
from edgebench.nightly.rule.figures import described

if TYPE_CHECKING:
    from edgebench.nightly.summary import Bulletin, SummaryLine

FILE = "junit.xml"
OUTCOMES = {
    Outcome.REGRESSION: "failure",
    Outcome.INVALID: "error",
    Outcome.MISSING: "error",
    Outcome.NEW: "skipped",
    Outcome.UNDERPOWERED: "skipped",
}


def render(bulletin: Bulletin) -> str:
    """Return one test suite with one test case per configuration."""
    outcomes = [_outcome(line) for line in bulletin.lines]
    suite = Element(
        "testsuite",
        name=plain(f"edgebench nightly {bulletin.night.sweep}"),
        timestamp=plain(bulletin.night.started_at[:19]),
        time=f"{bulletin.night.spent_s:.3f}",
        tests=str(len(outcomes)),
        failures=str(outcomes.count("failure")),
        errors=str(outcomes.count("error")),
        skipped=str(outcomes.count("skipped")),
    )
    for line in bulletin.lines:
        _case(suite, line)
    everything = Element("testsuites")
    everything.append(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(everything, encoding="unicode") + "\n"


def _case(suite: Element, line: SummaryLine) -> None:
    entry = line.entry
    case = SubElement(suite, "testcase", classname=plain(entry.target), name=plain(entry.name), time=_seconds(line))
    if outcome := _outcome(line):
        kind = {} if outcome == "skipped" else {"type": str(entry.verdict)}
        SubElement(case, outcome, {"message": plain(_text(line)), **kind})
    elif entry.why or entry.changed:
        SubElement(case, "system-out").text = plain(_text(line))


def _outcome(line: SummaryLine) -> str:
    """Return `failure`, `error`, `skipped`, or "" if the test passes; a regression passes once a user has reacted."""
    outcome = OUTCOMES.get(line.entry.verdict, "")
    return "" if outcome == "failure" and not line.is_waiting else outcome


def _seconds(line: SummaryLine) -> str:
    return f"{line.entry.figures.p50_s or 0:.9f}"


def _text(line: SummaryLine) -> str:
    changes = [*map(described, line.findings)]
    states = filter(None, [line.states])
    return "; ".join((str(line.entry.verdict), *changes, *states, *line.entry.changed, *filter(None, [line.entry.why])))
