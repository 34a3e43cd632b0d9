"""The comparison of two results folders -> the verdicts of a gate, a comment for a pull request, and an exit code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import expm1
from typing import TYPE_CHECKING

from edgebench.foundation import escape
from edgebench.foundation.comment import comment as written
from edgebench.foundation.units import counted, milliseconds

if TYPE_CHECKING:
    from edgebench.analysis.compare.folders import Contrast
    from edgebench.analysis.compare.pairing import Pair
    from edgebench.foundation.sheet import Value
    from edgebench.foundation.stats import Ratio

REGRESSION, MISSING, INVALID, IMPROVEMENT, NEW, OK = "REGRESSION", "MISSING", "INVALID", "IMPROVEMENT", "NEW", "OK"
ORDER = (REGRESSION, INVALID, MISSING, IMPROVEMENT, NEW, OK)  # in which reports list the verdicts
VERDICTS = {"slower": REGRESSION, "faster": IMPROVEMENT, "=": OK, "-": INVALID}
REGRESSED, UNMEASURED = 1, 3  # exit codes, the same as those of `nightly run`


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A configuration of one or both folders, with its verdict and the ratio that decided the verdict."""

    name: str
    verdict: str
    why: str = ""
    ratio: Ratio | None = None


def judged(contrast: Contrast) -> list[Judged]:
    """Return all configurations, the most severe verdicts and the largest changes first."""
    both = [
        Judged(name=pair.name, verdict=VERDICTS[pair.verdict], why=_why(pair), ratio=pair.in_beats or pair.ratio)
        for pair in contrast.pairs
    ]
    missing = [Judged(name=name, verdict=MISSING, why="the head does not have it") for name in contrast.missing]
    new = [Judged(name=name, verdict=NEW, why="the base does not have it") for name in contrast.new]
    return sorted((*both, *missing, *new), key=lambda each: (ORDER.index(each.verdict), -_size(each)))


def exit_code(contrast: Contrast) -> int:
    """Return exit code 1 if a configuration is slower, 3 if one is missing or was not compared, else 0."""
    verdicts = {each.verdict for each in judged(contrast)}
    if REGRESSION in verdicts:
        return REGRESSED
    return UNMEASURED if not contrast.pairs or verdicts & {MISSING, INVALID} else 0


def comment(contrast: Contrast) -> str:
    """Return a comment for a pull request, in Markdown: the headline, and the first configurations that changed."""
    changed = [(each.verdict, f"{each.name}: {each.why}") for each in judged(contrast) if each.verdict != OK]
    widest = max((pair.sessions for pair in contrast.pairs), default=0.0)
    against = (
        f"Compared with `{escape.markdown(contrast.before)}`, which was measured in another session; two sessions of"
        f" unchanged code can differ by {expm1(widest):.1%}. Only latencies are compared."
    )
    return written(headline(contrast), against, changed, "`edgebench compare`")


def headline(contrast: Contrast) -> str:
    """Return one sentence that summarizes the comparison."""
    counts = Counter(each.verdict for each in judged(contrast))
    changed = [f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict] and verdict != OK]
    configurations = counted(counts.total(), "configuration")
    return f"{', '.join(changed)} of {configurations}" if changed else f"nothing changed: {configurations}"


def fields(contrast: Contrast) -> dict[str, Value]:
    """Lay out the verdicts for JSON."""
    configurations = [
        {
            "name": each.name,
            "verdict": each.verdict,
            "why": each.why,
            "change": None if each.ratio is None else each.ratio.value - 1,
            "low": None if each.ratio is None or each.ratio.low is None else each.ratio.low - 1,
            "high": None if each.ratio is None or each.ratio.high is None else each.ratio.high - 1,
        }
        for each in judged(contrast)
    ]
    return {"headline": headline(contrast), "configurations": configurations, "notes": contrast.left_out}


def _size(each: Judged) -> float:
    return abs(each.ratio.value - 1) if each.ratio else 0.0


def _why(pair: Pair) -> str:
    """Return the change of a pair with its interval and both latencies; without a change, return the reason."""
    change = pair.in_beats or pair.ratio
    if pair.verdict == "-" or change is None or change.low is None or change.high is None:
        return pair.why or "too few processes for an interval"
    interval = f"[{change.low - 1:+.1%}, {change.high - 1:+.1%}]"
    before, after = milliseconds(pair.before_ms), milliseconds(pair.after_ms)
    return f"latency {change.value - 1:+.1%} {interval} ({before} ms -> {after} ms)"
