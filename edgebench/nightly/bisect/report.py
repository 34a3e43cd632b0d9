"""A walk (the steps of a bisection) -> its table, its conclusion in words, JSON, and the files of its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgebench.foundation.errors import RequestError
from edgebench.foundation.files import make
from edgebench.foundation.files import write as write_file
from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet, Value, as_json, document, markdown
from edgebench.foundation.units import milliseconds
from edgebench.nightly.bisect.evidence import Evidence
from edgebench.nightly.bisect.walk import NOTHING, Conclusion, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COMMAND = "nightly bisect"
UNKNOWN = Evidence(finding=Finding.UNCLEAR)  # for a step without evidence
ADVICE = "free disk space, or choose another --folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The steps of a walk with their evidence.

    Attributes:
        name: what is measured.
        steps: the label of each step, and the message of a commit; step 0 is the good end.
        evidence: the evidence on the measured steps, by their places in `steps`.
    """

    name: str
    steps: tuple[tuple[str, str], ...]
    evidence: Mapping[int, Evidence] = field(default_factory=dict)
    conclusion: Conclusion = NOTHING

    @property
    def first(self) -> str | None:
        """The label of the first slower step; None if it is not known."""
        return None if self.conclusion.first is None else self.label(self.conclusion.first)

    @property
    def is_open(self) -> bool:
        """Whether steps are left to measure between the two bounds of the first slower step."""
        before = self.conclusion.before or 0
        return any(step not in self.evidence for step in range(self.conclusion.after + 1, before))

    def label(self, step: int) -> str:
        """Return the label of a step."""
        return self.steps[step][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    label: str
    words: str
    finding: str
    evidence: Evidence


def sheet(walk: Walk) -> Sheet:
    """Lay out a row for each step, from the good end to the bad end."""
    rows = [
        _Row(label=label, words=words, finding=_finding(walk, number), evidence=walk.evidence.get(number, UNKNOWN))
        for number, (label, words) in enumerate(walk.steps)
    ]
    title = f"{walk.name}: {walk.label(0)} to {walk.label(len(walk.steps) - 1)}"
    return Sheet.of(title, _COLUMNS, rows).closed(conclusions(walk))


def _finding(walk: Walk, step: int) -> str:
    if step == 0:
        return "good end"
    return str(walk.evidence[step].finding) if step in walk.evidence else "not measured"


def fields(walk: Walk) -> dict[str, Value]:
    """Lay out the walk for JSON."""
    conclusion = walk.conclusion
    return {
        "name": walk.name,
        "good": walk.label(0),
        "bad": walk.label(len(walk.steps) - 1),
        "first": walk.first,
        "after": walk.label(conclusion.after),
        "before": None if conclusion.before is None else walk.label(conclusion.before),
        **document([sheet(walk)]),
    }


def write(walk: Walk, folder: Path) -> None:
    """Write the report as Markdown and as JSON into a folder.

    Raises:
        RequestError: a file cannot be written.
    """
    try:
        make(folder)
    except OSError as error:
        raise RequestError(f"cannot make {folder}: {error.strerror}; {ADVICE}") from error
    write_file(folder / "bisect.md", markdown(sheet(walk)).encode(), ADVICE)
    write_file(folder / "bisect.json", as_json(COMMAND, fields(walk)).encode(), ADVICE)


def conclusions(walk: Walk) -> Iterator[str]:
    """Yield what the walk shows, in sentences."""
    last, conclusion = len(walk.steps) - 1, walk.conclusion
    bad = walk.evidence.get(last)
    if bad is None:
        return
    if conclusion.before is None:
        yield _nothing(walk, bad)
        return
    before, after = _described(walk, conclusion.before), _described(walk, conclusion.after)
    if conclusion.is_found:
        yield f"The first slower step is {before}. The step before it is not slower: {after}."
    elif walk.is_open:
        yield (
            f"The walk has not ended: the first slower step is after {walk.label(conclusion.after)}, and"
            f" {walk.label(conclusion.before)} at the latest."
        )
        return
    else:
        yield (
            f"The first slower step is between {walk.label(conclusion.after)} and {walk.label(conclusion.before)}; it"
            f" cannot be told, because of {_obstacles(walk)}. Slower is {before}; not slower is {after}."
        )
    yield from _further(walk, walk.evidence[conclusion.before], bad)
    if conclusion.reversals:
        yield f"The latency changed more than once: {_turns(walk)}."
    left = [walk.label(step) for step in range(1, last) if step not in walk.evidence]
    if left:
        yield (
            f"Not measured: {', '.join(left)}. The search assumes that the latency changed only once; --every measures"
            " all steps."
        )


def _nothing(walk: Walk, bad: Evidence) -> str:
    last = len(walk.steps) - 1
    ends = f"{_described(walk, last)}, against {walk.label(0)}"
    if bad.finding == Finding.NOT_SLOWER:
        return f"The bad end is not slower: {ends}. There is no first slower step."
    reason = f" ({bad.why})" if bad.why else ""
    return (
        f"Whether the bad end is slower cannot be told{reason}: {ends}. Measure again on a machine without other load."
    )


def _described(walk: Walk, step: int) -> str:
    """Return a step with its change: `1.30.0 with +12.0% [+10.1%, +14.2%] in 20 pairs`."""
    evidence = walk.evidence.get(step)
    words = f" ({walk.steps[step][1]})" if walk.steps[step][1] else ""
    if evidence is None or evidence.change is None:
        return f"{walk.label(step)}{words}" + (", the good end" if step == 0 else "")
    pairs = f" in {evidence.pairs} pairs" if evidence.pairs else ""
    interval = "" if evidence.low is None else f" {_interval(evidence)}"
    return f"{walk.label(step)}{words} with {evidence.change:+.1%}{interval}{pairs}"


def _obstacles(walk: Walk) -> str:
    after, before = walk.conclusion.after, walk.conclusion.before or 0
    between = [(step, walk.evidence[step]) for step in range(after + 1, before) if step in walk.evidence]
    return ", ".join(
        f"{walk.label(step)} ({evidence.finding}{f': {evidence.why}' if evidence.why else ''})"
        for step, evidence in between
    )


def _further(walk: Walk, first: Evidence, bad: Evidence) -> Iterator[str]:
    """Yield a sentence if the bad end clearly differs from the first slower step, because of a further change."""
    if first.high is None or bad.low is None or first.low is None or bad.high is None or first is bad:
        return
    label, last = walk.label(walk.conclusion.before or 0), walk.label(len(walk.steps) - 1)
    if first.high < bad.low:
        yield (
            f"{last} is slower still ({bad.change:+.1%} {_interval(bad)}): a further slowdown came after {label}; find"
            f" it with --good {label}."
        )
    elif bad.high < first.low:
        yield f"A part of this slowdown was mended after {label}: {last} has {bad.change:+.1%} {_interval(bad)}."


def _turns(walk: Walk) -> str:
    turns = walk.conclusion.reversals
    return ", ".join(
        f"{_described(walk, step)} is {'slower again' if number % 2 else 'not slower'}"
        for number, step in enumerate(turns)
    )


def _interval(evidence: Evidence) -> str:
    if evidence.low is None or evidence.high is None:
        return "-"
    return f"[{evidence.low:+.1%}, {evidence.high:+.1%}]"


def _change(evidence: Evidence) -> str:
    return "-" if evidence.change is None else f"{evidence.change:+.1%}"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


_COLUMNS: tuple[Column[_Row], ...] = (
    Column.text("step", lambda row: row.label, IDENTITY),
    Column.text("finding", lambda row: row.finding, OBJECTIVE),
    Column.number("change", lambda row: _change(row.evidence), OBJECTIVE, change=lambda row: row.evidence.change),
    Column.number(
        "[95 %]",
        lambda row: _interval(row.evidence),
        OBJECTIVE,
        low=lambda row: row.evidence.low,
        high=lambda row: row.evidence.high,
    ),
    Column.text("message", lambda row: row.words, OBJECTIVE),
    Column.figure("pairs", lambda row: row.evidence.pairs or None),
    Column.number(
        "p",
        lambda row: "-" if row.evidence.p is None else f"{row.evidence.p:.1g}",
        p=lambda row: row.evidence.p,
    ),
    Column.figure("good ms", lambda row: _ms(row.evidence.good_s), milliseconds),
    Column.figure("step ms", lambda row: _ms(row.evidence.step_s), milliseconds),
    Column.text("why", lambda row: row.evidence.why),
)
